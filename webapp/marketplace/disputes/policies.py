"""Who may see and act on a dispute."""

from __future__ import annotations

from django.conf import settings

from marketplace.core.errors import NotAllowed
from marketplace.core.money import Money
from marketplace.core.policies import Actor, staff_may
from marketplace.payments.selectors import worth

from .models import Dispute
from .states import LIVE, TALKING, UNDECIDED


def side_of(dispute: Dispute, actor: Actor) -> str | None:
    """client or freelancer of the disputed contract; None for everybody else."""
    contract = dispute.milestone.contract
    return {contract.client_id: "client", contract.freelancer_id: "freelancer"}.get(actor.pk)


def require_side(dispute: Dispute, actor: Actor, what: str) -> str:
    """The actor's side. Raises NotAllowed for anybody who is no side of the contract."""
    side = side_of(dispute, actor)
    if side is None:
        raise NotAllowed(f"dispute_{what}_not_yours", "Only the two sides of the contract can do that.")
    return side


def actions(dispute: Dispute, actor: Actor) -> list[str]:
    """What the actor may do with the dispute now, as the last words of routes: by its stage, not by the stage's end. An act that comes after
    that end, but before the clock has acted, still counts (docs/adr/0009-dispute-stages.md), so it is offered as long."""
    state, side = dispute.state, side_of(dispute, actor)
    if state not in LIVE:
        return []
    if side is None:
        if not may_decide(dispute, actor):
            return []
        decide = state == "decision" or (state == "appealed" and actor.pk != dispute.first_decider_id)
        return [*(["decide"] if decide else []), *(["settle"] if state in UNDECIDED else [])]
    found = []
    if state == "opened" and actor.pk != dispute.filer_id:
        found.append("respond")
    if state in TALKING:
        found.append("offer")
    accepted = dispute.client_accepted_at if side == "client" else dispute.freelancer_accepted_at
    if state in ("proposal", "appeal") and accepted is None:
        found.append("accept")
    if state in ("negotiation", "proposal", "evidence"):
        found.append("evidence")
    if state == "appeal":
        found.append("appeal")
    if state in UNDECIDED and actor.pk == dispute.filer_id:
        found.append("withdraw")
    return found


def may_decide(dispute: Dispute, actor: Actor) -> bool:
    """Staff who may `dispute_decide` and are not a side of the contract."""
    return staff_may(actor, "dispute_decide") and side_of(dispute, actor) is None


def require_filer(dispute: Dispute, actor: Actor) -> None:
    """Raise NotAllowed for anybody but the person who opened it."""
    if actor.pk != dispute.filer_id:
        raise NotAllowed("dispute_withdraw_not_yours", "Only the person who opened a dispute can withdraw it.")


def require_decider(dispute: Dispute, actor: Actor) -> None:
    """Raise NotAllowed for anybody but staff who may decide and stand outside the contract; an appeal goes to another person."""
    if not may_decide(dispute, actor):
        raise NotAllowed("dispute_settle_not_yours", "Only staff who may decide disputes and are no side of the contract can do that.")
    if dispute.state == "appealed" and actor.pk == dispute.first_decider_id:
        raise NotAllowed("dispute_appeal_not_yours", "You took the decision that is appealed: somebody else decides now.")


def is_small(dispute: Dispute) -> bool:
    """A small claim: at most SMALL_CLAIM_USD_MINOR. It skips the evidence stage. Unknown rates make no claim small."""
    there = worth(Money(dispute.held_minor, dispute.currency), "USD")
    return there is not None and there.minor <= settings.SMALL_CLAIM_USD_MINOR
