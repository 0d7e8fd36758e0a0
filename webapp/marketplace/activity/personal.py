"""What was captured of a person."""

from __future__ import annotations

from marketplace.core.events import handler
from marketplace.core.models import Event
from marketplace.core.personal import Part, rows_of

from .models import Impression, Search, View


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data."""
    return {
        "impressions": rows_of(
            Impression.objects.filter(user_id=user_id),
            *("id", "batch", "surface", "item_type", "item_id", "position", "propensity", "score", "ranking", "shown_at"),
        ),
        "searches": rows_of(Search.objects.filter(user_id=user_id), "id", "surface", "query", "filters", "hits", "searched_at"),
        "views": rows_of(View.objects.filter(user_id=user_id), "id", "item_type", "item_id", "batch", "viewed_at"),
    }


@handler("closing.erase", name="activity.closing_erase")
def erase(event: Event) -> None:
    """Blank what whoever left typed into searches; what remains names objects and a number that is nobody's any more. Safe to run twice."""
    Search.objects.filter(user_id=event.after["user_id"]).update(query="", filters={})
