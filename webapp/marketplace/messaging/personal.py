"""A person's conversations, and the messages they wrote."""

from __future__ import annotations

from django.db.models import Q

from marketplace.core.personal import Part, rows_of

from .models import Conversation, Message


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data. What others wrote is theirs."""
    return {
        "conversations": rows_of(
            Conversation.objects.filter(Q(client=user_id) | Q(freelancer=user_id)),
            *("id", "job_id", "last_seq", "created_at"),
            client="client__display_name",
            freelancer="freelancer__display_name",
        ),
        "messages": rows_of(Message.objects.filter(author=user_id), "conversation_id", "seq", "text", "sent_at"),
    }
