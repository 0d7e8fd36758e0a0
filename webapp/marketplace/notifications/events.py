"""Every event kind that somebody is told of has one handler here."""

from __future__ import annotations

from marketplace.core.events import handler
from marketplace.core.models import Event

from . import services
from .policies import RULES


def into_inbox(event: Event) -> None:
    """Safe to run twice: an event reaches an inbox once."""
    services.tell(event=event)


for _kind in RULES:
    handler(_kind, name="notifications.inbox")(into_inbox)
