"""Saved searches, and the alerts that tell their owners of new posts.

A look asks the search for posts opened after `looked_at` and tells of those that were not told before: SavedSearchMatch remembers them. Because
the search index follows the posts with a delay, `looked_at` stays LOOK_BACK behind the present.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.accounts.services import user_locked
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict
from marketplace.core.policies import one_of
from marketplace.core.transactions import unit_of_work

from .. import search
from ..models import Job, SavedSearch, SavedSearchMatch
from ..search import facts
from ..selectors import skills_by_slug

LOOK_BACK = timedelta(days=3)
#: the most posts that one alert tells of; the search itself shows the others
MOST_TOLD = 100
_PAGE = 100


@unit_of_work
def saved_search_create(*, actor: User, name: str, parameters: Mapping[str, Any], pace: str = "daily") -> SavedSearch:
    """Keep a search. `parameters` are what the search's own reader made of them; the page's place in the list is left out.

    Raises InvalidInput, Conflict("saved_searches_full") beyond MAX_SAVED_SEARCHES.
    """
    name, pace = _checked(name, pace)
    user_locked(actor.pk)
    if SavedSearch.objects.filter(user=actor).count() >= settings.MAX_SAVED_SEARCHES:
        raise Conflict("saved_searches_full", f"You have {settings.MAX_SAVED_SEARCHES} saved searches: that is the most. Delete one first.")
    now = clock.now()
    return SavedSearch.objects.create(
        user=actor, name=name, parameters=dict(parameters), pace=pace, created_at=now, looked_at=now, look_at=_next(pace, now)
    )


@unit_of_work
def saved_search_update(
    *, actor: User, search_id: int, name: str | None = None, parameters: Mapping[str, Any] | None = None, pace: str | None = None
) -> SavedSearch:
    """Change what is given. Other words or filters, and a pace turned on again, begin anew: older posts are not told. Raises NotFound,
    InvalidInput."""
    kept = one_of(SavedSearch.objects.select_for_update().filter(user=actor), search_id, "saved search")
    was = (kept.parameters, kept.pace)
    kept.name, kept.pace = _checked(kept.name if name is None else name, kept.pace if pace is None else pace)
    if parameters is not None:
        kept.parameters = dict(parameters)
    now = clock.now()
    if kept.parameters != was[0] or was[1] == "off":
        kept.looked_at = now
    if kept.pace != was[1]:
        kept.look_at = _next(kept.pace, now)
    kept.save(update_fields=["name", "pace", "parameters", "looked_at", "look_at"])
    return kept


@unit_of_work
def saved_search_delete(*, actor: User, search_id: int) -> None:
    """With what it has told. Raises NotFound."""
    one_of(SavedSearch.objects.select_for_update().filter(user=actor), search_id, "saved search").delete()


@unit_of_work
def saved_search_look(*, search_id: int) -> int:
    """The clock's act: tell the owner of posts that are new since the last look, in one event; returns how many.

    Running it twice, or late, tells of no post twice. A search whose owner is suspended is not looked through.
    """
    kept = SavedSearch.objects.select_for_update().filter(pk=search_id).first()
    now = clock.now()
    if kept is None or kept.look_at is None or kept.look_at > now:
        return 0
    owner = User.objects.get(pk=kept.user_id)
    fresh = _fresh(owner, kept, now) if owner.is_active else []
    SavedSearchMatch.objects.bulk_create([SavedSearchMatch(saved_search=kept, job=job, found_at=now) for job in fresh])
    kept.looked_at = max(kept.looked_at, now - LOOK_BACK)
    kept.look_at = _next(kept.pace, now)
    kept.save(update_fields=["looked_at", "look_at"])
    if fresh:
        after = {"job_ids": [job.pk for job in fresh], "count": len(fresh)}
        events.record(aggregate=kept, kind="saved_search.match", actor_id=None, after=after)
    return len(fresh)


def _fresh(owner: User, kept: SavedSearch, now: datetime) -> list[Job]:
    """New posts of other people that match all the words and filters, the newest first, at most MOST_TOLD."""
    filters = _filters(owner, kept, now)
    if filters is None:
        return []
    told = set(SavedSearchMatch.objects.filter(saved_search=kept, job__opened_at__gt=kept.looked_at).values_list("job_id", flat=True))
    fresh: list[Job] = []
    after: search.Place | None = None
    while len(fresh) < MOST_TOLD:
        page = search.find(owner, kept.parameters.get("query", ""), filters, sort="newest", after=after, limit=_PAGE)
        if page.loosened:
            break
        new = [hit.job for hit in page.hits if hit.job.opened_at is not None and hit.job.opened_at > kept.looked_at]
        fresh += [job for job in new if job.pk not in told and job.client_id != owner.pk]
        after = page.after
        if after is None or len(new) < len(page.hits):
            break
    return fresh[:MOST_TOLD]


def _filters(owner: User, kept: SavedSearch, now: datetime) -> search.Filters | None:
    """The stored parameters as the search takes them, as their owner means them; None when the category or a skill is there no more, so that
    nothing can match."""
    asked = kept.parameters
    slugs = [s.strip() for s in asked.get("skills", "").split(",") if s.strip()]
    skills = skills_by_slug(slugs)
    category = asked.get("category", "")
    if len(skills) != len(set(slugs)) or (category and not facts.categories_known([category])):
        return None
    plain = {f.name for f in fields(search.Filters)} - {"skills", "time_zone", "clients", "posted_within_days"}
    days = (now - kept.looked_at).days + 1
    return search.Filters(
        **{name: value for name, value in asked.items() if name in plain},
        skills=tuple(sorted({s.slug for s in skills.values()})),
        time_zone=asked.get("time_zone") or owner.time_zone or "UTC",
        clients=tuple(facts.clients_of(owner.pk)) if asked.get("worked_before") else (),
        posted_within_days=min(days, asked.get("posted_within_days", days)),
    )


def _checked(name: str, pace: str) -> tuple[str, str]:
    checks = Checks()
    found = checks.text("name", name, longest=100, shortest=1), checks.choice("pace", pace, SavedSearch.Pace.values)
    checks.raise_if_any()
    return found


def _next(pace: str, now: datetime) -> datetime | None:
    if pace == SavedSearch.Pace.OFF:
        return None
    return now + (timedelta(minutes=settings.SAVED_SEARCH_INSTANT_MINUTES) if pace == SavedSearch.Pace.INSTANT else timedelta(days=1))
