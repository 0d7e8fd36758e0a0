"""A dispute from its opening to its settlement. The milestone's state and the held money move in the same transaction.

Every verb locks the contract, then the dispute. Stages end by `dispute_advance`, which the clock calls; the rules are those of
docs/adr/0009-dispute-stages.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.contracts import selectors as contracts
from marketplace.contracts import services as work
from marketplace.core import audit, clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed
from marketplace.core.files import attach
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from . import policies
from .deadlines import response_due, stage_ends
from .models import Dispute, Evidence, SplitOffer
from .proposal import proposal
from .selectors import dispute_for, dispute_locked, facts_of
from .states import DISPUTE, LIVE, TALKING

MAX_CLAIM = 10_000
MAX_REASON = 5_000


def _text(value: Any, field: str, longest: int) -> str:
    checks = Checks()
    text = checks.text(field, value, longest=longest, shortest=1)
    checks.raise_if_any()
    return text


@unit_of_work
def dispute_open(*, actor: User, milestone_id: int, claim: str, claimed_minor: int | None = None, file_ids: Sequence[int] = ()) -> Dispute:
    """Either side disputes a milestone that holds money: from now on no clock releases it, and the other side has
    DISPUTE_RESPONSE_BUSINESS_DAYS to answer. `claimed_minor` is what the filer's side claims of the held money; None is all of it.

    Raises NotFound, NotAllowed, Conflict when the milestone holds nothing or is disputed already, InvalidInput.
    """
    claim = _text(claim, "claim", MAX_CLAIM)
    now = clock.now()
    decide_by = response_due(now)
    milestone, held = work.milestone_freeze(actor=actor, milestone_id=milestone_id, decide_by=decide_by, reason=claim)
    if claimed_minor is not None and not 0 < claimed_minor <= held.minor:
        message = f"Claim a part of the {held.minor} minor units that are held."
        raise InvalidInput("claim_invalid", message, {"claimed_minor": [message]})
    dispute = Dispute.objects.create(
        milestone=milestone,
        live_key=str(milestone.pk),
        filer=actor,
        claim=claim,
        claimed_minor=claimed_minor,
        held_minor=held.minor,
        currency=held.currency,
        opened_at=now,
        decide_by=decide_by,
    )
    after = {"milestone_id": milestone.pk, "held_minor": held.minor, "currency": held.currency, "decide_by": decide_by.isoformat()}
    events.record(aggregate=dispute, kind="dispute.open", actor_id=actor.pk, after=after)
    if file_ids:
        shown = Evidence.objects.create(dispute=dispute, author=actor, text=claim, added_at=now)
        attach(actor=actor, file_ids=file_ids, to=shown)
    return dispute


@unit_of_work
def dispute_respond(*, actor: User, dispute_id: int, text: str, accept: bool = False) -> Dispute:
    """The other side answers: it accepts the claim, which settles at once, or says why not, which begins the negotiation.

    Raises NotFound, NotAllowed for the filer, Conflict after the first answer.
    """
    dispute = _entered(actor, dispute_id)
    side = policies.require_side(dispute, actor, "respond")
    if actor.pk == dispute.filer_id:
        raise NotAllowed("dispute_respond_not_yours", "The other side answers what you opened.")
    dispute.response, dispute.responded_at = _text(text, "text", MAX_CLAIM), clock.now()
    if accept:
        return _close(dispute, "accept_claim", _claimed(dispute), by=Dispute.SettledBy.CLAIM_ACCEPTED, role=side, actor=actor,
                      also=["response", "responded_at"])  # fmt: skip
    return _enter(dispute, "respond", role=side, actor_id=actor.pk, also=["response", "responded_at"])


@unit_of_work
def dispute_offer(*, actor: User, dispute_id: int, to_freelancer_minor: int) -> Dispute:
    """Put or replace a side's one live offer. When the client offers at least what the freelancer asks, the dispute settles at once, in the
    middle between the two; the odd minor unit goes to the freelancer.

    Raises NotFound, NotAllowed, Conflict outside the stages of talking, InvalidInput for more than is held.
    """
    dispute = _entered(actor, dispute_id)
    side = policies.require_side(dispute, actor, "offer")
    if dispute.state not in TALKING:
        raise Conflict("dispute_offer_impossible", f"This dispute is at the stage “{dispute.state}”: no offers are made now.")
    if type(to_freelancer_minor) is not int or not 0 <= to_freelancer_minor <= dispute.held_minor:
        message = f"Offer a whole number from 0 to the {dispute.held_minor} minor units that are held."
        raise InvalidInput("offer_invalid", message, {"to_freelancer_minor": [message]})
    SplitOffer.objects.update_or_create(
        dispute=dispute, side=side, defaults={"to_freelancer_minor": to_freelancer_minor, "made_at": clock.now()}
    )
    told = {"side": side, "to_freelancer_minor": to_freelancer_minor, "milestone_id": dispute.milestone_id}
    events.record(aggregate=dispute, kind="dispute.offer", actor_id=actor.pk, after=told)
    offered = dict(SplitOffer.objects.filter(dispute=dispute).values_list("side", "to_freelancer_minor"))
    if len(offered) == 2 and offered["client"] >= offered["freelancer"]:
        middle = (offered["client"] + offered["freelancer"] + 1) // 2
        return _close(dispute, "agree", middle, by=Dispute.SettledBy.AGREEMENT, role=side, actor=actor)
    return dispute


@unit_of_work
def dispute_accept(*, actor: User, dispute_id: int) -> Dispute:
    """A side accepts the computed proposal, or the decision while it can be appealed; when both have, it settles at once."""
    dispute = _entered(actor, dispute_id)
    side = policies.require_side(dispute, actor, "accept")
    if dispute.state not in ("proposal", "appeal"):
        raise Conflict("dispute_accept_impossible", "There is no proposal or decision to accept now.")
    field = f"{side}_accepted_at"
    if getattr(dispute, field) is None:
        setattr(dispute, field, clock.now())
        dispute.save(update_fields=[field])
        told = {"side": side, "milestone_id": dispute.milestone_id}
        events.record(aggregate=dispute, kind="dispute.accept", actor_id=actor.pk, after=told)
    if dispute.client_accepted_at is None or dispute.freelancer_accepted_at is None:
        return dispute
    if dispute.state == "proposal":
        found = dispute.proposal or {}
        return _close(dispute, "accept_proposal", found["to_freelancer_minor"], by=Dispute.SettledBy.PROPOSAL, role=side, actor=actor)
    return _close(dispute, "accept_decision", _decided(dispute), by=Dispute.SettledBy.DECISION, role=side, actor=actor)


@unit_of_work
def dispute_add_evidence(*, actor: User, dispute_id: int, text: str, file_ids: Sequence[int] = ()) -> Evidence:
    """A side shows something, with files, until staff decide. Raises NotFound, NotAllowed, Conflict, InvalidInput."""
    dispute = _entered(actor, dispute_id)
    policies.require_side(dispute, actor, "evidence")
    if dispute.state not in ("negotiation", "proposal", "evidence"):
        raise Conflict("dispute_evidence_impossible", "Evidence is taken from the answer on until its stage ends.")
    text = _text(text, "text", MAX_CLAIM)
    shown = Evidence.objects.create(dispute=dispute, author=actor, text=text, added_at=clock.now())
    attach(actor=actor, file_ids=file_ids, to=shown)
    told = {"evidence_id": shown.pk, "milestone_id": dispute.milestone_id}
    events.record(aggregate=dispute, kind="dispute.evidence", actor_id=actor.pk, after=told)
    return shown


@unit_of_work
def dispute_withdraw(*, actor: User, dispute_id: int) -> Dispute:
    """The filer takes the dispute back: the milestone returns to where it was, its clock put off by as long as it stood still."""
    dispute = _entered(actor, dispute_id)
    policies.require_filer(dispute, actor)
    dispute.live_key = None
    role = "client" if actor.pk == dispute.milestone.contract.client_id else "freelancer"
    move(dispute, DISPUTE, "withdraw", role=role, actor_id=actor.pk, also=["live_key"], extra={"milestone_id": dispute.milestone_id})
    dispute.milestone = work.milestone_thaw(actor=actor, milestone_id=dispute.milestone_id)
    return dispute


@unit_of_work
def dispute_decide(*, actor: User, dispute_id: int, to_freelancer_minor: int, to_client_minor: int, reason: str) -> Dispute:
    """Staff decide when it is their turn. The first decision waits DISPUTE_APPEAL_DAYS for an appeal before the money moves; the decision on an
    appeal is by another person, final, and moves it at once.

    Raises NotFound, NotAllowed, Conflict at other stages, InvalidInput("split_invalid").
    """
    dispute = _entered(actor, dispute_id)
    policies.require_decider(dispute, actor)
    reason = _text(reason, "reason", MAX_REASON)
    _checked_split(dispute, to_freelancer_minor, to_client_minor)
    _audit(actor, dispute, to_freelancer_minor, reason)
    dispute.decided_at, dispute.decided_by, dispute.decision_reason = clock.now(), actor, reason
    also = ["decided_at", "decided_by", "decision_reason"]
    if dispute.state == "appealed":
        return _close(dispute, "decide_appeal", to_freelancer_minor, by=Dispute.SettledBy.APPEAL, role="staff", actor=actor,
                      reason=reason, also=also)  # fmt: skip
    dispute.to_freelancer_minor, dispute.to_client_minor = to_freelancer_minor, to_client_minor
    dispute.first_decider = actor
    dispute.client_accepted_at = dispute.freelancer_accepted_at = None
    also += ["to_freelancer_minor", "to_client_minor", "first_decider", "client_accepted_at", "freelancer_accepted_at"]
    return _enter(dispute, "decide", role="staff", actor_id=actor.pk, reason=reason, also=also)


@unit_of_work
def dispute_appeal(*, actor: User, dispute_id: int, reason: str) -> Dispute:
    """A side wants another person to decide. Raises NotFound, NotAllowed, Conflict when there is nothing to appeal (any more)."""
    dispute = _entered(actor, dispute_id)
    side = policies.require_side(dispute, actor, "appeal")
    dispute.appellant, dispute.appeal_reason = actor, _text(reason, "reason", MAX_REASON)
    return _enter(dispute, "appeal", role=side, actor_id=actor.pk, also=["appellant", "appeal_reason"])


@unit_of_work
def dispute_settle(*, actor: User, dispute_id: int, to_freelancer_minor: int, to_client_minor: int, reason: str) -> Dispute:
    """Staff end a dispute before its turn, where waiting serves nobody: the held money is split exactly, in minor units, and moves now.

    Raises NotFound, NotAllowed for the contract's own sides, Conflict when it is decided already, InvalidInput("split_invalid").
    """
    dispute = _entered(actor, dispute_id)
    policies.require_decider(dispute, actor)
    reason = _text(reason, "reason", MAX_REASON)
    _checked_split(dispute, to_freelancer_minor, to_client_minor)
    _audit(actor, dispute, to_freelancer_minor, reason)
    dispute.decided_by, dispute.decision_reason = actor, reason
    return _close(dispute, "settle", to_freelancer_minor, by=Dispute.SettledBy.STAFF, role="staff", actor=actor, reason=reason,
                  also=["decided_by", "decision_reason"])  # fmt: skip


@unit_of_work
def dispute_advance(*, dispute_id: int) -> bool:
    """The clock's act: end the present stage when its time is over, or bring a dispute whose held money has reached HOLD_LIMIT_DAYS before
    staff. Returns whether anything was done; run twice, the second does nothing.
    """
    milestone_id = Dispute.objects.values_list("milestone_id", flat=True).get(pk=dispute_id)
    dispute = _locked(dispute_id, milestone_id)
    now = clock.now()
    if dispute.state not in LIVE:
        return False
    began = dispute.milestone.hold_began_at
    limit_reached = began is not None and began + timedelta(days=settings.HOLD_LIMIT_DAYS) <= now
    if limit_reached and (dispute.state, "reach_hold_limit") in DISPUTE.transitions:
        _enter(dispute, "reach_hold_limit", role="system", reason=f"The money has been held for {settings.HOLD_LIMIT_DAYS} days.")
        return True
    if dispute.decide_by > now:
        return False
    return _stage_over(dispute, now)


def _stage_over(dispute: Dispute, now: datetime) -> bool:
    match dispute.state:
        case "opened":
            reason = "The other side did not answer in time."
            _close(dispute, "grant_claim", _claimed(dispute), by=Dispute.SettledBy.SILENCE, role="system", reason=reason)
        case "negotiation":
            dispute.proposal = proposal(facts_of(dispute), dispute.held_minor)
            _enter(dispute, "propose", role="system", also=["proposal"])
        case "proposal":
            _enter(dispute, "skip_evidence" if policies.is_small(dispute) else "call_for_evidence", role="system")
        case "evidence":
            _enter(dispute, "close_evidence", role="system")
        case "appeal":
            _close(dispute, "become_final", _decided(dispute), by=Dispute.SettledBy.DECISION, role="system",
                   reason="The decision was not appealed.")  # fmt: skip
        case _:  # a decision is due: nothing decides by itself, but its lateness is told once
            if dispute.late_at is not None:
                return False
            dispute.late_at = now
            dispute.save(update_fields=["late_at"])
            told = {"decide_by": dispute.decide_by.isoformat(), "milestone_id": dispute.milestone_id}
            events.record(aggregate=dispute, kind="dispute.late", actor_id=None, after=told, reason="The decision is late.")
    return True


def _claimed(dispute: Dispute) -> int:
    """The freelancer's part if the filer's claim is granted."""
    mine = dispute.held_minor if dispute.claimed_minor is None else dispute.claimed_minor
    return dispute.held_minor - mine if dispute.filer_id == dispute.milestone.contract.client_id else mine


def _decided(dispute: Dispute) -> int:
    if dispute.to_freelancer_minor is None:
        raise AssertionError("a decision without a split")
    return dispute.to_freelancer_minor


def _audit(actor: User, dispute: Dispute, to_freelancer_minor: int, reason: str) -> None:
    """Before the act: what staff change of the split. A refusal afterwards takes the row back with it."""
    audit.record(
        actor=actor,
        action="dispute_decide",
        obj=dispute,
        reason=reason[: audit.REASON_LENGTH],
        before={"to_freelancer_minor": dispute.to_freelancer_minor},
        after={"to_freelancer_minor": to_freelancer_minor},
    )


def _checked_split(dispute: Dispute, to_freelancer_minor: int, to_client_minor: int) -> None:
    if type(to_freelancer_minor) is not int or type(to_client_minor) is not int:
        raise InvalidInput("split_invalid", "Both parts are whole numbers of minor units.")
    if to_freelancer_minor < 0 or to_client_minor < 0 or to_freelancer_minor + to_client_minor != dispute.held_minor:
        message = f"The two parts must not be negative and must sum to the {dispute.held_minor} minor units that are held."
        raise InvalidInput("split_invalid", message, {"to_freelancer_minor": [message], "to_client_minor": [message]})


def _enter(dispute: Dispute, action: str, *, role: str, actor_id: int | None = None, reason: str = "", also: Sequence[str] = ()) -> Dispute:
    """Take `action` into the next live stage and set its end, on the milestone too, where the contract's page reads it."""
    stage = DISPUTE.transitions.get((dispute.state, action))
    if stage is not None:
        dispute.decide_by = stage_ends(stage.to, clock.now())
        dispute.late_at = None
    extra = {"milestone_id": dispute.milestone_id, "decide_by": dispute.decide_by.isoformat()}
    move(dispute, DISPUTE, action, role=role, actor_id=actor_id, reason=reason[:500], also=["decide_by", "late_at", *also], extra=extra)
    work.milestone_stage_ends(milestone=dispute.milestone, decide_by=dispute.decide_by)
    return dispute


