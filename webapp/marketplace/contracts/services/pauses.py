"""Pauses: the contract's clocks stand still, and go on where they stood. Staff pause alone, the two sides by agreement (services.requests)."""

from __future__ import annotations

from datetime import datetime, timedelta

from marketplace.accounts.models import User
from marketplace.core import audit, clock, events
from marketplace.core.errors import Conflict, NotAllowed
from marketplace.core.policies import require_staff
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .. import policies
from ..models import Contract, Milestone, RefundRequest, WorkRequest
from ..selectors import contract_for, contract_locked
from ..states import MILESTONE_ENDED, WORK_REQUEST
from .weeks import put_off_clocks


def pause_begins(contract: Contract, *, actor_id: int, by_staff: bool, reason: str) -> None:
    """Stop the clocks of the locked contract."""
    contract.paused_at, contract.paused_by_staff = clock.now(), by_staff
    contract.save(update_fields=["paused_at", "paused_by_staff"])
    events.record(
        aggregate=contract, kind="contract.pause", actor_id=actor_id, after={"paused": True, "by_staff": by_staff}, reason=reason[:500]
    )


@unit_of_work
def contract_pause(*, actor: User, contract_id: int, reason: str) -> Contract:
    """Staff stop the contract's clocks: no silence moves money while it is paused, and only staff let it go on.

    A pause that the sides agreed on becomes one of staff. Raises NotFound, NotAllowed, Conflict when it is not active or paused by staff already.
    """
    policies.require_role(contract_for(actor, contract_id), actor, "staff", "contract_pause")
    require_staff(actor, "contract_pause")
    contract = contract_locked(contract_id)
    if contract.state != "active" or (contract.paused_at and contract.paused_by_staff):
        raise Conflict("contract_pause_impossible", "Only an active contract that is not paused can be paused.")
    before = {"paused": contract.paused_at is not None, "by_staff": contract.paused_by_staff}
    audit.record(actor=actor, action="contract_pause", obj=contract, reason=reason, before=before, after={"paused": True, "by_staff": True})
    asked = WorkRequest.objects.filter(live_key=f"{WorkRequest.Kind.PAUSE}:{contract.pk}").first()
    if asked is not None:
        asked.live_key, asked.closed_at = None, clock.now()
        move(asked, WORK_REQUEST, "supersede", role="staff", actor_id=actor.pk, also=["live_key", "closed_at"])
    if contract.paused_at is None:
        pause_begins(contract, actor_id=actor.pk, by_staff=True, reason=reason)
    else:
        contract.paused_by_staff = True
        contract.save(update_fields=["paused_by_staff"])
        told = {"paused": True, "by_staff": True}
        events.record(aggregate=contract, kind="contract.pause", actor_id=actor.pk, after=told, reason=reason[:500])
    return contract


@unit_of_work
def contract_resume(*, actor: User, contract_id: int, reason: str = "") -> Contract:
    """Let the clocks run again; each is put off by as long as it stood still. Staff end any pause, either side one that the sides agreed on.

    Raises NotFound, NotAllowed, Conflict when it is not paused.
    """
    role = policies.role_in(contract_for(actor, contract_id), actor)
    if role == "staff":
        require_staff(actor, "contract_pause")
    contract = contract_locked(contract_id)
    if contract.paused_at is None:
        raise Conflict("contract_resume_impossible", "This contract is not paused.")
    if role != "staff" and contract.paused_by_staff:
        raise NotAllowed("contract_resume_not_yours", "Staff paused this contract: only they can let it go on.")
    if role == "staff":
        before = {"paused": True, "by_staff": contract.paused_by_staff}
        after = {"paused": False, "by_staff": False}
        audit.record(actor=actor, action="contract_pause", obj=contract, reason=reason.strip() or "Resumed.", before=before, after=after)
    now = clock.now()
    for milestone in contract.milestones.exclude(state__in=MILESTONE_ENDED):
        _put_off(milestone, contract.paused_at, now)
    put_off_clocks(contract, contract.paused_at, now)
    contract.paused_at, contract.paused_by_staff = None, False
    contract.save(update_fields=["paused_at", "paused_by_staff"])
    events.record(aggregate=contract, kind="contract.resume", actor_id=actor.pk, after={"paused": False}, reason=reason[:500])
    return contract


def _put_off(milestone: Milestone, paused_at: datetime, now: datetime) -> None:
    """Move the milestone's clocks by as long as the pause stopped them."""
    if milestone.auto_approve_at is not None and milestone.submitted_at is not None:
        # a dispute or refund request that lasts counts its own time when it ends: here only what lay before it
        until = min(t for t in (now, milestone.disputed_at, milestone.refund_asked_at) if t is not None)
        milestone.auto_approve_at += max(timedelta(0), until - max(paused_at, milestone.submitted_at))
    if milestone.due_at is not None and milestone.due_at > paused_at and milestone.state in policies.EXTENDABLE:
        milestone.due_at += now - paused_at
    milestone.save(update_fields=["auto_approve_at", "due_at"])
    request = RefundRequest.objects.filter(live_key=str(milestone.pk)).first()
    if request is not None:
        request.answer_by += now - max(paused_at, request.asked_at)
        request.save(update_fields=["answer_by"])
