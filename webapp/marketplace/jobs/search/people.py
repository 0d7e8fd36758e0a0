"""The search over active freelancers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from marketplace.accounts.models import User
from marketplace.accounts.selectors import claimed_skills, freelancers_searched, freelancers_visible_to
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.core.policies import Actor
from marketplace.payments.selectors import worth

from . import engine, facts
from .engine import COMPARED_IN, Filtered, Order, Place, Profile
from .reasons import Reasons
from .shelf import Facts, Shelf, Source, fact_fields, new_schema, number_fields, text_fields
from .spoken import Weights
from .words import indexed

RANKING = "freelancers-1"
#: what a rating adds at most, and how the unrated count: as somebody whose interval begins in the middle
RATING_WEIGHT, UNRATED = 0.2, 300
#: what somebody counts who takes no work now
UNAVAILABLE = 0.7
FACETS = ("category", "skill", "level", "availability", "country")
Sort = Literal["relevance", "rating", "rate", "newest"]
_ORDERS = {"newest": Order("joined"), "rating": Order("rated"), "rate": Order("worth", ascending=True)}
#: where somebody without a rate stands when the cheapest come first
_LAST = 10**15


#: what a card shows
_SHOWN = ("display_name", "country", *(f"freelancer_profile__{name}" for name in (
    "title", "overview", "hourly_rate_minor", "currency", "experience_level", "years_experience", "availability", "hours_per_week",
    "category_id",
)))  # fmt: skip


def _source() -> Source:
    build = new_schema()
    number_fields(build, "joined", "worth", "rate", "years", "hours", "hires", "free", *facts.RATING_FIELDS)
    fact_fields(build, "category", "skill", "level", "availability", "currency", "country", "zone", "language")
    text_fields(build, "text")
    return Source("freelancers", "3", build.build(), _after, _of)


def _after(pk: int, limit: int) -> tuple[list[Facts], int | None]:
    rows = freelancers_searched(after=pk, limit=limit)
    return _facts(rows), rows[-1]["user_id"] if rows else None


def _of(ids: Sequence[int]) -> list[Facts]:
    return _facts(freelancers_searched(user_ids=ids))


def _facts(rows: Sequence[dict[str, Any]]) -> list[Facts]:
    if not rows:
        return []
    ids = [r["user_id"] for r in rows]
    claimed, hires, ratings = claimed_skills(ids), facts.hires_of(ids), facts.ratings_of(ids)
    skills, categories = facts.skills_by_id(), facts.categories_by_id()
    found: list[Facts] = []
    for r in rows:
        pk, rate = r["user_id"], r["hourly_rate_minor"]
        compared = worth(Money(rate, r["currency"]), COMPARED_IN) if rate is not None else None
        mine = [skills[s] for s, _ in claimed.get(pk, []) if s in skills]
        told = {
            "id": pk,
            "joined": int(r["created_at"].timestamp()),
            "worth": compared.minor if compared else _LAST,
            "rate": rate,
            "years": r["years_experience"],
            "hours": r["hours_per_week"],
            "hires": hires.get(pk, 0),
            "free": 0 if r["availability"] == "unavailable" else 1,
            "category": categories.get(r["category_id"]),
            "skill": sorted(slug for slug, _ in mine),
            "level": r["experience_level"],
            "availability": r["availability"],
            "currency": r["currency"],
            "country": r["user__country"],
            "zone": r["user__time_zone"],
            "language": sorted({str(spoken.get("code", "")) for spoken in r["languages"]} - {""}),
            "text": indexed("\n".join([r["title"], r["title"], *(name for _, name in mine), r["overview"]])),
            **facts.rating_facts(ratings.get(pk)),
        }
        found.append({name: value for name, value in told.items() if value is not None and value != ""})
    return found


def _adjust(scores: list[float], read: Mapping[str, Sequence[Any]], as_of: int) -> list[float]:
    facts_read = zip(scores, read["rated"], read["free"], strict=True)
    return [s * (1 + RATING_WEIGHT * (rated or UNRATED) / 500) * (1 if free else UNAVAILABLE) for s, rated, free in facts_read]


SHELF = Shelf(_source())
PROFILE = Profile(Weights(skill=0.5, name=0.1), "joined", ("rated", "free"), _adjust, FACETS)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a freelancer must be: slugs, codes and numbers. Rates are minor units of `currency` an hour, compared across currencies by the
    stored rates. `rating_min` is held by the lower bound of the interval; `users`: only these (who worked for the viewer)."""

    category: str = ""
    skills: tuple[str, ...] = ()
    skills_mode: Literal["all", "any"] = "any"
    level: str = ""
    rate_min: int | None = None
    rate_max: int | None = None
    currency: str = "USD"
    country: str = ""
    language: str = ""
    overlap_hours: int | None = None
    time_zone: str = "UTC"
    rating_min: float | None = None
    years_min: int | None = None
    hires_min: int | None = None
    hours_min: int | None = None
    availability: str = ""
    worked_before: bool = False
    users: tuple[int, ...] = field(default=(), compare=False)

    def told(self) -> dict[str, Any]:
        """Only those that are set, as plain JSON."""
        return engine.filters_told(engine.values_of(self), derived="users", price=("rate_min", "rate_max"))


