"""Who may see and act on a dispute."""

from __future__ import annotations

from marketplace.core.errors import NotAllowed
from marketplace.core.policies import Actor

from .models import Dispute


def actions(dispute: Dispute, actor: Actor) -> list[str]:
    """What the actor may do with the dispute now, as the last words of routes."""
    if dispute.state != "opened":
        return []
    if actor.pk == dispute.filer_id:
        return ["withdraw"]
    return ["settle"] if may_decide(dispute, actor) else []


def may_decide(dispute: Dispute, actor: Actor) -> bool:
    """Staff who are not a side of the contract."""
    contract = dispute.milestone.contract
    return bool(actor.is_staff) and actor.pk not in (contract.client_id, contract.freelancer_id)


def require_filer(dispute: Dispute, actor: Actor) -> None:
    """Raise NotAllowed for anybody but the person who opened it."""
    if actor.pk != dispute.filer_id:
        raise NotAllowed("dispute_withdraw_not_yours", "Only the person who opened a dispute can withdraw it.")


def require_decider(dispute: Dispute, actor: Actor) -> None:
    """Raise NotAllowed for anybody but staff who stand outside the contract."""
    if not may_decide(dispute, actor):
        raise NotAllowed("dispute_settle_not_yours", "Only staff who are no side of the contract can settle a dispute.")
