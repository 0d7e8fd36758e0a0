"""Disputes a person was a side of. Texts are handed out to whoever wrote them; what was decided belongs to both."""

from __future__ import annotations

from django.db.models import Q

from marketplace.core.personal import Obstacle, Part, rows_of

from .models import Dispute, Evidence, SplitOffer
from .states import LIVE

_CLIENT, _FREELANCER = "milestone__contract__client", "milestone__contract__freelancer"


def _mine(user_id: int) -> Q:
    return Q(**{_CLIENT: user_id}) | Q(**{_FREELANCER: user_id})


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data."""
    within = Dispute.objects.filter(_mine(user_id))
    side = Q(side="client", **{f"dispute__{_CLIENT}": user_id}) | Q(side="freelancer", **{f"dispute__{_FREELANCER}": user_id})
    return {
        "disputes": rows_of(
            within,
            *("id", "milestone_id", "state", "claimed_minor", "held_minor", "currency", "proposal", "client_accepted_at"),
            *("freelancer_accepted_at", "to_freelancer_minor", "to_client_minor", "opened_at", "responded_at", "decided_at"),
            *("decision_reason", "settled_at", "settled_by"),
        ),
        "dispute_claims": rows_of(within.filter(filer=user_id), "id", "claim", "opened_at"),
        "dispute_responses": rows_of(within.exclude(filer=user_id).filter(response__isnull=False), "id", "response", "responded_at"),
        "dispute_appeals": rows_of(within.filter(appellant=user_id), "id", "appeal_reason"),
        "dispute_offers": rows_of(SplitOffer.objects.filter(side), "dispute_id", "side", "to_freelancer_minor", "made_at"),
        "dispute_evidence": rows_of(Evidence.objects.filter(author=user_id), "id", "dispute_id", "text", "added_at"),
    }


def obstacles(*, user_id: int) -> list[Obstacle]:
    """The answer to ports.closing_obstacles: disputes that live."""
    live = Dispute.objects.filter(_mine(user_id), state__in=LIVE).count()
    return [Obstacle("disputes_open", f"You are a side of {live} open dispute(s): settle or withdraw them first.")] if live else []