def _close(
    dispute: Dispute,
    action: str,
    to_freelancer_minor: int,
    *,
    by: str,
    role: str,
    actor: User | None = None,
    reason: str = "",
    also: Sequence[str] = (),
) -> Dispute:
    """Take `action` to the settlement and move the held money, exactly split."""
    dispute.live_key, dispute.settled_at, dispute.settled_by = None, clock.now(), by
    dispute.to_freelancer_minor, dispute.to_client_minor = to_freelancer_minor, dispute.held_minor - to_freelancer_minor
    parts = {
        "to_freelancer_minor": dispute.to_freelancer_minor,
        "to_client_minor": dispute.to_client_minor,
        "milestone_id": dispute.milestone_id,
    }
    fields = ["live_key", "settled_at", "settled_by", "to_freelancer_minor", "to_client_minor", *also]
    actor_id = actor.pk if actor is not None else None
    move(dispute, DISPUTE, action, role=role, actor_id=actor_id, reason=reason[:500], also=fields, extra=parts)
    dispute.milestone = work.milestone_resolve(
        actor=actor if role == "staff" else None,
        on_behalf_of=actor_id,
        milestone_id=dispute.milestone_id,
        to_freelancer=Money(to_freelancer_minor, dispute.currency),
        to_client=Money(dispute.to_client_minor, dispute.currency),
        rule="dispute_decision" if role == "staff" else f"dispute_{by}",
        reason=reason,
    )
    return dispute


def _entered(actor: User, dispute_id: int) -> Dispute:
    """The dispute re-read after contract and dispute were locked, in this order. Raises NotFound."""
    return _locked(dispute_id, dispute_for(actor, dispute_id).milestone_id)


def _locked(dispute_id: int, milestone_id: int) -> Dispute:
    contract, milestone = contracts.milestone_locked(milestone_id)
    dispute = dispute_locked(dispute_id)
    milestone.contract = contract
    dispute.milestone = milestone
    return dispute
