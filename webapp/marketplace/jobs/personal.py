"""What a person's data export holds of posts and of what is kept around them: the answer to ports.personal_data."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db.models import Q, QuerySet

from .models import Invitation, Job, JobChange, JobMark, SavedSearch, SavedSearchMatch, ShortlistItem

_JOB = (
    "id", "state", "title", "description", "category__slug", "pricing", "currency", "budget_min_minor", "budget_max_minor", "duration_days",
    "experience_level", "location_country", "visibility", "preferred_start", "screening_questions", "proposal_count", "created_at", "opened_at",
    "expires_at", "ended_at", "moderation_reason",
)  # fmt: skip
_INVITATION = (
    "id", "job_id", "freelancer_id", "state", "message", "created_at", "sent_at", "answered_at", "decline_reason",
)  # fmt: skip


def export(*, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """File name → rows of plain JSON values. Of an invitation both sides get the row, a freelancer only once it was sent; a note on a
    shortlist belongs to the client who wrote it."""
    invited = Q(job__client=user_id) | Q(freelancer=user_id, sent_at__isnull=False)
    return {
        "posts": _rows(Job.objects.filter(client=user_id), _JOB),
        "post_changes": _rows(JobChange.objects.filter(actor=user_id), ("id", "job_id", "at", "before", "after")),
        "invitations": _rows(Invitation.objects.filter(invited), _INVITATION),
        "marked_posts": _rows(JobMark.objects.filter(user=user_id), ("job_id", "kind", "created_at")),
        "saved_searches": _rows(SavedSearch.objects.filter(user=user_id), ("id", "name", "parameters", "pace", "created_at")),
        "search_alerts": _rows(SavedSearchMatch.objects.filter(saved_search__user=user_id), ("saved_search_id", "job_id", "found_at")),
        "shortlists": _rows(
            ShortlistItem.objects.filter(shortlist__client=user_id),
            ("shortlist_id", "shortlist__name", "freelancer_id", "note", "added_at"),
        ),
    }


def _rows(found: QuerySet[Any], columns: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = found.order_by("pk").values(*columns).iterator(chunk_size=2000)
    return [{name.replace("__", "_"): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
