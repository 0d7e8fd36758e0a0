"""Proposals: bidding, the client's reading and choosing, and the receipt that the freelancer keeps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from marketplace.accounts.models import User
from marketplace.accounts.selectors import freelancer_profile_of, is_suspended
from marketplace.core import clock, events, features, files, ports
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed
from marketplace.core.money import Money
from marketplace.core.policies import one_of, require
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments.services import quote_make

from ..credits import active_rule, cost_of_bid, standing_of
from ..models import Job, Proposal, ProposalOpening, ProposalVersion
from ..policies import jobs_visible_to, role_in_proposal, takes_bids
from ..selectors import PROPOSAL_RANKING, places
from ..states import JOB, LIVE_PROPOSAL_STATES, PROPOSAL
from . import credits
from .locks import job_locked_for, proposal_locked, proposal_locked_for
from .terms import check_bid_whole, checked_bid, one_milestone

BEFORE_OFFER = LIVE_PROPOSAL_STATES - {"offered"}
#: a bid in such a state waits for the client's first answer
UNANSWERED = frozenset({"submitted", "seen"})
MAX_VERSIONS = 50
#: what a version of a bid's terms consists of
TERMS = ("amount_minor", "currency", "delivery_days", "milestones", "answers", "quote")


def quote_for(*, actor: User, job_id: int, amount_minor: int, currency: str, delivery_days: int | None = None) -> dict[str, Any]:
    """All that a bid of this amount would bring its freelancer and cost them: fee, tax, net, rate, the day of clearing, bid credits.
    Stores nothing.

    Raises InvalidInput, NotFound, NotAllowed without a freelancer profile.
    """
    job = one_of(jobs_visible_to(actor), job_id, "job")
    values = checked_bid(job, {"amount_minor": amount_minor, "currency": currency, "delivery_days": delivery_days})
    quote = _quote(actor, Money(values["amount_minor"], values["currency"]), delivery_days)
    rule, standing = active_rule(), standing_of(actor.pk)
    cost = cost_of_bid(job, rule)
    left = {"cost": cost, "balance": standing.balance, "enough": standing.balance >= cost, "next_grant_at": standing.next_grant_at}
    return {**quote, "credits": {**left, "rule": rule.version if rule else ""}}


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
    answers: list[Any] | None = None,
    file_ids: Sequence[int] = (),
) -> Proposal:
    """A freelancer's bid on an open post, with the quote it was made under; it takes its bid credits. Amounts in minor units of the job's
    currency. `file_ids` are own uploads, which the client then reads too.

    Raises NotFound when the post is not visible, Conflict("job_not_open"), Conflict("proposal_exists") for a second live bid,
    Conflict("bid_credits_short"), NotAllowed for the own post or without a freelancer profile, InvalidInput with every wrong field.
    """
    job = job_locked_for(actor, job_id)
    _payee_currency(actor)
    require(job.client_id != actor.pk, "job_own", "This is your own post: you cannot bid on it.")
    now = clock.now()
    if not takes_bids(job, now) or is_suspended(job.client_id):
        raise Conflict("job_not_open", "This post takes no proposals any more.")
    features.require_on("PROPOSALS_OPEN", "Proposals cannot be sent at the moment. Please keep your text and try again later.")
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
    proposal.quote = _quote(actor, Money(proposal.amount_minor, proposal.currency), proposal.delivery_days)
    proposal.answer_due_at = now + timedelta(days=settings.GHOSTED_AFTER_DAYS)
    rule = active_rule()
    proposal.bid_credits = cost_of_bid(job, rule)
    account = credits.account_to_spend(actor.pk, proposal.bid_credits) if proposal.bid_credits else None
    try:
        with transaction.atomic():
            proposal.save()
    except IntegrityError as e:
        raise _second_bid() from e
    if account is not None and rule is not None:
        credits.spend(account, proposal, rule)
    files.attach(actor=actor, file_ids=file_ids, to=proposal)
    job.proposal_count += 1
    job.save(update_fields=["proposal_count"])
    after = {"state": proposal.state, "job_id": job.pk, "amount_minor": proposal.amount_minor, "currency": proposal.currency}
    events.record(aggregate=proposal, kind="proposal.submit", actor_id=actor.pk, after=after, reason=", ".join(decision.reasons))
    return proposal


@unit_of_work
def proposal_update(*, actor: User, proposal_id: int, **terms: Any) -> Proposal:
    """Change the terms of an own bid that nobody has opened yet; a new quote is stored, the former terms become a version of its history.
    The cover letter stays as it was sent.

    Raises Conflict once the client has seen it or after MAX_VERSIONS changes, InvalidInput for the cover letter or a wrong term.
    """
    proposal = proposal_locked_for(actor, proposal_id)
    require(proposal.freelancer_id == actor.pk, "proposal_not_yours", "Only the freelancer who sent this proposal can change it.")
    if "cover_letter" in terms:
        raise InvalidInput("cover_letter_fixed", "A cover letter that was sent stays as it is.", {"cover_letter": ["Cannot be changed."]})
    if proposal.state != "submitted":
        raise Conflict("proposal_seen", "The client has already opened this proposal: withdraw it and send a new one.")
    values = checked_bid(proposal.job, terms)
    former = _version_of(proposal)
    for name, value in values.items():
        setattr(proposal, name, value)
    if "amount_minor" in values and "milestones" not in values and len(proposal.milestones) == 1:
        proposal.milestones = [{**proposal.milestones[0], "amount_minor": proposal.amount_minor}]
    check_bid_whole(proposal.job, proposal)
    proposal.quote = _quote(actor, Money(proposal.amount_minor, proposal.currency), proposal.delivery_days)
    former.save()
    proposal.save(update_fields=sorted({*values, "milestones", "quote"}))
    events.record(aggregate=proposal, kind="proposal.update", actor_id=actor.pk, after={"fields": sorted(values)})
    return proposal


@unit_of_work
def proposal_see(*, actor: User, proposal_id: int) -> Proposal:
    """The client opened it: submitted → seen, with the time. Later openings, and anybody else's, change nothing."""
    proposal = proposal_locked_for(actor, proposal_id)
    if role_in_proposal(actor, proposal) == "client" and proposal.state == "submitted":
        opening = _seen_now(proposal)
        move(proposal, PROPOSAL, "see", role="client", actor_id=actor.pk, also=["first_seen_at"])
        _keep(opening)
    return proposal


