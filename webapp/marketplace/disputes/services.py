"""Opening, withdrawing and settling a dispute. The milestone's state and the held money move in the same transaction."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.contracts import selectors as contracts
from marketplace.contracts import services as work
from marketplace.core import clock, events
from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from . import policies
from .models import Dispute
from .selectors import dispute_for, dispute_locked
from .states import DISPUTE

MAX_CLAIM = 10_000
MAX_REASON = 5_000


def _text(value: str, field: str, longest: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= longest:
        message = f"Write 1 to {longest} characters."
        raise InvalidInput("text_invalid", message, {field: [message]})
    return text


@unit_of_work
def dispute_open(*, actor: User, milestone_id: int, claim: str) -> Dispute:
    """Either side disputes a milestone that holds money: from now on no clock releases it; staff decide within DISPUTE_DECISION_DAYS.

    Raises NotFound, NotAllowed, Conflict when the milestone holds nothing or is disputed already, InvalidInput for an empty claim.
    """
    claim = _text(claim, "claim", MAX_CLAIM)
    now = clock.now()
    decide_by = now + timedelta(days=settings.DISPUTE_DECISION_DAYS)
    milestone, held = work.milestone_freeze(actor=actor, milestone_id=milestone_id, decide_by=decide_by, reason=claim)
    dispute = Dispute.objects.create(
        milestone=milestone,
        live_key=str(milestone.pk),
        filer=actor,
        claim=claim,
        held_minor=held.minor,
        currency=held.currency,
        opened_at=now,
        decide_by=decide_by,
    )
    after = {"milestone_id": milestone.pk, "held_minor": held.minor, "currency": held.currency, "decide_by": decide_by.isoformat()}
    events.record(aggregate=dispute, kind="dispute.open", actor_id=actor.pk, after=after)
    return dispute


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
def dispute_settle(*, actor: User, dispute_id: int, to_freelancer_minor: int, to_client_minor: int, reason: str) -> Dispute:
    """Staff decide: the held money is split exactly, in minor units, and moves in this transaction.

    Raises NotFound, NotAllowed for the contract's own sides, Conflict when it is decided already, InvalidInput("split_invalid").
    """
    dispute = _entered(actor, dispute_id)
    policies.require_decider(dispute, actor)
    reason = _text(reason, "reason", MAX_REASON)
    if type(to_freelancer_minor) is not int or type(to_client_minor) is not int:
        raise InvalidInput("split_invalid", "Both parts are whole numbers of minor units.")
    if to_freelancer_minor < 0 or to_client_minor < 0 or to_freelancer_minor + to_client_minor != dispute.held_minor:
        message = f"The two parts must not be negative and must sum to the {dispute.held_minor} minor units that are held."
        raise InvalidInput("split_invalid", message, {"to_freelancer_minor": [message], "to_client_minor": [message]})
    dispute.live_key = None
    dispute.settled_at = clock.now()
    dispute.to_freelancer_minor, dispute.to_client_minor = to_freelancer_minor, to_client_minor
    dispute.decided_by, dispute.decision_reason = actor, reason
    also = ["live_key", "settled_at", "to_freelancer_minor", "to_client_minor", "decided_by", "decision_reason"]
    parts = {"to_freelancer_minor": to_freelancer_minor, "to_client_minor": to_client_minor, "milestone_id": dispute.milestone_id}
    move(dispute, DISPUTE, "settle", role="staff", actor_id=actor.pk, reason=reason[:500], also=also, extra=parts)
    dispute.milestone = work.milestone_resolve(
        actor=actor,
        milestone_id=dispute.milestone_id,
        to_freelancer=Money(to_freelancer_minor, dispute.currency),
        to_client=Money(to_client_minor, dispute.currency),
        reason=reason,
    )
    return dispute


def _entered(actor: User, dispute_id: int) -> Dispute:
    """The dispute re-read after contract and dispute were locked, in this order. Raises NotFound."""
    seen = dispute_for(actor, dispute_id)
    contract, milestone = contracts.milestone_locked(seen.milestone_id)
    dispute = dispute_locked(dispute_id)
    milestone.contract = contract
    dispute.milestone = milestone
    return dispute
