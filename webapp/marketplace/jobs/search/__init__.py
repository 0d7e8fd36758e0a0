"""Searching open posts and freelancers: tantivy read models fed by the outbox. The database decides again what is shown.

`posts` and `people` each have `find`, `Filters` and the `SHELF` that holds their index; docs/search.md publishes how they rank.
"""

from __future__ import annotations

from collections.abc import Callable

from . import people, posts
from .engine import DEPTH, Place
from .posts import RANKING, Filters, Found, Hit, find

__all__ = ["DEPTH", "RANKING", "Filters", "Found", "Hit", "Place", "find", "people", "posts", "rebuild", "sync"]


def rebuild(progress: Callable[[int], None] = lambda done: None) -> int:
    """Build both indexes anew and switch to them; searches and changes go on meanwhile. Returns the number of documents."""
    posts_done = posts.SHELF.rebuild(progress)
    return posts_done + people.SHELF.rebuild(lambda done: progress(posts_done + done))


def sync(job_ids: list[int]) -> None:
    """Bring these posts' documents to what the database says now; running it twice changes nothing more."""
    posts.SHELF.sync(job_ids)