@unit_of_work
def proposal_shortlist(*, actor: User, proposal_id: int) -> Proposal:
    """The client keeps it in the narrower choice."""
    proposal = proposal_locked_for(actor, proposal_id)
    role = role_in_proposal(actor, proposal)
    opening = _seen_now(proposal)
    proposal.shortlisted_at = clock.now()
    move(proposal, PROPOSAL, "shortlist", role=role, actor_id=actor.pk, also=["first_seen_at", "shortlisted_at"])
    _keep(opening)
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
    opening = _seen_now(proposal)
    _end(proposal, "decline", role_in_proposal(actor, proposal), actor.pk, reason)
    _keep(opening)
    return proposal


@unit_of_work
def proposal_withdraw(*, actor: User, proposal_id: int, reason: str = "") -> Proposal:
    """The freelancer takes the bid back and may bid again. Raises Conflict("offer_is_out") for an offered proposal."""
    proposal = proposal_locked_for(actor, proposal_id)
    _refuse_while_offered(proposal)
    return _end(proposal, "withdraw", role_in_proposal(actor, proposal), actor.pk, reason)


@unit_of_work
def proposal_offer(*, actor: User, proposal_id: int) -> Proposal:
    """For contracts, in their transaction: the client chose this bid. One offer at a time is out on a job.

    Raises NotFound, NotAllowed, Conflict("job_not_open"), Conflict("freelancer_away") for one who is suspended, Conflict("offer_is_out"). Job and proposal stay locked.
    """
    proposal = proposal_locked_for(actor, proposal_id)
    role = role_in_proposal(actor, proposal)
    require(role == "client", "proposal_offer_not_yours", "Only the client who posted the job can make an offer.")
    if proposal.job.state != "open":
        raise Conflict("job_not_open", "This post is not open: no offer can be made on it.")
    if is_suspended(proposal.freelancer_id):
        raise Conflict("freelancer_away", "This freelancer takes no new work at the moment. Choose another proposal, or try again later.")
    if Proposal.objects.filter(job=proposal.job_id, state="offered").exclude(pk=proposal.pk).exists():
        raise Conflict("offer_is_out", "Another offer on this job waits for its answer. Withdraw it first.")
    proposal.offered_at = clock.now()
    opening = _seen_now(proposal)
    move(proposal, PROPOSAL, "offer", role=role, actor_id=actor.pk, also=["offered_at", "first_seen_at"])
    _keep(opening)
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