@dataclass(frozen=True, slots=True)
class Hit:
    """One freelancer and why. `skills` are (slug, name), the best first; `rating` and `hires` are what the profile shows."""

    user: User
    position: int
    score: float
    category: tuple[str, str] | None
    skills: list[tuple[str, str]]
    rating: dict[str, Any]
    hires: int
    reasons: list[dict[str, str]]
    estimate: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Found:
    """A page; see posts.Found."""

    hits: list[Hit]
    total: int
    loosened: bool
    after: Place | None
    as_of: int
    facets: dict[str, list[tuple[str, int]]]


def find(
    actor: Actor,
    text: str,
    filters: Filters,
    *,
    sort: Sort = "relevance",
    after: Place | None = None,
    limit: int = 20,
    facets: Sequence[str] = (),
    without: Collection[int] = (),
) -> Found:
    """The next freelancers after the place that the actor may see, best first; none of the users `without`. The index proposes, the database
    decides."""
    as_of = int(clock.now().timestamp()) if after is None else after.as_of
    found = engine.search(
        SHELF,
        PROFILE,
        text,
        _queries(filters),
        order=_ORDERS.get(sort),
        after=after,
        as_of=as_of,
        facets=facets,
        facets_key=engine.facets_key(text, engine.values_of(filters)) if facets else "",
    )

    page, following = engine.page_of(found, lambda ids: _active(actor, [pk for pk in ids if pk not in without]), after, as_of, limit)
    claimed = claimed_skills([user.pk for user, _ in page])
    skills = facts.skills_with({s for rows in claimed.values() for s, _ in rows})
    categories = facts.categories_with({c for u, _ in page if (c := u.freelancer_profile.category_id) is not None})
    told = engine.told(found.view, [row for _, row in page], ("hires", *facts.RATING_FIELDS))
    why = Reasons(found.reading)
    hits = []
    for i, (user, row) in enumerate(page, start=(after.shown if after else 0) + 1):
        profile = user.freelancer_profile
        mine = [(skills[s].slug, skills[s].name) for s, _ in claimed.get(user.pk, []) if s in skills]
        ranged = filters.rate_min is not None or filters.rate_max is not None
        rate = profile.hourly_rate_minor
        price = engine.estimate(rate, rate, profile.currency, filters.currency if ranged else profile.currency)
        rating = facts.rating_told(told[user.pk])
        category = categories.get(profile.category_id or 0)
        named = (category.slug, category.name) if category else None
        reasons = _reasons(why, filters, user, named, mine, rating, price)
        hits.append(Hit(user, i, row.score, named, mine, rating, told[user.pk]["hires"], reasons, price))
    return Found(hits, found.total, found.loosened, following, as_of, found.facets)


