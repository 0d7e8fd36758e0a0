"""The right to read one's deadlines by a secret address."""

from __future__ import annotations

import secrets

from marketplace.accounts.models import User
from marketplace.core import clock
from marketplace.core.transactions import unit_of_work

from ..models import CalendarFeed


@unit_of_work
def calendar_feed_make(*, actor: User) -> CalendarFeed:
    """A new secret address for the actor's deadlines; the one before it, if any, stops working."""
    made = {"nonce": secrets.token_hex(16), "created_at": clock.now()}
    return CalendarFeed.objects.update_or_create(user=actor, defaults=made)[0]


@unit_of_work
def calendar_feed_revoke(*, actor: User) -> None:
    """Let the address stop working. Safe to repeat."""
    CalendarFeed.objects.filter(user=actor).delete()
