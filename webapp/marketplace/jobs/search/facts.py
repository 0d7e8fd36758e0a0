"""What the documents of both shelves need to know about people: who hired, who was hired, and how they are rated."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Count, Q
from django.db.models.signals import post_migrate

from marketplace.core import ports

from ..models import Category, Job, Proposal, Skill

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


def rating_facts(rating: dict[str, Any] | None) -> dict[str, int]:
    """The fields rated (the interval's lower end × 100), rated_mean, rated_high and reviews; all 0 before the first review."""
    told = rating or {"low": 0, "mean": 0, "high": 0, "count": 0}
    return {
        "rated": round(100 * told["low"]),
        "rated_mean": round(100 * told["mean"]),
        "rated_high": round(100 * told["high"]),
        "reviews": told["count"],
    }


RATING_FIELDS = ("rated", "rated_mean", "rated_high", "reviews")


def rating_told(read: Mapping[str, int]) -> dict[str, Any]:
    """The rating out of RATING_FIELDS; empty before the first review."""
    if not read["reviews"]:
        return {}
    return {"mean": read["rated_mean"] / 100, "low": read["rated"] / 100, "high": read["rated_high"] / 100, "count": read["reviews"]}


def ratings_of(user_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    return ports.ratings_of.first(user_ids=set(user_ids))


def skills_by_id() -> dict[int, tuple[str, str]]:
    """Every skill's slug and name; one query."""
    return {pk: (slug, name) for pk, slug, name in Skill.objects.values_list("pk", "slug", "name")}


def categories_by_id() -> dict[int, str]:
    return dict(Category.objects.values_list("pk", "slug"))


T = TypeVar("T", Category, Skill)


class _Remembered(Generic[T]):
    """Rows of a small table by id and by slug, remembered for a minute in this process; what is missing is looked up at once."""

    SECONDS = 60.0

    def __init__(self, model: type[T]) -> None:
        self._model: type[T] = model
        self._by_id: dict[int, T] = {}
        self._by_slug: dict[str, T] = {}
        self._until = 0.0

    def forget(self, **_: Any) -> None:
        self._until = 0.0

    def by_id(self, ids: Iterable[int]) -> dict[int, T]:
        self._refresh()
        wanted = set(ids)
        if missing := wanted - self._by_id.keys():
            self._take(self._model.objects.filter(pk__in=missing))
        return {pk: self._by_id[pk] for pk in wanted if pk in self._by_id}

    def by_slug(self, slugs: Iterable[str]) -> dict[str, T]:
        self._refresh()
        wanted = list(slugs)
        if missing := [s for s in wanted if s not in self._by_slug and "\x00" not in s]:
            self._take(self._model.objects.filter(slug__in=missing))
        return {s: self._by_slug[s] for s in wanted if s in self._by_slug}

    def _refresh(self) -> None:
        if time.monotonic() >= self._until:
            self._by_id, self._by_slug, self._until = {}, {}, time.monotonic() + self.SECONDS

    def _take(self, rows: Iterable[T]) -> None:
        for row in rows:
            self._by_id[row.pk] = self._by_slug[row.slug] = row


_categories, _skills = _Remembered(Category), _Remembered(Skill)
# a database that is laid anew gives its ids again
post_migrate.connect(_categories.forget)
post_migrate.connect(_skills.forget)


def categories_with(ids: Iterable[int]) -> dict[int, Category]:
    """Those of the categories that exist, by id; at most a minute old."""
    return _categories.by_id(ids)


def skills_with(ids: Iterable[int]) -> dict[int, Skill]:
    """Those of the skills that exist, by id; at most a minute old."""
    return _skills.by_id(ids)


def categories_known(slugs: Iterable[str]) -> dict[str, str]:
    """Those of the categories that exist, with their names; at most a minute old."""
    return {slug: row.name for slug, row in _categories.by_slug(slugs).items()}


def skill_names(slugs: Iterable[str]) -> dict[str, str]:
    """Those of the skills that exist, with their names; at most a minute old."""
    return {slug: row.name for slug, row in _skills.by_slug(slugs).items()}


def skills_known(slugs: Iterable[str]) -> set[str]:
    return set(skill_names(slugs))


_merged: tuple[float, dict[str, str]] = (0.0, {})


def skills_meant(slugs: Iterable[str]) -> list[str]:
    """The slugs, those of merged skills replaced by the ones they were merged into, each once; at most a minute old."""
    global _merged
    if time.monotonic() >= _merged[0]:
        rows = Skill.objects.filter(merged_into__isnull=False).values_list("slug", "merged_into__slug")
        _merged = (time.monotonic() + _Remembered.SECONDS, dict(rows))
    return list(dict.fromkeys(_merged[1].get(s, s) for s in slugs))
