"""Where and when somebody is paid out: places, the smallest payout, and payouts that come by themselves every week or month.

A place that is added after another one waits PAYOUT_METHOD_WAIT_HOURS before anything is sent there, and its owner is told of it: whoever took
an account over cannot turn its money round at once. A place that a payout names without having been saved counts as added in that moment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from marketplace.accounts.selectors import is_suspended
from marketplace.accounts.services import user_locked
from marketplace.core import clock, events, features
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.money import Money
from marketplace.core.policies import Actor
from marketplace.core.transactions import unit_of_work

from . import selectors
from .models import Payout, PayoutMethod, PayoutSchedule
from .providers import gateway

MOST_METHODS = 20
#: the hour, UTC, at which payouts of a schedule are asked for
HOUR = 6


def digest_of(provider: str, details: Mapping[str, Any]) -> str:
    """What makes a place the same place."""
    return hashlib.sha256(json.dumps([provider, details], sort_keys=True).encode()).hexdigest()


def label_of(provider: str, details: Mapping[str, Any]) -> str:
    """What may be shown of a place: enough for its owner to know it again, too little for anybody to use it."""
    if (iban := details.get("iban")) is not None:
        return f"IBAN {str(iban)[:2]}… {str(iban)[-4:]}"
    if (phone := details.get("phone")) is not None:
        return f"+{str(phone)[:3]} … {str(phone)[-3:]}"
    if (email := details.get("email")) is not None:
        name, _, host = str(email).partition("@")
        return f"{name[:1]}…@{host}"[:64]
    if (account := details.get("account")) is not None:
        return f"{provider} … {str(account)[-4:]}"
    return str(details.get("token", provider))[:64]


def methods_of(user_id: int) -> QuerySet[PayoutMethod]:
    """The places that somebody uses now."""
    return PayoutMethod.objects.filter(user=user_id, removed_at__isnull=True)


def method_for(actor: Actor, method_id: int) -> PayoutMethod:
    """One of the actor's own. Raises NotFound."""
    found = methods_of(actor.pk).filter(pk=method_id).first()
    if found is None:
        raise NotFound("payout method")
    return found


def known_method(*, user_id: int, provider: str, details: Mapping[str, Any]) -> PayoutMethod:
    """The row of a checked place, added now when it is not there; the user's row is locked. Raises Conflict("payout_methods_many")."""
    mine = PayoutMethod.objects.filter(user=user_id)
    if not mine.exists():
        _paid_before(user_id)
    digest, now = digest_of(provider, details), clock.now()
    there = mine.filter(digest=digest).first()
    if there is not None and there.removed_at is None:
        return there
    if methods_of(user_id).count() >= MOST_METHODS:
        raise Conflict("payout_methods_many", f"You have {MOST_METHODS} places to be paid. Remove one first.")
    wait = timedelta(hours=features.number("PAYOUT_METHOD_WAIT_HOURS")) if mine.exists() else timedelta(0)
    row = there or PayoutMethod(user_id=user_id, provider=provider, digest=digest)
    row.details, row.label = dict(details), label_of(provider, details)
    row.added_at, row.usable_at, row.removed_at = now, now + wait, None
    row.save()
    told = {"user_id": user_id, "provider": provider, "label": row.label, "usable_at": row.usable_at.isoformat()}
    events.record(aggregate=row, kind="payout_method.add_another" if wait else "payout_method.add", actor_id=user_id, after=told)
    return row


def _paid_before(user_id: int) -> None:
    """Places to which somebody was paid before places were kept."""
    for provider, details, at in (
        Payout.objects.filter(payee=user_id, state="paid").order_by("id").values_list("provider", "method", "created_at")
    ):
        row = {"provider": provider, "details": details, "label": label_of(provider, details), "added_at": at, "usable_at": at}
        PayoutMethod.objects.get_or_create(user_id=user_id, digest=digest_of(provider, details), defaults=row)


@unit_of_work
def payout_method_add(*, actor: Actor, provider: str, method: Mapping[str, Any]) -> PayoutMethod:
    """Keep a place to be paid, as the gateway's adapter checks it. The same place again is the same row. Raises InvalidInput, Conflict."""
    kept = gateway(provider).check_method(method, purpose="payout")
    user_locked(actor.pk)
    return known_method(user_id=actor.pk, provider=provider, details=kept)


