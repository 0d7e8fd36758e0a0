"""What the documents of both shelves need to know about people: who hired, who was hired, and how they are rated."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from marketplace.core import ports

from ..models import Category, Job, JobMark, Proposal, Skill

#: a post that ended without a hire for no fault of moderation counts against the share
ENDED = ("filled", "closed", "expired")


@dataclass(frozen=True, slots=True)
class Record:
    """A client's posts that ended, and how many of them with a hire."""

    ended: int
    filled: int

    @property
    def hire_rate(self) -> int | None:
        """Percent, None before the first post has ended."""
        return round(100 * self.filled / self.ended) if self.ended else None


def records_of(client_ids: Iterable[int]) -> dict[int, Record]:
    """One query."""
    rows = Job.objects.filter(client__in=set(client_ids), state__in=ENDED, opened_at__isnull=False).values("client")
    counted = rows.annotate(ended=Count("pk"), filled=Count("pk", filter=Q(state="filled"))).order_by()
    return {r["client"]: Record(r["ended"], r["filled"]) for r in counted}


def hires_of(freelancer_ids: Iterable[int]) -> dict[int, int]:
    """How many offers each accepted; one query."""
    rows = Proposal.objects.filter(freelancer__in=set(freelancer_ids), state="accepted").values("freelancer")
    return {r["freelancer"]: r["n"] for r in rows.annotate(n=Count("pk")).order_by()}


def hired_by(client_id: int) -> list[int]:
    """Freelancers who worked for this client."""
    rows = Proposal.objects.filter(job__client=client_id, state="accepted")
    return sorted(set(rows.values_list("freelancer", flat=True)))


def clients_of(freelancer_id: int) -> list[int]:
    """Clients this freelancer worked for."""
    rows = Proposal.objects.filter(freelancer=freelancer_id, state="accepted")
    return sorted(set(rows.values_list("job__client", flat=True)))


def hidden_by(user_id: int) -> list[int]:
    """Posts that this person wants to see no more."""
    return list(JobMark.objects.filter(user=user_id, kind=JobMark.Kind.HIDDEN).values_list("job", flat=True))


def rating_facts(rating: dict[str, Any] | None) -> dict[str, int]:
    """The fields rated (lower bound × 100) and reviews; both 0 before the first review."""
    return {"rated": round(100 * rating["low"]), "reviews": rating["count"]} if rating else {"rated": 0, "reviews": 0}


def ratings_of(user_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    return ports.ratings_of.first(user_ids=set(user_ids))


def skills_by_id() -> dict[int, tuple[str, str]]:
    """Every skill's slug and name; one query."""
    return {pk: (slug, name) for pk, slug, name in Skill.objects.values_list("pk", "slug", "name")}


def categories_by_id() -> dict[int, str]:
    return dict(Category.objects.values_list("pk", "slug"))


@dataclass(frozen=True, slots=True)
class Terms:
    """Slug and name by id."""

    skills: dict[int, tuple[str, str]]
    categories: dict[int, tuple[str, str]]


def terms_named(skill_ids: Iterable[int], category_ids: Iterable[int | None]) -> Terms:
    """Two queries."""
    skills = Skill.objects.filter(pk__in=set(skill_ids)).values_list("pk", "slug", "name")
    categories = Category.objects.filter(pk__in={c for c in category_ids if c}).values_list("pk", "slug", "name")
    return Terms({pk: (s, n) for pk, s, n in skills}, {pk: (s, n) for pk, s, n in categories})


class _Names:
    """Slug → name of a small table, remembered for a minute in this process; what is missing is looked up at once."""

    SECONDS = 60.0

    def __init__(self, model: type[Category] | type[Skill]) -> None:
        self._model = model
        self._known: dict[str, str] = {}
        self._until = 0.0

    def of(self, slugs: Iterable[str]) -> dict[str, str]:
        wanted = list(slugs)
        if time.monotonic() >= self._until:
            self._known, self._until = {}, time.monotonic() + self.SECONDS
        if missing := [s for s in wanted if s not in self._known and "\x00" not in s]:
            self._known |= dict(self._model.objects.filter(slug__in=missing).values_list("slug", "name"))
        return {s: self._known[s] for s in wanted if s in self._known}


_categories, _skills = _Names(Category), _Names(Skill)


def categories_known(slugs: Iterable[str]) -> dict[str, str]:
    """Those of the categories that exist, with their names; at most a minute old."""
    return _categories.of(slugs)


def skill_names(slugs: Iterable[str]) -> dict[str, str]:
    """Those of the skills that exist, with their names; at most a minute old."""
    return _skills.of(slugs)


def skills_known(slugs: Iterable[str]) -> set[str]:
    return set(skill_names(slugs))


_merged: tuple[float, dict[str, str]] = (0.0, {})


def skills_meant(slugs: Iterable[str]) -> list[str]:
    """The slugs, those of merged skills replaced by the ones they were merged into, each once; at most a minute old."""
    global _merged
    if time.monotonic() >= _merged[0]:
        rows = Skill.objects.filter(merged_into__isnull=False).values_list("slug", "merged_into__slug")
        _merged = (time.monotonic() + _Names.SECONDS, dict(rows))
    return list(dict.fromkeys(_merged[1].get(s, s) for s in slugs))
