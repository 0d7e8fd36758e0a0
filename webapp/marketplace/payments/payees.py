"""Where payees are paid to through each gateway, and how far they are with it.

Stripe asks its own questions on its own page: the account is there from the first call on, and the gateway says when it is ready, and when it
asks for more. PayPal takes an e-mail address and M-Pesa a phone number: those are ready at once, in the one way in which they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from marketplace.accounts.services import user_locked
from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.policies import Actor
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction, unit_of_work

from . import selectors
from .gateways import require_no_transaction
from .models import PayeeAccount
from .payouts import place_end
from .providers import gateway
from .providers.base import FetchedPayee, Onboarding
from .states import PAYEE_ACCOUNT


def payee_connect(*, actor: Any, provider: str, details: Mapping[str, Any], country: str = "") -> tuple[PayeeAccount, Onboarding | None]:
    """A place to be paid to, and the gateway's page where its owner completes it (None where it is ready as it is).

    The same place again is the same row; a gateway with an onboarding of its own has one account a person, completed by asking again.
    Not to be called inside a transaction. Raises InvalidInput for a gateway, country or details that cannot be paid to,
    Conflict("payee_accounts_many"), Unavailable (ask again).
    """
    require_no_transaction()
    asked = gateway(provider)
    able = asked.capabilities()
    country = country or actor.country
    if not able.pays_out:
        raise InvalidInput("gateway_cannot", f"{provider} does not pay out here. Choose another way.", {"provider": ["Does not pay out."]})
    if able.payee_countries and country not in able.payee_countries:
        where = "your country" if country else "somebody whose country it does not know: say it in your profile"
        raise InvalidInput("gateway_not_there", f"{provider} does not pay out to {where}.", {"country": ["Not served by this gateway."]})
    method = None if able.onboards else asked.check_method(details, purpose="payout")
    row = run_in_transaction(lambda: _intent(actor.pk, provider, country, method))
    return (row, None) if method is not None else payee_onboard(actor=actor, account_id=row.pk)


def _intent(user_id: int, provider: str, country: str, method: dict[str, Any] | None) -> PayeeAccount:
    user_locked(user_id)
    mine = PayeeAccount.objects.select_for_update().filter(user=user_id, removed_at__isnull=True).order_by("pk")
    for row in mine:
        if row.provider == provider and (method is None or row.method == method):
            return row
    if len(mine) >= settings.PAYEE_ACCOUNTS_MOST:
        raise Conflict("payee_accounts_many", f"You have {settings.PAYEE_ACCOUNTS_MOST} places to be paid to. Remove one first.")
    row = PayeeAccount.objects.create(
        user_id=user_id,
        provider=provider,
        country=country,
        method=method or {},
        label=label_of(provider, method or {}),
        created_at=clock.now(),
    )
    if method is not None:
        _enable(row)
    return row


def label_of(provider: str, method: Mapping[str, Any]) -> str:
    """What may be shown of a place: its owner knows it again, nobody else could use it."""
    if "phone" in method:
        return f"+{str(method['phone'])[:3]} … {str(method['phone'])[-3:]}"
    if "email" in method:
        name, _, host = str(method["email"]).partition("@")
        return f"{name[:1]}…@{host}"[:64]
    if "account" in method:
        return f"{provider} … {str(method['account'])[-4:]}"
    return str(method.get("token", provider))[:64]


def payee_onboard(*, actor: Any, account_id: int) -> tuple[PayeeAccount, Onboarding]:
    """A fresh page of the gateway where the payee completes an account; good for minutes and for them alone.

    Not to be called inside a transaction. Raises NotFound, InvalidInput where there is no such page, Unavailable.
    """
    row = selectors.payee_account_for(actor, account_id)
    asked = gateway(row.provider)
    if not asked.capabilities().onboards:
        raise InvalidInput("gateway_cannot", f"{row.provider} asks nothing more of you: the account is {row.state}.")
    require_no_transaction()
    page = f"{settings.BASE_URL}/settings/payouts?account={row.pk}"
    made = asked.onboard_payee(
        key=f"payee:{row.pk}:{actor.public_id}",
        country=row.country,
        email=actor.email,
        return_url=f"{page}&done=1",
        refresh_url=f"{page}&again=1",
        ref=row.ref,
    )

    def keep() -> PayeeAccount:
        kept = _locked(row.pk)
        if kept.ref is None:
            kept.ref, kept.method = made.ref, {"account": made.ref}
            kept.label = label_of(kept.provider, kept.method)
            kept.save(update_fields=["ref", "method", "label"])
        return kept

    return run_in_transaction(keep), made


def _locked(account_id: int) -> PayeeAccount:
    """The account, locked after its owner, and read again."""
    user_locked(PayeeAccount.objects.values_list("user_id", flat=True).get(pk=account_id))
    return PayeeAccount.objects.select_for_update().get(pk=account_id)


def payee_refresh(*, account_id: int) -> PayeeAccount:
    """Ask the gateway how far the payee is and apply it. Not to be called inside a transaction. Raises Unavailable."""
    row = PayeeAccount.objects.get(pk=account_id)
    if row.ref is None or row.state == "removed":
        return row
    require_no_transaction()
    fetched = gateway(row.provider).fetch_payee(ref=row.ref)
    return run_in_transaction(lambda: _apply(account_id, fetched))


def payee_heard(*, provider: str, ref: str) -> bool:
    """A gateway has news of a payee; whether it is one of ours. Not to be called inside a transaction. Raises Unavailable."""
    found = PayeeAccount.objects.filter(provider=provider, ref=ref).values_list("pk", flat=True).first()
    if found is None:
        return False
    payee_refresh(account_id=found)
    return True


def _apply(account_id: int, fetched: FetchedPayee | None) -> PayeeAccount:
    row = _locked(account_id)
    if row.state == "removed":
        return row
    row.checked_at = clock.now()
    if fetched is None:
        _end(row, "disconnect", role="system", actor_id=None)
        return row
    row.due = list(fetched.due)[:50]
    row.save(update_fields=["checked_at", "due"])
    if fetched.ready and row.state != "ready":
        _enable(row)
    elif not fetched.ready and row.state == "ready":
        move(row, PAYEE_ACCOUNT, "restrict", role="system", actor_id=None, extra=_about(row))
    return row


def _enable(row: PayeeAccount) -> None:
    """Also becomes the default where there is none."""
    row.is_default = row.is_default or not PayeeAccount.objects.filter(user=row.user_id, is_default=True).exists()
    move(row, PAYEE_ACCOUNT, "enable", role="system", actor_id=None, also=["is_default"], extra=_about(row))


def _end(row: PayeeAccount, action: str, *, role: str, actor_id: int | None) -> None:
    was_default, row.is_default, row.removed_at = row.is_default, False, clock.now()
    move(row, PAYEE_ACCOUNT, action, role=role, actor_id=actor_id, also=["is_default", "removed_at"], extra=_about(row))
    if row.method:
        place_end(user_id=row.user_id, provider=row.provider, details=row.method, role=role, actor_id=actor_id)
    newest = PayeeAccount.objects.filter(user=row.user_id, state="ready").order_by("-pk").first() if was_default else None
    if newest is not None:
        PayeeAccount.objects.filter(pk=newest.pk).update(is_default=True)


def _about(row: PayeeAccount) -> dict[str, Any]:
    return {"provider": row.provider, "label": row.label}


@unit_of_work
def payee_default(*, actor: Actor, account_id: int) -> PayeeAccount:
    """Make it the one that payouts go to when they name none. Raises NotFound, Conflict while nothing can be paid to it."""
    user_locked(actor.pk)
    selectors.payee_account_ready(actor, account_id)
    row = _locked(account_id)
    PayeeAccount.objects.filter(user=actor.pk, is_default=True).exclude(pk=row.pk).update(is_default=False)
    row.is_default = True
    row.save(update_fields=["is_default"])
    return row


@unit_of_work
def payee_remove(*, actor: Actor, account_id: int) -> None:
    """Be paid there no more: payouts that are not sent fail, what was sent goes on. The account at the gateway is its owner's and stays. Raises NotFound."""
    user_locked(actor.pk)
    selectors.payee_account_for(actor, account_id)
    _end(_locked(account_id), "remove", role="owner", actor_id=actor.pk)


@unit_of_work
def payees_erase(*, user_id: int) -> None:
    """Remove all of somebody's. Safe to repeat."""
    user_locked(user_id)
    for row in PayeeAccount.objects.select_for_update().filter(user=user_id, removed_at__isnull=True).order_by("pk"):
        _end(row, "remove", role="owner", actor_id=user_id)
        PayeeAccount.objects.filter(pk=row.pk).update(method={}, label="", ref=None)
