"""Reading one proposal in full: its receipt, the versions of its terms, the movements of its bid credits, its files."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from marketplace.core.models import Event
from marketplace.core.policies import Actor, require

from .models import BidCreditMovement, ProposalVersion
from .policies import proposals_visible_to, role_in_proposal
from .selectors import proposal_for, proposals_told


def proposal_receipt(actor: Actor, proposal_id: int) -> dict[str, Any]:
    """What became of a bid and everything that happened to it, for its freelancer and for staff. Raises NotFound, NotAllowed for the client."""
    proposal = proposal_for(actor, proposal_id)
    role = role_in_proposal(actor, proposal)
    require(role != "client", "proposal_receipt_not_yours", "A receipt is for the freelancer who sent the proposal.")
    sides = {proposal.job.client_id: "client", proposal.freelancer_id: "freelancer", None: "clock"}
    facts = Event.objects.filter(aggregate_type="jobs.proposal", aggregate_id=proposal.pk).order_by("version")
    told = [
        {"at": e.occurred_at, "what": e.kind.partition(".")[2], "by": sides.get(e.actor_id, "staff"), "reason": e.reason} for e in facts
    ]
    line = {"proposal": proposal.pk, "state": proposal.state, "sent_at": proposal.submitted_at}
    return {**line, **proposals_told(actor, [proposal])[0]["receipt"], "history": told}


def proposal_versions(actor: Actor, proposal_id: int) -> list[dict[str, Any]]:
    """Every version of a bid's terms, the one that holds first, for both sides. Raises NotFound."""
    proposal = proposal_for(actor, proposal_id)
    former = list(ProposalVersion.objects.filter(proposal=proposal).order_by("-number"))
    terms = ("amount_minor", "currency", "delivery_days", "milestones", "answers", "quote")
    current = {
        "number": former[0].number + 1 if former else 1,
        "sent_at": former[0].replaced_at if former else proposal.submitted_at,
        "replaced_at": None,
    }
    rows = [(current, proposal), *(({"number": v.number, "sent_at": v.sent_at, "replaced_at": v.replaced_at}, v) for v in former)]
    return [{**line, **{name: getattr(row, name) for name in terms}} for line, row in rows]


def credit_movements(freelancer: Actor) -> QuerySet[BidCreditMovement]:
    """Every movement of the freelancer's bid credits, with the post of the bid that it is about."""
    return BidCreditMovement.objects.filter(account=freelancer.pk).select_related("proposal__job")


def reads_file(*, actor: Actor, attached_type: str, attached_id: int) -> bool | None:
    """The answer to ports.file_readers: what was sent with a proposal is read by whoever sees the proposal."""
    return proposals_visible_to(actor).filter(pk=attached_id).exists() if attached_type == "jobs.proposal" else None