def least(currency: str) -> Money | None:
    """The smallest payout in a currency, worth PAYOUT_LEAST_USD_MINOR; None when no rate leads there."""
    return selectors.worth(Money(features.number("PAYOUT_LEAST_USD_MINOR"), "USD"), currency)


def require_least(user_id: int, amount: Money) -> None:
    """Raise InvalidInput for less than the smallest payout. Once in PAYOUT_SMALL_EVERY_DAYS a smaller one is possible, so that no money is
    kept from anybody for ever."""
    smallest = least(amount.currency)
    if smallest is None or amount.minor >= smallest.minor:
        return
    since = clock.now() - timedelta(days=settings.PAYOUT_SMALL_EVERY_DAYS)
    if Payout.objects.filter(payee=user_id, created_at__gt=since).exclude(state="failed").exists():
        raise InvalidInput(
            "payout_below_minimum",
            f"The smallest payout is {smallest}. Less can be paid out once in {settings.PAYOUT_SMALL_EVERY_DAYS} days.",
            {"amount_minor": [f"At least {smallest}, or wait."]},
        )


# --- payouts that come by themselves
def schedules_of(user_id: int) -> QuerySet[PayoutSchedule]:
    """Somebody's schedules by currency."""
    return PayoutSchedule.objects.filter(user=user_id).select_related("method").order_by("currency")


def next_round(pace: str, after: datetime) -> datetime | None:
    """The next Monday, or first of a month, at HOUR o'clock UTC; None by hand."""
    day = after.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    if pace == PayoutSchedule.Pace.WEEKLY:
        at = day + timedelta(days=-day.weekday() % 7)
        return at if at > after else at + timedelta(days=7)
    if pace == PayoutSchedule.Pace.MONTHLY:
        at = day.replace(day=1)
        return at if at > after else (at + timedelta(days=32)).replace(day=1)
    return None


@unit_of_work
def payout_schedule_put(*, actor: Actor, currency: str, pace: str, least_minor: int = 0, method_id: int | None = None) -> PayoutSchedule:
    """Say when the available balance in a currency is paid out by itself, and where to. Raises InvalidInput, NotFound for a place that is
    not the actor's."""
    checks = Checks()
    currency = checks.currency("currency", currency)
    pace = checks.choice("pace", pace, PayoutSchedule.Pace.values)
    checks.whole("least_minor", least_minor, low=0, high=settings.MAX_AMOUNT_MINOR)
    if pace and pace != PayoutSchedule.Pace.MANUAL and method_id is None:
        checks.add("method_id", "Say where the money shall go.")
    checks.raise_if_any()
    user_locked(actor.pk)
    method = None if method_id is None else method_for(actor, method_id)
    if method is not None and currency not in gateway(method.provider).capabilities().pays_out:
        raise InvalidInput(
            "currency_not_supported", f"{method.provider} does not pay out {currency}.", {"method_id": [f"Cannot take {currency}."]}
        )
    row, _ = PayoutSchedule.objects.get_or_create(user_id=actor.pk, currency=currency)
    before = _schedule_told(row)
    row.pace, row.least_minor, row.method = pace, least_minor, method
    row.next_at = next_round(pace, clock.now())
    row.save()
    events.record(aggregate=row, kind="payout_schedule.put", actor_id=actor.pk, before=before, after=_schedule_told(row))
    return row


def _schedule_told(row: PayoutSchedule) -> dict[str, Any]:
    return {"currency": row.currency, "pace": row.pace, "least_minor": row.least_minor, "method_id": row.method_id}


def due_schedule_ids(now: datetime, limit: int = 500) -> list[int]:
    """Schedules whose time has come."""
    due = PayoutSchedule.objects.filter(next_at__lte=now).order_by("next_at", "id")
    return list(due.values_list("id", flat=True)[:limit])


def schedule_locked(schedule_id: int) -> PayoutSchedule | None:
    """The schedule, locked after its owner's row; None when it is gone or not due now."""
    owner = PayoutSchedule.objects.filter(pk=schedule_id).values_list("user_id", flat=True).first()
    if owner is None:
        return None
    user_locked(owner)
    row = PayoutSchedule.objects.select_for_update().select_related("user").get(pk=schedule_id)
    return row if row.next_at is not None and row.next_at <= clock.now() and not is_suspended(row.user_id) else None
