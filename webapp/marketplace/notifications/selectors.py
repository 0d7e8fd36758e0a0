"""Reading the inbox."""

from __future__ import annotations

from django.db.models import QuerySet

from marketplace.core.policies import Actor, one_of

from .models import InboxItem


def inbox_of(actor: Actor) -> QuerySet[InboxItem]:
    """The actor's own items."""
    return InboxItem.objects.filter(user_id=actor.pk)


def item_for(actor: Actor, item_id: int) -> InboxItem:
    """Raises NotFound when it is absent or somebody else's."""
    return one_of(inbox_of(actor), item_id, "notification")
