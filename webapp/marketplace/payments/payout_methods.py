"""The places to which somebody is paid: one list, one default, one wait; and the smallest payout.

A place that is added after another one waits PAYOUT_METHOD_WAIT_HOURS before anything is sent there, and its owner is told of it: whoever took
an account over cannot turn its money round at once. A place that a payout names without having been saved counts as added in that moment; an
account that is completed at its gateway counts as added when it is ready first. Rows are written under the lock of their owner's row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from marketplace.accounts.services import user_locked
from marketplace.core import clock, events, features
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.money import Money
from marketplace.core.policies import Actor, one_of
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from . import selectors
from .models import Payout, PayoutMethod
from .providers import gateway, gateways
from .providers.sandbox import Sandbox
from .states import PAYOUT_METHOD


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


def told_of(row: PayoutMethod) -> dict[str, Any]:
    """What the events of a place say of it."""
    return {"user_id": row.user_id, "provider": row.provider, "label": row.label}


# --- reading
def methods_of(user_id: int) -> QuerySet[PayoutMethod]:
    """The places that somebody uses now, or is completing."""
    return PayoutMethod.objects.filter(user=user_id, removed_at__isnull=True)


def method_for(actor: Actor, method_id: int) -> PayoutMethod:
    """One of the actor's own. Raises NotFound."""
    return one_of(methods_of(actor.pk), method_id, "payout method")


def require_ready(row: PayoutMethod) -> None:
    """Raise Conflict("payout_method_not_ready") while nothing can be paid to it."""
    if row.state != "ready":
        raise Conflict(
            "payout_method_not_ready", f"{row.provider} does not pay to this account now ({row.state}): complete it there first."
        )


def place_of(actor: Actor, method_id: int | None) -> tuple[str, dict[str, Any]]:
    """Gateway and details of a payout to that place, or to the default one; the test bank where there is neither that nor a gateway but the
    sandbox. Raises NotFound, Conflict("payout_place_missing" | "payout_method_not_ready")."""
    found = methods_of(actor.pk).filter(is_default=True).first() if method_id is None else method_for(actor, method_id)
    if found is not None:
        require_ready(found)
        return found.provider, found.details
    if set(gateways()) != {Sandbox.name}:
        raise Conflict("payout_place_missing", "Say where the money shall go: name one of your places, or make one your default.")
    return Sandbox.name, {"token": "bank_ok"}


