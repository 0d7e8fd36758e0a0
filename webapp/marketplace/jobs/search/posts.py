"""The search over open public posts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.core.policies import Actor, Seer
from marketplace.core.prepared import Statement
from marketplace.payments.selectors import worth

from ..models import Job, JobSkill, Skill
from ..policies import jobs_searched_by, jobs_taking_bids
from . import engine, facts
from .engine import COMPARED_IN, Filtered, Order, Place, Profile
from .reasons import Reasons, told_age
from .shelf import Facts, Shelf, Source, fact_fields, new_schema, number_fields, text_fields
from .spoken import Weights
from .words import indexed

RANKING = "search-2"
RECENCY_WEIGHT, RECENCY_DAYS = 0.1, 14.0
FACETS = ("category", "skill", "pricing", "level", "country")
Sort = Literal["relevance", "newest", "budget"]
_ORDERS = {"newest": Order("opened"), "budget": Order("worth")}
_COLUMNS = (
    "pk", "client_id", "title", "description", "category__slug", "pricing", "currency", "budget_min_minor", "budget_max_minor",
    "experience_level", "location_country", "proposal_count", "opened_at", "client__country", "client__time_zone",
    "client__client_profile__payment_verified",
)  # fmt: skip


#: what a card shows
_SHOWN = (
    "state", "title", "description", "category_id", "pricing", "currency", "budget_min_minor", "budget_max_minor", "duration_days",
    "experience_level", "location_country", "proposal_count", "opened_at", "expires_at", "client__display_name", "client__country",
)  # fmt: skip


def _source() -> Source:
    build = new_schema()
    number_fields(build, "opened", "worth", "low", "high", "client", "bids", "hire_rate", *facts.RATING_FIELDS)
    fact_fields(build, "category", "skill", "pricing", "level", "currency", "country", "place", "zone", "verified")
    text_fields(build, "text")
    return Source("jobs", "4", build.build(), _after, _of)


def _searchable() -> Any:
    return jobs_taking_bids().filter(visibility=Job.Visibility.PUBLIC, opened_at__isnull=False)


def _after(pk: int, limit: int) -> tuple[list[Facts], int | None]:
    rows = list(_searchable().filter(pk__gt=pk).order_by("pk").values(*_COLUMNS)[:limit])
    return _facts(rows), rows[-1]["pk"] if rows else None


def _of(ids: Sequence[int]) -> list[Facts]:
    return _facts(list(_searchable().filter(pk__in=ids).values(*_COLUMNS)))


def _facts(rows: Sequence[dict[str, Any]]) -> list[Facts]:
    clients = {r["client_id"] for r in rows}
    records, ratings = facts.records_of(clients), facts.ratings_of(clients)
    asked: dict[int, list[tuple[str, str]]] = {r["pk"]: [] for r in rows}
    for job, slug, name in JobSkill.objects.filter(job__in=list(asked)).values_list("job", "skill__slug", "skill__name"):
        asked[job].append((slug, name))
    return [_one(r, sorted(asked[r["pk"]]), records.get(r["client_id"]), ratings.get(r["client_id"])) for r in rows]


def _one(r: dict[str, Any], asked: list[tuple[str, str]], record: facts.Record | None, rating: dict[str, Any] | None) -> Facts:
    low, high = r["budget_min_minor"], r["budget_max_minor"] or r["budget_min_minor"]
    compared = worth(Money(high, r["currency"]), COMPARED_IN) if high is not None else None
    found = {
        "id": r["pk"],
        "opened": int(r["opened_at"].timestamp()),
        "worth": compared.minor if compared else 0,
        "low": low,
        "high": high if low is not None else None,
        "client": r["client_id"],
        "bids": r["proposal_count"],
        "hire_rate": record.hire_rate if record else None,
        "category": r["category__slug"],
        "skill": [slug for slug, _ in asked],
        "pricing": r["pricing"],
        "level": r["experience_level"],
        "currency": r["currency"],
        "country": r["client__country"],
        "place": r["location_country"] or "anywhere",
        "zone": r["client__time_zone"],
        "verified": "yes" if r["client__client_profile__payment_verified"] else "no",
        # twice the title: a word there says more of the post, and one text ranks better than a sum over fields (docs/search.md)
        "text": indexed("\n".join([r["title"], r["title"], *(name for _, name in asked), r["description"]])),
        **facts.rating_facts(rating),
    }
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _adjust(scores: list[float], read: Mapping[str, Sequence[Any]], as_of: int) -> list[float]:
    return [s * (1 + RECENCY_WEIGHT * engine.recency(as_of - at, RECENCY_DAYS)) for s, at in zip(scores, read["opened"], strict=True)]


SHELF = Shelf(_source())
PROFILE = Profile(Weights(skill=0.5, name=0.1), "opened", ("opened",), _adjust, FACETS)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a post must be: slugs, codes and numbers. Amounts are minor units of `currency`, compared across currencies by the stored rates.

    `clients`: only posts of these (the viewer's former clients). `rating_min` is held by the lower bound of the client's interval.
    """

    category: str = ""
    skills: tuple[str, ...] = ()
    skills_mode: Literal["all", "any"] = "any"
    pricing: str = ""
    level: str = ""
    budget_min: int | None = None
    budget_max: int | None = None
    currency: str = "USD"
    posted_within_days: int | None = None
    country: str = ""
    location: str = ""
    overlap_hours: int | None = None
    time_zone: str = "UTC"
    proposals_max: int | None = None
    hire_rate_min: int | None = None
    rating_min: float | None = None
    payment_verified: bool = False
    worked_before: bool = False
    clients: tuple[int, ...] = field(default=(), compare=False)

    def told(self) -> dict[str, Any]:
        """Only those that are set, as plain JSON."""
        return engine.filters_told(engine.values_of(self), derived="clients", price=("budget_min", "budget_max"))


