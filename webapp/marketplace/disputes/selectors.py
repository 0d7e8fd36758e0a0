"""Reading disputes."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from marketplace.contracts.selectors import visible_to as contracts_visible_to
from marketplace.core.policies import Actor, one_of

from .models import Dispute


def visible_to(actor: Actor) -> QuerySet[Dispute]:
    """The disputes on contracts that the actor may see."""
    within = Dispute.objects.select_related("milestone__contract")
    return within.filter(milestone__contract__in=contracts_visible_to(actor))


def dispute_for(actor: Actor, dispute_id: int) -> Dispute:
    """Raises NotFound when it is absent or not the actor's."""
    return one_of(visible_to(actor), dispute_id, "dispute")


def newest_of(*, milestone_ids: Collection[int]) -> dict[int, int]:
    """The answer to ports.disputes_of."""
    rows = Dispute.objects.filter(milestone_id__in=milestone_ids).order_by("pk")
    return dict(rows.values_list("milestone_id", "pk"))


def dispute_locked(dispute_id: int) -> Dispute:
    """The dispute, re-read under its row lock; taken after the contract's."""
    return Dispute.objects.select_for_update().get(pk=dispute_id)
