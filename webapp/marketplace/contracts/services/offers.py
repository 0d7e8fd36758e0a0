"""From a proposal to an agreement, and out of it while no money is held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F

from marketplace.accounts.models import User
from marketplace.accounts.selectors import is_suspended
from marketplace.core import clock, events, features
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.jobs import services as jobs
from marketplace.payments.services import Quote, quote_make

from .. import policies, terms
from ..models import Contract, CounterOffer, Milestone, Offer
from ..selectors import contract_for, contract_locked
from ..states import CONTRACT, COUNTER_OFFER, FUNDED_STATES, MILESTONE
from .ending import end_if_done
from .refunds import ask_back_everything
from .weeks import end_later_weeks, hours_agree, stop_weeks, weekly_price, weeks_begin


@unit_of_work
def offer_make(
    *, actor: User, proposal_id: int, milestones: Sequence[object] | None = None, weekly_cap_minutes: int | None = None
) -> Contract:
    """The client offers a contract on a proposal: the given milestones, else the proposal's own, else one for the whole price.

    For a fixed price they sum to exactly the proposed amount. For an hourly job the client names how many minutes a week may be worked at
    the proposed rate (the contract's total is then what a full week costs), or else milestones (blocks of work at the proposed rate), whose
    sum is the contract's total. It stands OFFER_EXPIRES_DAYS, with the fee schedule that the bid was quoted.
    Raises NotFound, NotAllowed, Conflict from the proposal's state, InvalidInput naming each milestone field at fault.
    """
    proposal = jobs.proposal_offer(actor=actor, proposal_id=proposal_id)
    job = proposal.job
    hourly = job.pricing == "hourly"
    whole = {"title": job.title, "amount_minor": proposal.amount_minor, "due_in_days": proposal.delivery_days, "acceptance": []}
    if milestones is None and weekly_cap_minutes is None and hourly:
        message = "Name weekly_cap_minutes for an hourly contract, or else its milestones."
        raise InvalidInput("milestones_invalid", message, {"weekly_cap_minutes": [message], "milestones": [message]})
    if weekly_cap_minutes is not None and (milestones is not None or not hourly):
        message = "A weekly cap belongs to an hourly job, and to an offer without milestones."
        raise InvalidInput("weekly_cap_invalid", message, {"weekly_cap_minutes": [message]})
    agreed, total_minor = [], 0
    if weekly_cap_minutes is None:
        agreed = terms.read(
            (proposal.milestones or [whole]) if milestones is None else milestones,
            currency=proposal.currency,
            total_minor=None if hourly else proposal.amount_minor,
        )
        total_minor = sum(t.amount_minor for t in agreed)
    else:
        total_minor = weekly_price(weekly_cap_minutes=weekly_cap_minutes, rate_minor=proposal.amount_minor, currency=proposal.currency)
    now = clock.now()
    contract = Contract.objects.create(
        job=job,
        proposal=proposal,
        client_id=job.client_id,
        freelancer_id=proposal.freelancer_id,
        pricing=job.pricing,
        title=job.title,
        currency=proposal.currency,
        payee_currency=proposal.quote["payee_net"]["currency"],
        total_minor=total_minor,
        fee_schedule=proposal.quote["fee_schedule"],
        offered_at=now,
    )
    if weekly_cap_minutes is not None:
        hours_agree(contract, weekly_cap_minutes=weekly_cap_minutes, rate_minor=proposal.amount_minor)
    lay_terms(contract, agreed, now)
    quote = quote_make(
        gross=_gross(contract),
        payee_currency=contract.payee_currency,
        fee_schedule=contract.fee_schedule,
        payee_id=contract.freelancer_id,
    )
    until = now + timedelta(days=features.number("OFFER_EXPIRES_DAYS"))
    Offer.objects.create(contract=contract, quote=quote_of(quote, agreed), made_at=now, expires_at=until, open_until=until)
    events.record(
        aggregate=contract,
        kind="contract.offer",
        actor_id=actor.pk,
        after={"state": contract.state, "total_minor": contract.total_minor, "currency": contract.currency, "milestones": len(agreed)},
    )
    return contract


def lay_terms(contract: Contract, agreed: list[terms.Term], now: datetime) -> None:
    """Make the milestones of a contract that is not accepted yet these ones: rows are rewritten in their order, added, or taken away."""
    there = list(contract.milestones.order_by("position"))
    for position, term in enumerate(agreed, start=1):
        milestone = there[position - 1] if position <= len(there) else Milestone(contract=contract, position=position)
        milestone.title, milestone.acceptance = term.title, list(term.acceptance)
        milestone.amount_minor, milestone.currency = term.amount_minor, contract.currency
        milestone.due_at = now + timedelta(days=term.due_in_days) if term.due_in_days else None
        milestone.save()
    for milestone in there[len(agreed) :]:
        milestone.tasks.all().delete()  # its board was open to both sides already, and goes with it
        milestone.delete()


def quote_of(quote: Quote, agreed: Sequence[terms.Term]) -> dict[str, object]:
    """The quote as an offer keeps it: the money clears after the last milestone's day."""
    return quote.stored(delivered_in_days=max((t.due_in_days or 0 for t in agreed), default=0))


def _gross(contract: Contract) -> Money:
    return Money(contract.total_minor, contract.currency)


@unit_of_work
def offer_accept(*, actor: User, contract_id: int, revision: int | None = None) -> Contract:
    """The freelancer accepts: the contract is active, the proposal accepted, the job filled. Due dates count from now; the contract keeps the
    fee schedule that the offer was quoted, whatever holds today.

    Raises Conflict("offer_expired") from the offer's last instant on, Conflict("offer_changed") when `revision` is given and is not the
    offer's, Conflict("client_away") while the client is suspended: the offer waits until its day.
    """
    policies.role_in(contract_for(actor, contract_id), actor)
    contract = contract_locked(contract_id)
    now = clock.now()
    offer = Offer.objects.filter(contract=contract).first()
    if contract.state == "offered" and offer is not None:
        if offer.expires_at <= now:
            raise Conflict("offer_expired", "This offer has run out. Ask the client for a new one.")
        if revision is not None and revision != offer.revision:
            raise Conflict("offer_changed", "The terms of this offer have changed since you read them. Reload and read them again.")
        if is_suspended(contract.client_id):
            raise Conflict("client_away", "This client cannot begin a contract at the moment. You may wait, or decline the offer.")
        due_from = offer.made_at
    else:
        due_from = contract.offered_at
    contract.started_at = now
    waited = now - due_from
    move(contract, CONTRACT, "accept", role=policies.role_in(contract, actor), actor_id=actor.pk, also=["started_at"])
    contract.milestones.filter(due_at__isnull=False).update(due_at=F("due_at") + waited)
    weeks_begin(contract)
    _close_offer(contract, "The offer was accepted.")
    jobs.proposal_accept(actor=actor, proposal_id=contract.proposal_id)
    return contract


@unit_of_work
def offer_decline(*, actor: User, contract_id: int, reason: str = "") -> Contract:
    """The freelancer declines the offer, with a reason that the client reads: contract and planned milestones are cancelled, the proposal is
    declined."""
    policies.role_in(contract_for(actor, contract_id), actor)
    contract = contract_locked(contract_id)
    _cancel_offer(contract, actor, "decline", reason)
    return contract


@unit_of_work
def offer_expire(*, contract_id: int) -> bool:
    """The clock's act: an offer without an answer ends at its instant; contract and milestones are cancelled, the proposal expires.

    Says whether it ended here: running it twice, or on an answered offer, changes nothing.
    """
    contract = contract_locked(contract_id)
    offer = Offer.objects.get(contract=contract)
    if contract.state != "offered" or offer.expires_at > clock.now():
        return False
    _cancel_offer(contract, None, "expire", "The offer ran out without an answer.")
    return True


@unit_of_work
def contract_cancel(*, actor: User, contract_id: int, reason: str = "", ask_refund: bool = False) -> Contract:
    """End a contract early. The client takes back an offer, with a reason that the freelancer reads; either side ends an active contract while no money is held.

    Planned milestones are cancelled. The contract is completed when some milestone was paid for, else cancelled.
    With `ask_refund` the client also ends one whose milestones hold money: each hold is asked back (services.refunds), and the contract ends by
    itself with the last of them. Raises Conflict("funds_held") while a milestone holds money otherwise.
    """
    policies.role_in(contract_for(actor, contract_id), actor)
    contract = contract_locked(contract_id)
    if contract.state == "offered":
        _cancel_offer(contract, actor, "cancel", reason)
        return contract
    role = policies.role_in(contract, actor)
    if contract.state != "active":
        raise Conflict("contract_cancel_impossible", f"This contract is {contract.state}: there is nothing to cancel.")
    held = contract.milestones.filter(state__in=(*FUNDED_STATES, "disputed")).exists()
    if held and not ask_refund:
        raise Conflict("funds_held", "A milestone still holds money: have it approved, given back or settled before you end the contract.")
    if held:
        policies.require_role(contract, actor, "client", "refund_request")
        if not reason.strip():
            raise InvalidInput("reason_required", "Say why you ask for the money.", {"reason": ["Say why you ask for the money."]})
        ask_back_everything(contract, actor, reason.strip())
    stop_weeks(contract)
    end_later_weeks(contract, actor_id=actor.pk, role=role, reason=reason)
    _cancel_planned(contract, actor.pk, role, reason)
    end_if_done(contract, actor_id=actor.pk, reason=reason)
    return contract


def _cancel_offer(contract: Contract, actor: User | None, action: str, reason: str) -> None:
    role = "system" if actor is None else policies.role_in(contract, actor)
    actor_id = None if actor is None else actor.pk
    contract.ended_at = clock.now()
    move(contract, CONTRACT, action, role=role, actor_id=actor_id, reason=reason, also=["ended_at"])
    _cancel_planned(contract, actor_id, role, reason)
    _close_offer(contract, "The offer ended.")
    jobs.proposal_offer_decline(actor=actor, proposal_id=contract.proposal_id, reason=reason)


def _close_offer(contract: Contract, reason: str) -> None:
    """The offer got its answer: its clock stops, and a counter-offer that is still open lapses."""
    Offer.objects.filter(contract=contract).update(open_until=None)
    for counter in CounterOffer.objects.filter(live_key=contract.pk):
        counter.live_key, counter.decided_at, counter.reason = None, clock.now(), reason
        also = ["live_key", "decided_at", "reason"]
        move(counter, COUNTER_OFFER, "lapse", role="system", actor_id=None, reason=reason, also=also)


def _cancel_planned(contract: Contract, actor_id: int | None, role: str, reason: str) -> None:
    for milestone in contract.milestones.filter(state="planned").order_by("position"):
        move(milestone, MILESTONE, "cancel", role=role, actor_id=actor_id, reason=reason)
