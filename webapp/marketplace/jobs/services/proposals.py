"""Proposals: bidding, the client's reading and choosing, and the receipt that the freelancer keeps."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from marketplace.accounts.models import User
from marketplace.accounts.selectors import freelancer_profile_of
from marketplace.core import clock, events, ports
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed
from marketplace.core.money import Money
from marketplace.core.policies import one_of, require
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments.services import Quote, quote_make

from ..models import Job, Proposal
from ..policies import jobs_visible_to, role_in_proposal
from ..states import JOB, LIVE_PROPOSAL_STATES, PROPOSAL
from .locks import job_locked_for, proposal_locked, proposal_locked_for
from .terms import check_bid_whole, checked_bid, one_milestone

BEFORE_OFFER = LIVE_PROPOSAL_STATES - {"offered"}


def quote_for(*, actor: User, job_id: int, amount_minor: int, currency: str) -> Quote:
    """What a bid of this amount would bring its freelancer: fee, tax, net, rate and clearing. Stores nothing.

    Raises InvalidInput, NotFound, NotAllowed without a freelancer profile.
    """
    job = one_of(jobs_visible_to(actor), job_id, "job")
    values = checked_bid(job, {"amount_minor": amount_minor, "currency": currency})
    return quote_make(gross=Money(values["amount_minor"], values["currency"]), payee_currency=_payee_currency(actor))


@unit_of_work
def proposal_submit(
    *,
    actor: User,
    job_id: int,
    cover_letter: str,
    amount_minor: int,
    currency: str,
    delivery_days: int | None = None,
    milestones: list[dict[str, Any]] | None = None,
    answers: list[str] | None = None,
) -> Proposal:
    """A freelancer's bid on an open post, with the quote it was made under. Amounts in minor units of the job's currency.

    Raises NotFound when the post is not visible, Conflict("job_not_open"), Conflict("proposal_exists") for a second live bid,
    NotAllowed for the own post or without a freelancer profile, InvalidInput with every wrong field.
    """
    job = job_locked_for(actor, job_id)
    payee_currency = _payee_currency(actor)
    require(job.client_id != actor.pk, "job_own", "This is your own post: you cannot bid on it.")
    now = clock.now()
    if job.state != "open" or (job.expires_at is not None and job.expires_at <= now):
        raise Conflict("job_not_open", "This post takes no proposals any more.")
    live_key = f"{job.pk}:{actor.pk}"
    if Proposal.objects.filter(live_key=live_key).exists():
        raise _second_bid()
    given = {"cover_letter": cover_letter, "amount_minor": amount_minor, "currency": currency, "delivery_days": delivery_days}
    values = checked_bid(job, {**given, "milestones": milestones or [], "answers": answers or []})
    if not values["milestones"] and job.pricing == Job.Pricing.FIXED:
        values["milestones"] = one_milestone(job, values["amount_minor"], values["delivery_days"])
    proposal = Proposal(job=job, freelancer=actor, live_key=live_key, submitted_at=now, **values)
    check_bid_whole(job, proposal)
    decision = ports.fraud_decision.first(act="proposal", actor_id=actor.pk, subject_type="job", subject_id=job.pk)
    if decision.verdict == "block":
        raise NotAllowed("proposal_blocked", f"This proposal breaks our rules ({', '.join(decision.reasons)}).")
    proposal.quote = _stored(quote_make(gross=Money(proposal.amount_minor, proposal.currency), payee_currency=payee_currency))
    try:
        with transaction.atomic():
            proposal.save()
    except IntegrityError as e:
        raise _second_bid() from e
    job.proposal_count += 1
    job.save(update_fields=["proposal_count"])
    after = {"state": proposal.state, "job_id": job.pk, "amount_minor": proposal.amount_minor, "currency": proposal.currency}
    events.record(aggregate=proposal, kind="proposal.submit", actor_id=actor.pk, after=after, reason=", ".join(decision.reasons))
    return proposal


@unit_of_work
def proposal_update(*, actor: User, proposal_id: int, **terms: Any) -> Proposal:
    """Change the terms of an own bid that nobody has opened yet; a new quote is stored. The cover letter stays as it was sent.

    Raises Conflict once the client has seen it, InvalidInput for the cover letter or a wrong term.
    """
    proposal = proposal_locked_for(actor, proposal_id)
    require(proposal.freelancer_id == actor.pk, "proposal_not_yours", "Only the freelancer who sent this proposal can change it.")
    if "cover_letter" in terms:
        raise InvalidInput("cover_letter_fixed", "A cover letter that was sent stays as it is.", {"cover_letter": ["Cannot be changed."]})
    if proposal.state != "submitted":
        raise Conflict("proposal_seen", "The client has already opened this proposal: withdraw it and send a new one.")
    values = checked_bid(proposal.job, terms)
    before = {name: getattr(proposal, name) for name in values}
    for name, value in values.items():
        setattr(proposal, name, value)
    if "amount_minor" in values and "milestones" not in values and len(proposal.milestones) == 1:
        proposal.milestones = [{**proposal.milestones[0], "amount_minor": proposal.amount_minor}]
    check_bid_whole(proposal.job, proposal)
    gross = Money(proposal.amount_minor, proposal.currency)
    proposal.quote = _stored(quote_make(gross=gross, payee_currency=_payee_currency(actor)))
    proposal.save(update_fields=sorted({*values, "milestones", "quote"}))
    events.record(aggregate=proposal, kind="proposal.update", actor_id=actor.pk, before=before, after=values)
    return proposal


@unit_of_work
def proposal_see(*, actor: User, proposal_id: int) -> Proposal:
    """The client opened it: submitted → seen, with the time. Later openings, and anybody else's, change nothing."""
    proposal = proposal_locked_for(actor, proposal_id)
    if role_in_proposal(actor, proposal) == "client" and proposal.state == "submitted":
        _seen_now(proposal)
        move(proposal, PROPOSAL, "see", role="client", actor_id=actor.pk, also=["first_seen_at"])
    return proposal


