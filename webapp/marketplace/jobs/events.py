"""What jobs do when facts become known: the search index follows the posts."""

from __future__ import annotations

from marketplace.core import events
from marketplace.core.models import Event

from . import search

#: every event after which a post may appear in, change in or vanish from the search
FOLLOWED = ("publish", "clear", "renew", "update", "hold", "close", "fill", "expire", "remove")


def follow(event: Event) -> None:
    """Bring the post's search document up to date."""
    search.sync([event.aggregate_id])


def connect() -> None:
    """Called once by the app's config."""
    for action in FOLLOWED:
        events.handler(f"job.{action}", name="jobs.search")(follow)
