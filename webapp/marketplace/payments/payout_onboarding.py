"""Places to be paid to that are completed at their gateway, on its own page, and how far their owners are with that.

The account is there from the first call on, and the gateway says when it is ready, and when it asks for more. Nothing that it says is believed
of a notification: it is asked.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from marketplace.accounts.services import user_locked
from marketplace.core import clock
from marketplace.core.errors import InvalidInput
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction

from .gateways import require_no_transaction
from .models import PayoutMethod
from .payout_methods import make_ready, method_for, named, told_of
from .payouts import place_end
from .providers import gateway
from .providers.base import FetchedPayee, Onboarding
from .states import PAYOUT_METHOD


def payout_method_onboard(*, actor: Any, method_id: int) -> Onboarding:
    """A fresh page of the gateway where the payee completes the account; good for minutes and for them alone.

    Not to be called inside a transaction. Raises NotFound, InvalidInput where there is no such page, Unavailable (ask again).
    """
    row = method_for(actor, method_id)
    asked = gateway(row.provider)
    if not asked.capabilities().onboards:
        raise InvalidInput("gateway_cannot", f"{row.provider} asks nothing more of you: the place is {row.state}.")
    require_no_transaction()
    page = f"{settings.BASE_URL}/settings/payouts?method={row.pk}"
    made = asked.onboard_payee(
        key=f"payee:{row.pk}:{actor.public_id}",
        country=row.country,
        email=actor.email,
        return_url=f"{page}&done=1",
        refresh_url=f"{page}&again=1",
        ref=row.ref,
    )

    def keep() -> None:
        kept = _locked(row.pk)
        if kept.ref is None:
            kept.ref = made.ref
            named(kept, {"account": made.ref})
            kept.save(update_fields=["ref", "details", "digest", "label"])

    run_in_transaction(keep)
    return made


def _locked(method_id: int) -> PayoutMethod:
    """The place, locked after its owner, and read again."""
    user_locked(PayoutMethod.objects.values_list("user_id", flat=True).get(pk=method_id))
    return PayoutMethod.objects.select_for_update().get(pk=method_id)


def payout_method_refresh(*, method_id: int) -> PayoutMethod:
    """Ask the gateway how far the payee is and apply it. Not to be called inside a transaction. Raises Unavailable."""
    row = PayoutMethod.objects.get(pk=method_id)
    if row.ref is None or row.state == "removed":
        return row
    require_no_transaction()
    fetched = gateway(row.provider).fetch_payee(ref=row.ref)
    return run_in_transaction(lambda: _apply(method_id, fetched))


def payout_method_heard(*, provider: str, ref: str) -> bool:
    """A gateway has news of a payee; whether it is one of ours. Not to be called inside a transaction. Raises Unavailable."""
    found = PayoutMethod.objects.filter(provider=provider, ref=ref).values_list("pk", flat=True).first()
    if found is None:
        return False
    payout_method_refresh(method_id=found)
    return True


def _apply(method_id: int, fetched: FetchedPayee | None) -> PayoutMethod:
    row = _locked(method_id)
    if row.state == "removed":
        return row
    row.checked_at = clock.now()
    row.due = [] if fetched is None else list(fetched.due)[:50]
    row.save(update_fields=["checked_at", "due"])
    if fetched is None:
        place_end(row, "disconnect", role="system", actor_id=None)
    elif fetched.ready and row.state == "onboarding":
        make_ready(row, role="system", actor_id=None)
    elif fetched.ready and row.state == "restricted":
        move(row, PAYOUT_METHOD, "enable", role="system", actor_id=None, extra=told_of(row))
    elif not fetched.ready and row.state == "ready":
        move(row, PAYOUT_METHOD, "restrict", role="system", actor_id=None, extra=told_of(row))
    return row
