"""Who may do what with a contract and its milestones, and what the page offers them.

`actions` mirror the routes; they are advice for the page, the services decide again under lock.
"""

from __future__ import annotations

from datetime import datetime

from marketplace.core.errors import NotAllowed, NotFound
from marketplace.core.policies import Actor, staff_may

from .models import Contract, CounterOffer, Milestone, Offer
from .states import COUNTER_OFFER, FUNDED_STATES, MILESTONE

#: state-machine action → the route's last word
ROUTES = {"request_changes": "request-changes", "approve_part": "approve-part"}
MILESTONE_ROUTES = ("fund", "start", "submit", "request_changes", "approve", "approve_part", "refund", "dispute")
SIDES = ("client", "freelancer")
#: states in which a milestone's work is still ahead, so that its due date may move
EXTENDABLE = ("planned", "funded", "in_progress", "changes_requested")


def role_in(contract: Contract, actor: Actor) -> str:
    """`client`, `freelancer` or `staff`. Raises NotFound for anybody else: strangers learn nothing."""
    if actor.pk == contract.client_id:
        return "client"
    if actor.pk == contract.freelancer_id:
        return "freelancer"
    if staff_may(actor, "records_see"):
        return "staff"
    raise NotFound("contract")


def require_role(contract: Contract, actor: Actor, role: str, action: str) -> None:
    """Raise NotAllowed unless the actor is on that side of the contract."""
    if role_in(contract, actor) != role:
        raise NotAllowed(f"{action}_not_yours", f"Only the {role} of this contract can do that.")


def require_side(contract: Contract, actor: Actor, action: str) -> str:
    """client or freelancer. Raises NotAllowed for anybody who is no side of the contract."""
    role = role_in(contract, actor)
    if role not in SIDES:
        raise NotAllowed(f"{action}_not_yours", "Only the two sides of this contract can do that.")
    return role


def contract_actions(
    contract: Contract, milestones: list[Milestone], role: str, *, now: datetime, may_pause: bool = False, may_counter: bool = False
) -> list[str]:
    """What this side may do with the contract now, as the last words of routes; `may_pause` is about staff, `may_counter` is what
    selectors.counter_offer_possible says of an offer. An offer that has run out can still be declined or taken back until the clock ends it."""
    if contract.state == "offered":
        answers = [*(["accept"] if offer_stands(contract, now) else []), "decline", *(["counter-offers"] if may_counter else [])]
        return {"freelancer": answers, "client": ["cancel"]}.get(role, [])
    if contract.state != "active":
        return []
    paused = contract.paused_at is not None
    if role == "staff":
        return (["resume"] if paused else ["pause"]) if may_pause else []
    held = any(m.state in (*FUNDED_STATES, "disputed") for m in milestones)
    found = [] if held else ["cancel"]
    if not paused:
        found.append("pause-request")
    elif not contract.paused_by_staff:
        found.append("resume")
    if role == "client":
        found.append("bonus")
    return found


def offer_stands(contract: Contract, now: datetime) -> bool:
    """Whether the offer waits for its answer and has not run out, whether or not the clock has come by. Offers from before there was a clock
    stand until they are answered."""
    offer: Offer | None = getattr(contract, "offer", None)
    return contract.state == "offered" and (offer is None or now < offer.expires_at)


def milestone_actions(contract: Contract, milestone: Milestone, role: str) -> list[str]:
    """What this side may do with the milestone now, as the last words of routes."""
    if contract.state != "active":
        return []
    possible = MILESTONE.actions_from(milestone.state, role)
    week = getattr(milestone, "timesheet", None) is not None
    if week:
        possible = [a for a in possible if a not in ("start", "submit", "request_changes", "approve_part")]  # by the week's own routes
    found = [ROUTES.get(a, a) for a in MILESTONE_ROUTES if a in possible and not (a == "refund" and role == "staff")]
    if role == "client" and not week and milestone.state in FUNDED_STATES and milestone.refund_asked_at is None:
        found.append("refund-request")
    if role in SIDES and not week and milestone.state in EXTENDABLE:
        found.append("extension")
    return found


def counter_offer_actions(counter: CounterOffer, actor: Actor, now: datetime) -> list[str]:
    """What this side may do with a counter-offer (its contract and offer are loaded), as the last words of routes. It is taken only while
    the offer stands."""
    possible = COUNTER_OFFER.actions_from(counter.state, role_in(counter.contract, actor))
    return possible if offer_stands(counter.contract, now) else [a for a in possible if a != "accept"]