def place_named(method: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Gateway and details of a place that a payout describes instead of naming a saved one: only the sandbox has such. Raises InvalidInput."""
    if Sandbox.name not in gateways() or (method and not {"token", "iban"} & set(method)):
        text = "Save this place first among the places to be paid (me/payout-methods), then name it by method_id."
        raise InvalidInput(
            "payout_place_unsaved", text, {"method_id": ["Needed here: only a place of the test gateway is taken as method."]}
        )
    return Sandbox.name, dict(method)


def takes_money(*, user_id: int, provider: str, details: Mapping[str, Any]) -> bool:
    """Whether a payout can be sent to the place now: where the gateway asks questions of its own, only while the account is ready."""
    if not gateway(provider).capabilities().onboards:
        return True
    return methods_of(user_id).filter(digest=digest_of(provider, details), state="ready").exists()


# --- adding
@unit_of_work
def payout_method_add(*, actor: Any, provider: str, method: Mapping[str, Any], country: str = "") -> PayoutMethod:
    """Keep a place to be paid, as the gateway's adapter checks it; where the gateway asks questions of its own, begin an account there, which
    `payout_method_onboard` goes on with. The same place, or the same gateway's account, again is the same row.

    `country`, else that of the profile, is where the payee lives. Raises InvalidInput for a gateway, country or details that cannot be paid
    to, Conflict("payout_methods_many").
    """
    asked = gateway(provider)
    able = asked.capabilities()
    country = country or actor.country
    if not able.pays_out:
        raise InvalidInput("gateway_cannot", f"{provider} does not pay out here. Choose another way.", {"provider": ["Does not pay out."]})
    details = {} if able.onboards else asked.check_method(method, purpose="payout")
    if able.payee_countries and country not in able.payee_countries:
        where = "your country" if country else "somebody whose country it does not know: say it in your profile"
        raise InvalidInput("gateway_not_there", f"{provider} does not pay out to {where}.", {"country": ["Not served by this gateway."]})
    user_locked(actor.pk)
    return _begun(actor.pk, provider, country) if able.onboards else known_method(user_id=actor.pk, provider=provider, details=details)


def known_method(*, user_id: int, provider: str, details: Mapping[str, Any]) -> PayoutMethod:
    """The row of a checked place that can be paid to, added now when it is not there; the user's row is locked.

    An account at a gateway with questions of its own is never added by naming it. Raises Conflict("payout_method_not_ready" |
    "payout_methods_many").
    """
    mine = PayoutMethod.objects.filter(user=user_id)
    if not mine.exists():
        _paid_before(user_id)
    there = mine.filter(digest=digest_of(provider, details)).first()
    if there is not None and there.removed_at is None:
        require_ready(there)
        return there
    if gateway(provider).capabilities().onboards:
        text = f"This is not an account of yours that {provider} pays to now: connect it or complete it first."
        raise Conflict("payout_method_not_ready", text)
    row = _saved(there or PayoutMethod(user_id=user_id, provider=provider), details)
    make_ready(row, role="owner", actor_id=user_id)
    return row


def _begun(user_id: int, provider: str, country: str) -> PayoutMethod:
    """The account at the gateway that the user has or begins now: one at a time."""
    there = methods_of(user_id).filter(provider=provider).first()
    if there is not None:
        return there
    left = PayoutMethod.objects.filter(user=user_id, digest=digest_of(provider, {})).first()
    row = _saved(left or PayoutMethod(user_id=user_id, provider=provider), {}, country)
    if left is not None:
        move(row, PAYOUT_METHOD, "begin", role="owner", actor_id=user_id, also=["removed_at"], extra=told_of(row))
    else:
        events.record(aggregate=row, kind="payout_method.begin", actor_id=user_id, after=told_of(row))
    return row


def _saved(row: PayoutMethod, details: Mapping[str, Any], country: str = "") -> PayoutMethod:
    """The row with these details; one that was removed stays so until its next move."""
    if methods_of(row.user_id).count() >= settings.PAYOUT_METHODS_MOST:
        raise Conflict("payout_methods_many", f"You have {settings.PAYOUT_METHODS_MOST} places to be paid. Remove one first.")
    named(row, details)
    row.country, row.added_at, row.checked_at, row.due = country, clock.now(), None, []
    row.save()
    row.removed_at = None
    return row


def named(row: PayoutMethod, details: Mapping[str, Any]) -> None:
    """Set what the place is, with its digest and label."""
    row.details, row.digest, row.label = dict(details), digest_of(row.provider, details), label_of(row.provider, details)


def make_ready(row: PayoutMethod, *, role: str, actor_id: int | None) -> None:
    """A place can be paid to from now on: it waits where there was another one, and is the default where there is none."""
    now = clock.now()
    others = PayoutMethod.objects.filter(user=row.user_id, usable_at__isnull=False)
    # also of the place itself, removed and added again: whoever took the account over may have had it in hand before
    wait = timedelta(hours=features.number("PAYOUT_METHOD_WAIT_HOURS")) if others.exists() else timedelta(0)
    row.added_at, row.usable_at = now, now + wait
    row.is_default = not methods_of(row.user_id).filter(state__in=("ready", "restricted")).exclude(pk=row.pk).exists()
    also = ["added_at", "usable_at", "is_default", "removed_at"]
    told = {**told_of(row), "usable_at": row.usable_at.isoformat()}
    move(row, PAYOUT_METHOD, "add_another" if wait else "add", role=role, actor_id=actor_id, also=also, extra=told)


def _paid_before(user_id: int) -> None:
    """Places to which somebody was paid before places were kept; the last one is the default."""
    asking = {name for name, there in gateways().items() if there.capabilities().onboards}
    paid = Payout.objects.filter(payee=user_id, state="paid").exclude(provider__in=asking).order_by("id")
    last = None
    for provider, details, at in paid.values_list("provider", "method", "created_at"):
        row = {"provider": provider, "details": details, "label": label_of(provider, details), "added_at": at, "usable_at": at}
        values = {**row, "state": "ready"}
        last, _ = PayoutMethod.objects.get_or_create(user_id=user_id, digest=digest_of(provider, details), defaults=values)
    if last is not None:
        PayoutMethod.objects.filter(pk=last.pk).update(is_default=True)


@unit_of_work
def payout_method_default(*, actor: Actor, method_id: int) -> PayoutMethod:
    """Make it the one that payouts go to when they name none. Raises NotFound, Conflict while nothing can be paid to it."""
    user_locked(actor.pk)
    row = method_for(actor, method_id)
    require_ready(row)
    if not row.is_default:
        methods_of(actor.pk).filter(is_default=True).update(is_default=False)
        row.is_default = True
        row.save(update_fields=["is_default"])
        events.record(aggregate=row, kind="payout_method.default", actor_id=actor.pk, after=told_of(row))
    return row


# --- the smallest payout
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
