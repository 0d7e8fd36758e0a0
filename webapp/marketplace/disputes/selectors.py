"""Reading disputes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from marketplace.contracts.selectors import submissions_of
from marketplace.contracts.selectors import visible_to as contracts_visible_to
from marketplace.core.money import Money
from marketplace.core.policies import Actor, one_of, staff_may
from marketplace.messaging.selectors import answering

from .models import Dispute, Evidence
from .precedents import precedents
from .proposal import Facts
from .states import LIVE

__all__ = [
    "dispute_for",
    "dispute_locked",
    "due_ids",
    "facts_of",
    "newest_of",
    "of_side",
    "precedents",
    "queue",
    "reads_file",
    "visible_to",
]


def visible_to(actor: Actor) -> QuerySet[Dispute]:
    """The disputes on contracts that the actor may see."""
    within = Dispute.objects.select_related("milestone__contract")
    return within.filter(milestone__contract__in=contracts_visible_to(actor))


def of_side(actor: Actor) -> QuerySet[Dispute]:
    """The disputes in which the actor is a side."""
    mine = Q(milestone__contract__client=actor.pk) | Q(milestone__contract__freelancer=actor.pk)
    return Dispute.objects.select_related("milestone__contract").filter(mine)


def queue() -> QuerySet[Dispute]:
    """What waits for staff: live disputes in which a decision is due."""
    return Dispute.objects.select_related("milestone__contract").filter(state__in=("decision", "appealed"))


def dispute_for(actor: Actor, dispute_id: int) -> Dispute:
    """Raises NotFound when it is absent or not the actor's."""
    return one_of(visible_to(actor), dispute_id, "dispute")


def newest_of(*, milestone_ids: Collection[int]) -> dict[int, int]:
    """The answer to ports.disputes_of."""
    rows = Dispute.objects.filter(milestone_id__in=milestone_ids).order_by("pk")
    return dict(rows.values_list("milestone_id", "pk"))


def reads_file(*, actor: Actor, attached_type: str, attached_id: int) -> bool | None:
    """The answer to ports.file_readers: evidence is read by the two sides and by staff who decide disputes."""
    if attached_type != "disputes.evidence":
        return None
    dispute_id = Evidence.objects.filter(pk=attached_id).values_list("dispute_id", flat=True).first()
    readable = Dispute.objects.all() if staff_may(actor, "dispute_decide") else of_side(actor)
    return dispute_id is not None and readable.filter(pk=dispute_id).exists()


def dispute_locked(dispute_id: int) -> Dispute:
    """The dispute, re-read under its row lock; taken after the contract's."""
    return Dispute.objects.select_for_update().get(pk=dispute_id)


def due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Live disputes whose stage has ended, or whose held money has reached its limit; the service decides again under lock."""
    too_old = now - timedelta(days=settings.HOLD_LIMIT_DAYS)
    overdue = Q(decide_by__lte=now) & (~Q(state__in=("decision", "appealed")) | Q(late_at__isnull=True))
    aged = Q(milestone__funded_at__lte=too_old) | Q(milestone__held_since__lte=too_old)
    limit_reached = aged & Q(state__in=("negotiation", "proposal", "evidence"))
    due = Dispute.objects.filter(Q(state__in=LIVE) & (overdue | limit_reached))
    return list(due.order_by("decide_by", "id").values_list("id", flat=True)[:limit])


def facts_of(dispute: Dispute) -> Facts:
    """What the proposal is computed from: the work until now, and the messages from the contract's start until the dispute was opened."""
    milestone, contract = dispute.milestone, dispute.milestone.contract
    versions = submissions_of(milestone.pk)
    newest = versions[-1] if versions else None
    like = precedents(
        category_id=contract.job.category_id,
        filer="client" if dispute.filer_id == contract.client_id else "freelancer",
        amount=Money(dispute.held_minor, dispute.currency),
        leave_out=dispute.pk,
    )
    messages = answering(
        job_id=contract.job_id,
        client_id=contract.client_id,
        freelancer_id=contract.freelancer_id,
        since=contract.started_at or contract.offered_at,
        until=dispute.opened_at,
        within=timedelta(days=settings.DISPUTE_ANSWER_DAYS),
    )
    return Facts(
        milestone_id=milestone.pk,
        acceptance_items=len(milestone.acceptance),
        submission_ids=tuple(v.pk for v in versions),
        first_submitted_at=versions[0].submitted_at if versions else None,
        last_submission_objected=newest is not None and newest.change_requested_at is not None,
        unmet_items=len(newest.unmet) if newest is not None else 0,
        due_at=milestone.due_at,
        messages=messages,
        precedents=like.told(),
    )
