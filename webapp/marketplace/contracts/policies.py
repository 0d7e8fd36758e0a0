"""Who may do what with a contract and its milestones, and what the page offers them.

`actions` mirror the routes; they are advice for the page, the services decide again under lock.
"""

from __future__ import annotations

from marketplace.core.errors import NotAllowed, NotFound
from marketplace.core.policies import Actor

from .models import Contract, CounterOffer, Milestone
from .states import COUNTER_OFFER, FUNDED_STATES, MILESTONE

#: state-machine action → the route's last word
ROUTES = {"request_changes": "request-changes"}
MILESTONE_ROUTES = ("fund", "start", "submit", "request_changes", "approve", "refund", "dispute")


def role_in(contract: Contract, actor: Actor) -> str:
    """`client`, `freelancer` or `staff`. Raises NotFound for anybody else: strangers learn nothing."""
    if actor.pk == contract.client_id:
        return "client"
    if actor.pk == contract.freelancer_id:
        return "freelancer"
    if actor.is_staff:
        return "staff"
    raise NotFound("contract")


def require_role(contract: Contract, actor: Actor, role: str, action: str) -> None:
    """Raise NotAllowed unless the actor is on that side of the contract."""
    if role_in(contract, actor) != role:
        raise NotAllowed(f"{action}_not_yours", f"Only the {role} of this contract can do that.")


def contract_actions(contract: Contract, milestones: list[Milestone], role: str) -> list[str]:
    """What this side may do with the contract now, as the last words of routes."""
    if contract.state == "offered":
        return {"freelancer": ["accept", "decline", "counter-offers"], "client": ["cancel"]}.get(role, [])
    if contract.state != "active":
        return []
    if role == "staff":
        return ["resume"] if contract.paused_at else ["pause"]
    held = any(m.state in (*FUNDED_STATES, "disputed") for m in milestones)
    return [] if held else ["cancel"]


def milestone_actions(contract: Contract, milestone: Milestone, role: str) -> list[str]:
    """What this side may do with the milestone now, as the last words of routes."""
    if contract.state != "active":
        return []
    possible = MILESTONE.actions_from(milestone.state, role)
    if getattr(milestone, "timesheet", None) is not None:
        possible = [a for a in possible if a not in ("start", "submit", "request_changes")]  # done with the week's own routes
    return [ROUTES.get(a, a) for a in MILESTONE_ROUTES if a in possible and not (a == "refund" and role == "staff")]


def counter_offer_actions(counter: CounterOffer, actor: Actor) -> list[str]:
    """What this side may do with a counter-offer (its contract is loaded), as the last words of routes."""
    return COUNTER_OFFER.actions_from(counter.state, role_in(counter.contract, actor))