@unit_of_work
def proposal_shortlist(*, actor: User, proposal_id: int) -> Proposal:
    """The client keeps it in the narrower choice."""
    proposal = proposal_locked_for(actor, proposal_id)
    role = role_in_proposal(actor, proposal)
    _seen_now(proposal)
    proposal.shortlisted_at = clock.now()
    move(proposal, PROPOSAL, "shortlist", role=role, actor_id=actor.pk, also=["first_seen_at", "shortlisted_at"])
    return proposal


@unit_of_work
def proposal_decline(*, actor: User, proposal_id: int, reason: str) -> Proposal:
    """The client says no before any offer; the reason is required, and the freelancer reads it.

    Raises Conflict("offer_is_out") for an offered proposal: its offer is answered or withdrawn on the contract.
    """
    proposal = proposal_locked_for(actor, proposal_id)
    _refuse_while_offered(proposal)
    if not reason.strip():
        raise InvalidInput("reason_missing", "Say why: the freelancer will read it.", {"reason": ["This is required."]})
    _seen_now(proposal)
    return _end(proposal, "decline", role_in_proposal(actor, proposal), actor.pk, reason)


@unit_of_work
def proposal_withdraw(*, actor: User, proposal_id: int, reason: str = "") -> Proposal:
    """The freelancer takes the bid back and may bid again. Raises Conflict("offer_is_out") for an offered proposal."""
    proposal = proposal_locked_for(actor, proposal_id)
    _refuse_while_offered(proposal)
    return _end(proposal, "withdraw", role_in_proposal(actor, proposal), actor.pk, reason)


