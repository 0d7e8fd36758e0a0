"""What a person was told, and how they want to hear; and that it goes when they leave."""

from __future__ import annotations

from marketplace.core.events import handler
from marketplace.core.models import Event
from marketplace.core.personal import Part, rows_of

from .models import InboxItem, Letter, Preference


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data."""
    return {
        "inbox": rows_of(InboxItem.objects.filter(user=user_id), "id", "kind", "text", "link", "created_at", "read_at"),
        "letter_preferences": rows_of(Preference.objects.filter(user=user_id), "pace", "by_topic", "quiet_from", "quiet_to", "digest_at"),
        "letters": rows_of(Letter.objects.filter(user=user_id), "item_id", "topic", "state", "due_at", "sent_at"),
    }


@handler("closing.erase", name="notifications.closing_erase")
def erase(event: Event) -> None:
    """Empty the inbox of whoever left, with the letters and preferences. Safe to run twice."""
    user_id = event.after["user_id"]
    Letter.objects.filter(user=user_id).delete()
    InboxItem.objects.filter(user=user_id).delete()
    Preference.objects.filter(user=user_id).delete()