@dataclass(frozen=True, slots=True)
class Hit:
    """One post and why: `reasons` are (kind, text). `estimate`: its price in the currency that was asked for, when it has another."""

    job: Job
    position: int
    score: float
    skills: list[Skill]
    reasons: list[dict[str, str]] = field(default_factory=list)
    estimate: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page. `loosened`: no post has all the words, these have some. `after` is where the next page continues, None at the end."""

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
) -> Found:
    """The next posts after the place that the actor may see, that are still open and that the actor has not hidden, best first.

    The index proposes, the database decides. Totals and facet counts are the index's: they may lag behind by a delivery.
    """
    as_of = int(clock.now().timestamp()) if after is None else after.as_of
    order = _ORDERS.get(sort)
    found = engine.search(
        SHELF,
        PROFILE,
        text,
        _queries(filters, as_of),
        order=order,
        after=after,
        as_of=as_of,
        facets=facets,
        facets_key=engine.facets_key(text, {**engine.values_of(filters), "minute": as_of // 60 if filters.posted_within_days else 0})
        if facets
        else "",
    )
    page, following = engine.page_of(found, lambda ids: _open(actor, ids), after, as_of, limit)
    skills = _skills(job.pk for job, _ in page)
    why = Reasons(found.reading)
    shown = after.shown if after else 0
    hits = []
    for i, (job, row) in enumerate(page, start=shown + 1):
        mine = skills.get(job.pk, [])
        other = filters.currency if filters.budget_min is not None or filters.budget_max is not None else job.currency
        price = engine.estimate(job.budget_min_minor, job.budget_max_minor, job.currency, other)
        hits.append(Hit(job, i, row.score, mine, _reasons(why, filters, job, mine, price, as_of), price))
    return Found(hits, found.total, found.loosened, following, as_of, found.facets)


def _open(actor: Actor, ids: Sequence[int]) -> dict[int, Job]:
    """Those of the posts that the actor may find now, with what cards show; one query."""
    found = {job.pk: job for job in _STILL_OPEN(pk=actor.pk, ids=list(ids))}
    categories = facts.categories_with({job.category_id for job in found.values()})
    for job in found.values():
        job.category = categories[job.category_id]
    return found


_STILL_OPEN: Statement[Job] = Statement(
    lambda pk, ids: jobs_searched_by(Seer(pk, False)).filter(pk__in=ids).select_related("client").only(*_SHOWN)
)


def _skills(ids: Iterable[int]) -> dict[int, list[Skill]]:
    """What each post asks for, by name; one query."""
    asked = _ASKED(job_ids=set(ids))
    known = facts.skills_with({skill for _, skill in asked})
    found: dict[int, list[Skill]] = defaultdict(list)
    for job, skill in asked:
        if skill in known:
            found[job].append(known[skill])
    for rows in found.values():
        rows.sort(key=lambda s: s.name)
    return found


_ASKED: Statement[tuple[int, int]] = Statement(lambda job_ids: JobSkill.objects.filter(job__in=job_ids).values_list("job_id", "skill_id"))


def _queries(filters: Filters, as_of: int) -> list[Filtered]:
    f, found = filters, []
    for facet, value in (("category", f.category), ("pricing", f.pricing), ("level", f.level), ("country", f.country)):
        if value:
            found.append(Filtered(engine.one_of_facts(SHELF, facet, [value]), facet))
    if f.skills:
        together = engine.every_fact if f.skills_mode == "all" else engine.one_of_facts
        found.append(Filtered(together(SHELF, "skill", f.skills), "" if f.skills_mode == "all" else "skill"))
    if f.budget_min is not None or f.budget_max is not None:
        found.append(Filtered(engine.money_between(SHELF, f.budget_min, f.budget_max, f.currency, ("low", "high"))))
    if f.posted_within_days is not None:
        since = as_of - int(timedelta(days=f.posted_within_days).total_seconds())
        found.append(Filtered(engine.at_least(SHELF, "opened", since)))
    if f.location:
        found.append(Filtered(engine.one_of_facts(SHELF, "place", [f.location, "anywhere"])))
    if f.overlap_hours is not None:
        found.append(Filtered(engine.zones_overlapping(SHELF, f.time_zone, f.overlap_hours, clock.now().date())))
    if f.proposals_max is not None:
        found.append(Filtered(engine.at_most(SHELF, "bids", f.proposals_max)))
    if f.hire_rate_min is not None:
        found.append(Filtered(engine.at_least(SHELF, "hire_rate", f.hire_rate_min)))
    if f.rating_min is not None:
        found.append(Filtered(engine.at_least(SHELF, "rated", round(100 * f.rating_min))))
    if f.payment_verified:
        found.append(Filtered(engine.one_of_facts(SHELF, "verified", ["yes"])))
    if f.worked_before:
        found.append(Filtered(engine.one_of_numbers(SHELF, "client", f.clients)))
    return found


def _reasons(why: Reasons, f: Filters, job: Job, skills: Sequence[Skill], price: Any, as_of: int) -> list[dict[str, str]]:
    found = why.words({"title": job.title, "description": job.description})
    wanted = why.skills | set(f.skills)
    if asked := [s.name for s in skills if s.slug in wanted]:
        found.append({"kind": "skill", "text": f"Asks for {', '.join(asked)}"})
    met = []
    if f.pricing:
        met.append("Paid by the hour" if job.pricing == "hourly" else "Fixed price")
    if f.budget_min is not None or f.budget_max is not None:
        met.append(f"Within your budget range (estimated from {job.currency})" if price else "Within your budget range")
    if f.level:
        met.append(f"For {job.experience_level} level")
    if f.category:
        met.append(f"In {job.category.name}")
    if f.country:
        met.append(f"The client is in {f.country}")
    if f.location:
        met.append(f"Open to people in {f.location}" if job.location_country else "Open to people anywhere")
    if f.overlap_hours is not None:
        met.append(f"At least {f.overlap_hours} working hours in common")
    if f.proposals_max is not None:
        met.append(f"At most {f.proposals_max} proposals so far")
    if f.hire_rate_min is not None:
        met.append(f"The client hires for at least {f.hire_rate_min} % of their posts")
    if f.rating_min is not None:
        met.append(f"The client is rated {f.rating_min:g} or better, with the interval's lower end")
    if f.payment_verified:
        met.append("The client's payment is verified")
    if f.worked_before:
        met.append("You have worked for this client")
    found += [{"kind": "filter", "text": text} for text in met]
    found.append({"kind": "recency", "text": told_age("Posted", job.opened_at, as_of)})
    return found