@unit_of_work
def proposal_ghost(*, proposal_id: int) -> bool:
    """The clock's act: a bid without an answer after its days counts as ghosted, and its credits come back. The client may still answer.

    Says whether it was ghosted here; an answered one is not, and none is twice.
    """
    proposal = proposal_locked(proposal_id)
    now = clock.now()
    if proposal.state not in UNANSWERED or proposal.ghosted_at or proposal.answer_due_at is None or proposal.answer_due_at > now:
        return False
    proposal.ghosted_at = now
    proposal.save(update_fields=["ghosted_at"])
    reason = f"no answer in {(now - proposal.submitted_at).days} days"
    events.record(aggregate=proposal, kind="proposal.ghost", actor_id=None, after={"job_id": proposal.job_id}, reason=reason)
    credits.give_back([proposal], "ghosted")
    return True


def end_live_proposals(job: Job, action: str, reason: str, *, actor_id: int | None) -> None:
    """End every bid still waiting on a job that ended (`action`: archive or expire), and return credits by the rules of jobs.credits.
    The caller holds the job's lock and has moved its state."""
    waiting = list(Proposal.objects.select_for_update().filter(job=job, state__in=BEFORE_OFFER).order_by("pk"))
    for proposal in waiting:
        _end(proposal, action, "system", actor_id, reason)
    unopened = [p for p in waiting if p.first_seen_at is None]
    if job.state == "removed":
        credits.give_back(Proposal.objects.filter(job=job).exclude(state="withdrawn"), "removed")
    elif job.state == "closed":
        credits.give_back(unopened, "unopened")
        credits.give_back(waiting, "not_hired")
    else:
        credits.give_back(unopened, "unopened")


def _end(proposal: Proposal, action: str, role: str, actor_id: int | None, reason: str) -> Proposal:
    proposal.live_key = None
    proposal.decided_at = clock.now()
    proposal.outcome_reason = reason.strip()[:500]
    also = ["live_key", "decided_at", "outcome_reason", "first_seen_at"]
    extra = {"job_id": proposal.job_id}
    move(proposal, PROPOSAL, action, role=role, actor_id=actor_id, reason=proposal.outcome_reason, also=also, extra=extra)
    return proposal


def _seen_now(proposal: Proposal) -> ProposalOpening | None:
    """The client has it before their eyes: the first time, note when, and where it stands. The move's caller saves what this returns."""
    if proposal.first_seen_at is not None:
        return None
    proposal.first_seen_at = clock.now()
    place = places([proposal])[proposal.pk]
    if place.position is None:
        return None
    return ProposalOpening(
        proposal=proposal, position=place.position, among=place.among, ranking=PROPOSAL_RANKING, at=proposal.first_seen_at
    )


def _keep(opening: ProposalOpening | None) -> None:
    if opening is not None:
        opening.save(force_insert=True)


def _version_of(proposal: Proposal) -> ProposalVersion:
    """The terms that hold, as the version that they become once others replace them; not saved."""
    last = ProposalVersion.objects.filter(proposal=proposal).order_by("-number").first()
    number = last.number + 1 if last else 1
    if number >= MAX_VERSIONS:
        raise Conflict("terms_changed_often", "The terms were changed too often: withdraw this proposal and send a new one.")
    return ProposalVersion(
        proposal=proposal,
        number=number,
        sent_at=last.replaced_at if last else proposal.submitted_at,
        replaced_at=clock.now(),
        **{name: getattr(proposal, name) for name in TERMS},
    )


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


def _quote(actor: User, gross: Money, delivery_days: int | None) -> dict[str, Any]:
    return quote_make(gross=gross, payee_currency=_payee_currency(actor), payee_id=actor.pk).stored(delivered_in_days=delivery_days)
