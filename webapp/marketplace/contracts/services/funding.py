"""Money into a milestone's hold: by a payment through a gateway, or from what already lies in the client's wallet."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from marketplace.accounts.models import User
from marketplace.core import clock, events, features
from marketplace.core.errors import Conflict, DomainError
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments import selectors as money
from marketplace.payments import services as payments

from .. import policies
from ..models import Contract, Milestone
from ..selectors import milestone_for, milestone_locked
from ..states import MILESTONE

if TYPE_CHECKING:
    from marketplace.payments.models import Payment
    from marketplace.payments.services import Charge

#: the "provider" that needs no gateway: the client's own wallet
WALLET = "wallet"


def milestone_fund(
    *, actor: User, milestone_id: int, provider: str, method: dict[str, Any], idempotency_key: str, quote_id: int | None = None
) -> tuple[Payment | None, Milestone]:
    """The client pays for a milestone, their fee and its tax on top: payment (None from the wallet) and milestone as they stand afterwards.

    The same key again continues the same payment, whatever a crash left undone, and never charges twice. When a payment succeeds but
    the milestone can no longer be funded, the money stays in the client's wallet and `milestone.funding_refused` says why.
    With a quote (payments.services.exchange_quote) for that total the client pays its price in the other currency, which is
    exchanged in the transaction that puts the money into the hold; a payment begun in time keeps the price, and one that was refused leaves
    it for the next.
    A payment that the gateway still works on funds the milestone when its success arrives. Not to be called inside a transaction.
    Raises NotFound, NotAllowed, Conflict, and what payments.services.payment_start raises.
    """
    milestone = milestone_for(actor, milestone_id)
    policies.require_role(milestone.contract, actor, "client", "milestone_fund")
    features.require_on("FUNDING_OPEN", "Milestones cannot be funded at the moment. Nothing was charged: please try again later.")
    if provider == WALLET:
        return None, _fund_from_wallet(actor=actor, milestone_id=milestone_id, quote_id=quote_id)
    key = f"milestone:{milestone_id}:{hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]}"
    again = money.payments_visible_to(actor).filter(idempotency_key=key).first()
    if again is None and (why := _why_not(milestone.contract, milestone)):
        raise Conflict("milestone_fund_impossible", why)
    charge = fund_charge(milestone.contract, milestone)
    if quote_id is not None:
        amount = payments.exchange_lock(actor=actor, quote_id=quote_id, buy=charge.total, payment_key=key, provider=provider)
    elif again is not None and charge.fee:  # the tax may be another one by now: it goes on with what it asked for
        amount = Money(again.amount_minor, again.currency)
    else:
        amount = payments.client_payable(charge, provider)
    try:
        payment = payments.payment_start(
            actor_id=actor.pk,
            amount=amount,
            purpose="milestone",
            purpose_id=milestone_id,
            method=method,
            idempotency_key=key,
            provider=provider,
        )
    except DomainError:
        if quote_id is not None:  # refused before there was a payment: the price is there for the next try
            payments.exchange_unlock(actor=actor, quote_id=quote_id, payment_key=key)
        raise
    if payment.state == "succeeded":
        milestone_take_payment(milestone_id=milestone_id, payment_id=payment.pk)
    return payment, milestone_for(actor, milestone_id)


def fund_charge(contract: Contract, milestone: Milestone) -> Charge:
    """What the client pays to fund the milestone now: its amount, and their fee and its tax on top by the contract's schedule."""
    amount = Money(milestone.amount_minor, milestone.currency)
    return payments.client_quote(payer_id=contract.client_id, amounts=[amount], fee_schedule=contract.fee_schedule)[0]


def _why_not(contract: Contract, milestone: Milestone) -> str:
    """Why the milestone cannot be funded now; empty when it can."""
    if contract.state != "active":
        return f"The contract is {contract.state}; only milestones of an active contract are funded."
    if milestone.state != "planned":
        return f"The milestone is {milestone.state.replace('_', ' ')} already."
    if milestone.due_at is not None:
        opens = milestone.due_at - timedelta(days=settings.FUND_AHEAD_DAYS)
        if clock.now() < opens:
            return (
                f"This milestone is due on {milestone.due_at:%Y-%m-%d}, more than {settings.FUND_AHEAD_DAYS} days ahead: money is held only so "
                f"long. Fund it from {opens:%Y-%m-%d %H:%M} UTC on."
            )
    return ""


@unit_of_work
def milestone_take_payment(*, milestone_id: int, payment_id: int) -> Milestone:
    """Put a succeeded payment of the client into the milestone's hold and make it funded, in one transaction.

    Safe to run any number of times for one payment. When the milestone cannot take the money (any more), the money stays in the
    wallet and one event `milestone.funding_refused` tells both sides why.
    """
    contract, milestone = milestone_locked(milestone_id)
    if milestone.payment_id == payment_id:
        return milestone
    why = _why_not(contract, milestone)
    if not why:
        try:
            with transaction.atomic():  # a refused hold must leave nothing of itself behind, but the refusal is recorded
                payments.exchange_for_payment(payment_id=payment_id, wanted=milestone.currency)
                put_in_hold(contract, milestone, payment_id=payment_id, rule="client_funding")
        except Conflict as e:
            if e.code not in ("insufficient_funds", "quote_gone"):
                raise
            milestone.refresh_from_db()
            why = (
                e.message
                if e.code == "quote_gone"
                else "The client's wallet no longer holds the amount and the fee on it."
                if fund_charge(contract, milestone).fee
                else "The client's wallet no longer holds the amount."
            )
    if why and not _refused_before(milestone, payment_id):
        events.record(
            aggregate=milestone,
            kind="milestone.funding_refused",
            actor_id=None,
            after={"payment_id": payment_id, "amount_minor": milestone.amount_minor, "currency": milestone.currency},
            reason=f"{why} The money is in the client's wallet."[:500],
        )
    return milestone


def _refused_before(milestone: Milestone, payment_id: int) -> bool:
    label = events.aggregate_name(milestone)
    told = Event.objects.filter(aggregate_type=label, aggregate_id=milestone.pk, kind="milestone.funding_refused")
    return any(e.after.get("payment_id") == payment_id for e in told)


@unit_of_work
def _fund_from_wallet(*, actor: User, milestone_id: int, quote_id: int | None) -> Milestone:
    contract, milestone = milestone_locked(milestone_id)
    if why := _why_not(contract, milestone):
        raise Conflict("milestone_fund_impossible", why)
    if quote_id is not None:
        payments.exchange_make(actor=actor, quote_id=quote_id)
    put_in_hold(contract, milestone, payment_id=None, rule="client_funding_wallet")
    return milestone


def put_in_hold(contract: Contract, milestone: Milestone, *, payment_id: int | None, rule: str) -> None:
    """Wallet → hold, the client's fee on top, and the locked planned milestone is funded. Raises Conflict("insufficient_funds") when the wallet has less."""
    amount = Money(milestone.amount_minor, milestone.currency)
    payments.hold(
        contract_id=contract.pk,
        milestone_id=milestone.pk,
        payer_id=contract.client_id,
        amount=amount,
        actor_id=contract.client_id,
        rule=rule,
        fee_schedule=contract.fee_schedule,
    )
    milestone.funded_at = clock.now()
    milestone.payment_id = payment_id
    move(
        milestone,
        MILESTONE,
        "fund",
        role="client",
        actor_id=contract.client_id,
        also=["funded_at", "payment_id"],
        extra={"amount_minor": amount.minor, "currency": amount.currency},
    )
