"""Payouts that come by themselves: when somebody's balance is paid out, and where to; at its time it is asked for, once a round."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from marketplace.accounts.selectors import is_suspended
from marketplace.accounts.services import user_locked
from marketplace.core import clock, events, features
from marketplace.core.checks import Checks
from marketplace.core.errors import DomainError, InvalidInput
from marketplace.core.money import Money
from marketplace.core.policies import Actor
from marketplace.core.transactions import unit_of_work

from .debts import kept_back
from .models import AccountBalance, PayoutSchedule
from .payout_methods import method_for
from .payouts import payout_request
from .providers import gateway

#: the hour, UTC, at which payouts of a schedule are asked for
HOUR = 6


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


@unit_of_work
def payout_schedule_run(*, schedule_id: int) -> bool:
    """The clock's act: ask for the payout of a round, or say what kept it, and set the next one. Run twice, the second does nothing.

    While PAYOUTS_OPEN is off, or the person suspended, the round waits. A round that a day's outage missed is made up for once.
    """
    row = schedule_locked(schedule_id)
    if row is None or not features.on("PAYOUTS_OPEN"):
        return False
    result = _request(row)
    row.last_at, row.last_result = clock.now(), result
    row.next_at = next_round(row.pace, row.last_at)
    row.save(update_fields=["last_at", "last_result", "next_at"])
    if result not in ("requested", "nothing"):
        told = {"currency": row.currency, "user_id": row.user_id}
        events.record(aggregate=row, kind="payout_schedule.skip", actor_id=None, after=told, reason=result)
    return True


def _request(row: PayoutSchedule) -> str:
    """The code of what came of it."""
    mine = {"account__user": row.user_id, "account__kind": "available", "account__currency": row.currency}
    available = AccountBalance.objects.filter(**mine).values_list("available", flat=True).first() or 0
    if available == 0:
        return "nothing"
    kept = kept_back(row.user_id, row.currency)
    if kept is None or available <= kept.minor:
        return "money_owed"
    available -= kept.minor
    if available < row.least_minor:
        return "too_little"
    if row.method is None or row.method.removed_at is not None:
        return "payout_method_missing"
    key = f"schedule:{row.pk}:{row.next_at:%Y%m%d%H}"
    try:
        with transaction.atomic():
            # what is finer than the gateway's steps, or more than it moves at once, waits for the next round
            amount = gateway(row.method.provider).movable(Money(available, row.currency), purpose="payout")
            if amount.minor == 0:
                return "payout_below_minimum"
            payout_request(actor=row.user, amount=amount, method=row.method.details, idempotency_key=key, provider=row.method.provider)
    except DomainError as e:
        return e.code[:64]
    return "requested"