def _active(actor: Actor, ids: Sequence[int]) -> dict[int, User]:
    """Those of the freelancers whom the actor may see now, with what cards show; one query."""
    return {u.pk: u for u in freelancers_visible_to(actor).filter(pk__in=ids).only(*_SHOWN)}


def _queries(filters: Filters) -> list[Filtered]:
    f, found = filters, []
    for facet, value in (("category", f.category), ("level", f.level), ("availability", f.availability), ("country", f.country)):
        if value:
            found.append(Filtered(engine.one_of_facts(SHELF, facet, [value]), facet))
    if f.skills:
        together = engine.every_fact if f.skills_mode == "all" else engine.one_of_facts
        found.append(Filtered(together(SHELF, "skill", f.skills), "" if f.skills_mode == "all" else "skill"))
    if f.rate_min is not None or f.rate_max is not None:
        found.append(Filtered(engine.money_between(SHELF, f.rate_min, f.rate_max, f.currency, ("rate", "rate"))))
    if f.language:
        found.append(Filtered(engine.one_of_facts(SHELF, "language", [f.language])))
    if f.overlap_hours is not None:
        found.append(Filtered(engine.zones_overlapping(SHELF, f.time_zone, f.overlap_hours, clock.now().date())))
    if f.rating_min is not None:
        found.append(Filtered(engine.at_least(SHELF, "rated", round(100 * f.rating_min))))
    for name, low in (("years", f.years_min), ("hires", f.hires_min), ("hours", f.hours_min)):
        if low is not None:
            found.append(Filtered(engine.at_least(SHELF, name, low)))
    if f.worked_before:
        found.append(Filtered(engine.one_of_numbers(SHELF, "id", f.users)))
    return found


def _met(f: Filters, user: User, named: tuple[str, str] | None, price: Any) -> list[str]:
    """Each filter that was asked for, in words; skills are told with those of the query."""
    profile = user.freelancer_profile
    ranged = f.rate_min is not None or f.rate_max is not None
    told: list[tuple[Any, str]] = [
        (f.category and named, f"Works in {named[1] if named else ''}"),
        (f.country, f"Works from {user.country}"),
        (f.level, f"{profile.get_experience_level_display()} level"),
        (ranged, f"Within your range of rates{f' (estimated from {profile.currency})' if price else ''}"),
        (f.availability, f"Availability: {profile.get_availability_display().lower()}"),
        (f.hours_min is not None, f"{profile.hours_per_week} hours a week"),
        (f.years_min is not None, f"{profile.years_experience} years of experience"),
        (f.overlap_hours is not None, f"At least {f.overlap_hours} working hours in common"),
        (f.hires_min is not None, f"Hired at least {f.hires_min} times"),
        (f.rating_min is not None, f"Rated {f.rating_min or 0:g} or better, with the interval's lower end"),
        (f.language, f"Speaks {f.language}"),
        (f.worked_before, "Has worked for you"),
    ]
    return [text for asked, text in told if asked]


def _reasons(
    why: Reasons,
    f: Filters,
    user: User,
    named: tuple[str, str] | None,
    skills: Sequence[tuple[str, str]],
    rating: dict[str, Any],
    price: Any,
) -> list[dict[str, str]]:
    profile = user.freelancer_profile
    found = why.words({"title": profile.title, "overview": profile.overview})
    wanted = why.skills | set(f.skills)
    if known := [name for slug, name in skills if slug in wanted]:
        found.append({"kind": "skill", "text": f"Knows {', '.join(known)}"})
    found += [{"kind": "filter", "text": text} for text in _met(f, user, named, price)]
    if rating:
        reviews = f"{rating['count']} review{'s' if rating['count'] > 1 else ''}"
        found.append(
            {"kind": "rating", "text": f"Rated {rating['mean']:.1f}, between {rating['low']:.1f} and {rating['high']:.1f}, by {reviews}"}
        )
    return found
