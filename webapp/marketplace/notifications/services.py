"""Filling and reading the inbox."""

from __future__ import annotations

from marketplace.accounts.models import User
from marketplace.core import clock
from marketplace.core.models import Event
from marketplace.core.transactions import unit_of_work

from .models import InboxItem
from .policies import notices
from .selectors import item_for


@unit_of_work
def tell(*, event: Event) -> int:
    """Put an event into the inboxes of those it concerns; once a person however often it is delivered. Returns how many were new."""
    new = 0
    for notice in notices(event):
        _, created = InboxItem.objects.get_or_create(
            user_id=notice.user_id,
            event_id=event.pk,
            defaults={"kind": event.kind, "text": notice.text, "link": notice.link, "created_at": event.occurred_at},
        )
        new += created
    return new


@unit_of_work
def item_read(*, actor: User, item_id: int) -> InboxItem:
    """Mark an item as read; the first time stands. Raises NotFound."""
    item = item_for(actor, item_id)
    InboxItem.objects.filter(pk=item.pk, read_at__isnull=True).update(read_at=clock.now())
    item.refresh_from_db()
    return item