@unit_of_work
def proposal_offer(*, actor: User, proposal_id: int) -> Proposal:
    """For contracts, in their transaction: the client chose this bid. One offer at a time is out on a job.

    Raises NotFound, NotAllowed, Conflict("job_not_open"), Conflict("offer_is_out"). Job and proposal stay locked.
    """
    proposal = proposal_locked_for(actor, proposal_id)
    role = role_in_proposal(actor, proposal)
    require(role == "client", "proposal_offer_not_yours", "Only the client who posted the job can make an offer.")
    if proposal.job.state != "open":
        raise Conflict("job_not_open", "This post is not open: no offer can be made on it.")
    if Proposal.objects.filter(job=proposal.job_id, state="offered").exclude(pk=proposal.pk).exists():
        raise Conflict("offer_is_out", "Another offer on this job waits for its answer. Withdraw it first.")
    proposal.offered_at = clock.now()
    _seen_now(proposal)
    move(proposal, PROPOSAL, "offer", role=role, actor_id=actor.pk, also=["offered_at", "first_seen_at"])
    return proposal


@unit_of_work
def proposal_accept(*, actor: User, proposal_id: int) -> Proposal:
    """For contracts, in their transaction: the freelancer took the offer. The job is filled, the other live bids are archived with the reason."""
    proposal = proposal_locked_for(actor, proposal_id)
    _end(proposal, "accept", role_in_proposal(actor, proposal), actor.pk, "")
    job = proposal.job
    job.ended_at = clock.now()
    move(job, JOB, "fill", role="system", actor_id=actor.pk, also=["ended_at"], extra={"proposal_id": proposal.pk})
    end_live_proposals(job, "archive", "The client hired another freelancer.", actor_id=actor.pk)
    return proposal


@unit_of_work
def proposal_offer_decline(*, actor: User | None, proposal_id: int, reason: str = "") -> Proposal:
    """For contracts, in their transaction: the freelancer declined the offer, or the client withdrew it; without an actor, the offer ran out."""
    if actor is None:
        return _end(proposal_locked(proposal_id), "expire", "system", None, reason)
    proposal = proposal_locked_for(actor, proposal_id)
    if proposal.state != "offered":
        raise Conflict("proposal_not_offered", "There is no open offer on this proposal.")
    return _end(proposal, "decline", role_in_proposal(actor, proposal), actor.pk, reason)


def end_live_proposals(job: Job, action: str, reason: str, *, actor_id: int | None) -> None:
    """End every bid still waiting on a job that ended (`action`: archive or expire). The caller holds the job's lock."""
    waiting = Proposal.objects.select_for_update().filter(job=job, state__in=BEFORE_OFFER).order_by("pk")
    for proposal in waiting:
        _end(proposal, action, "system", actor_id, reason)


def _end(proposal: Proposal, action: str, role: str, actor_id: int | None, reason: str) -> Proposal:
    proposal.live_key = None
    proposal.decided_at = clock.now()
    proposal.outcome_reason = reason.strip()[:500]
    also = ["live_key", "decided_at", "outcome_reason", "first_seen_at"]
    extra = {"job_id": proposal.job_id}
    move(proposal, PROPOSAL, action, role=role, actor_id=actor_id, reason=proposal.outcome_reason, also=also, extra=extra)
    return proposal


def _seen_now(proposal: Proposal) -> None:
    proposal.first_seen_at = proposal.first_seen_at or clock.now()


def _refuse_while_offered(proposal: Proposal) -> None:
    if proposal.state == "offered":
        raise Conflict("offer_is_out", "An offer is out on this proposal: answer or withdraw it on the contract.")


def _payee_currency(actor: User) -> str:
    profile = freelancer_profile_of(actor.pk)
    if profile is None:
        raise NotAllowed("freelancer_profile_missing", "Fill in your freelancer profile first: only freelancers send proposals.")
    return profile.currency


def _second_bid() -> Conflict:
    return Conflict("proposal_exists", "You already have a live proposal on this job. Change it, or withdraw it first.")


def _stored(quote: Quote) -> dict[str, Any]:
    amounts = {name: getattr(quote, name) for name in ("gross", "fee", "tax", "net", "payee_net")}
    return {
        **{name: {"minor": m.minor, "currency": m.currency} for name, m in amounts.items()},
        "fee_schedule": quote.fee_schedule,
        "fx_rate_id": quote.fx_rate_id,
        "fx_rate": quote.fx_rate,
        "spread_bps": quote.spread_bps,
        "clears_in_days": quote.clears_in_days,
        "expires_at": quote.expires_at.isoformat(),
    }
