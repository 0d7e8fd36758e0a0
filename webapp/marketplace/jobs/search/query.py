"""From words and filters to a page of posts, each with the reasons why it is there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import tantivy

from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.core.policies import Actor
from marketplace.payments.selectors import worth

from ..models import Job, Skill
from ..selectors import open_jobs, skills_of_jobs
from ..taxonomy import normalise
from .index import schema, searcher
from .words import parts, query_words, words

RANKING = "search-1"
#: how many of a query's best posts can be paged through
DEPTH = 500
WEIGHTS = {"title": 4.0, "skills": 3.0, "description": 1.0}
NAMED_SKILL_WEIGHT = 6.0
RECENCY_WEIGHT, RECENCY_DAYS = 0.3, 14.0
LONGEST_SKILL = 4

Sort = Literal["relevance", "newest", "budget"]
Query = tantivy.Query


@dataclass(frozen=True, slots=True)
class Filters:
    """What a post must be. Amounts are minor units of `currency` and are compared across currencies by the stored rates."""

    category_id: int | None = None
    skill_ids: tuple[int, ...] = ()
    skills_mode: Literal["all", "any"] = "any"
    pricing: str = ""
    level: str = ""
    budget_min: int | None = None
    budget_max: int | None = None
    currency: str = "USD"
    posted_within_days: int | None = None

    def told(self) -> dict[str, Any]:
        """Only those that are set, as plain JSON."""
        given = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items() if v not in (None, "", ())}
        if self.budget_min is None and self.budget_max is None:
            given.pop("currency", None)
        if not self.skill_ids:
            given.pop("skills_mode", None)
        return given


@dataclass(frozen=True, slots=True)
class Hit:
    """One post and why: `reasons` are (kind, text), kind one of words, skill, filter, recency."""

    job: Job
    position: int
    score: float
    reasons: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """A page. `loosened`: no post has all the words, these have some. `offset` is where the next page continues, None at the end."""

    hits: list[Hit]
    total: int
    loosened: bool
    offset: int | None
    as_of: int


def find(
    actor: Actor, text: str, filters: Filters, *, sort: Sort = "relevance", offset: int = 0, as_of: int | None = None, limit: int = 20
) -> Found:
    """The posts from `offset` on that the actor may see and that are still open, best first.

    Pages are stable: posts opened after the first page's `as_of` (unix seconds) do not push others down.
    """
    as_of = int(clock.now().timestamp()) if as_of is None else as_of
    terms = query_words(text)
    named = _named_skills(text, terms)
    view = searcher()
    must = _filter_queries(view, filters, as_of)
    ranked, total = _ranked(view, _all(_word_queries(terms, named, view) + must), sort, as_of)
    loosened = total == 0 and len(terms) > 1
    if loosened:
        some = Query.boolean_query([(tantivy.Occur.Should, q) for q in _word_queries(terms, named, view)])
        ranked, total = _ranked(view, _all([some, *must]), sort, as_of)
    page, next_offset = _allowed(actor, ranked, offset, limit)
    skills = skills_of_jobs(job.pk for job, _ in page)
    why = _Why(terms, {s for ids in named.values() for s in ids}, filters, as_of)
    hits = [Hit(job, offset + i, score, why.reasons(job, skills.get(job.pk, []))) for i, (job, score) in enumerate(page, start=1)]
    return Found(hits, total, loosened, next_offset, as_of)


def _allowed(actor: Actor, ranked: Sequence[tuple[int, float]], offset: int, limit: int) -> tuple[list[tuple[Job, float]], int | None]:
    """The next `limit` ranked posts that the database lets this actor see, and where to go on."""
    page: list[tuple[Job, float]] = []
    at = offset
    while len(page) < limit and at < len(ranked):
        chunk = ranked[at : at + limit]
        seen = open_jobs([pk for pk, _ in chunk], actor)
        for pk, score in chunk:
            if len(page) == limit:
                break
            at += 1
            if pk in seen:
                page.append((seen[pk], score))
    return page, at if at < len(ranked) else None


def _ranked(view: tantivy.Searcher, query: Query, sort: Sort, as_of: int) -> tuple[list[tuple[int, float]], int]:
    """Ids and scores in order, ties to the newer post, and how many match in all."""
    order_by = {"newest": "opened", "budget": "worth"}.get(sort)
    result = (
        view.search(query, limit=DEPTH, count=True, order_by_field=order_by) if order_by else view.search(query, limit=DEPTH, count=True)
    )
    found = []
    for score, address in result.hits:
        document = view.doc(address)
        opened = int(document["opened"][0])
        value = float(score) if order_by else float(score) * (1 + RECENCY_WEIGHT * _recency(as_of - opened))
        found.append((value, opened, int(document["id"][0])))
    found.sort(reverse=True)
    return [(pk, value) for value, _, pk in found], int(result.count)  # type: ignore[attr-defined]  # the stub lacks it


def _recency(age_seconds: float) -> float:
    return math.exp(-max(age_seconds, 0) / 86400 / RECENCY_DAYS)


def _all(queries: Sequence[Query]) -> Query:
    return Query.boolean_query([(tantivy.Occur.Must, q) for q in queries])


def _any(queries: Sequence[Query]) -> Query:
    return Query.boolean_query([(tantivy.Occur.Should, q) for q in queries])


def _named_skills(text: str, terms: Sequence[str]) -> dict[str, set[int]]:
    """For each word, the ids of skills that it names, alone or with its neighbours ("machine learning")."""
    spoken = text.split()[:40]
    slugs: dict[str, set[str]] = {}
    for size in range(1, LONGEST_SKILL + 1):
        for start in range(len(spoken) - size + 1):
            phrase = " ".join(spoken[start : start + size])
            match = normalise(phrase)
            if match.kind == "skill" and match.skill_slug:
                for word in words(phrase):
                    slugs.setdefault(word, set()).add(match.skill_slug)
    ids = dict(Skill.objects.filter(slug__in={s for found in slugs.values() for s in found}).values_list("slug", "pk")) if slugs else {}
    return {w: {ids[s] for s in slugs.get(w, ()) if s in ids} for w in terms}


def _word_queries(terms: Sequence[str], named: dict[str, set[int]], view: tantivy.Searcher) -> list[Query]:
    return [_any(_alternatives(word) + [_skill(pk, NAMED_SKILL_WEIGHT) for pk in sorted(named[word])]) for word in terms] or [
        Query.const_score_query(Query.all_query(), 1.0)
    ]


def _alternatives(word: str) -> list[Query]:
    found = [Query.boost_query(Query.term_query(schema(), name, word, "freq"), weight) for name, weight in WEIGHTS.items()]
    pieces = parts(word)
    if pieces:
        found.append(_all([_any(_alternatives(p)) for p in pieces]))
    return found


def _skill(pk: int, weight: float) -> Query:
    return Query.boost_query(Query.const_score_query(Query.term_query(schema(), "skill", pk), 1.0), weight)


def _filter_queries(view: tantivy.Searcher, filters: Filters, as_of: int) -> list[Query]:
    shape = schema()
    newest = Query.range_query(shape, "opened", tantivy.FieldType.Integer, None, as_of)
    found = [newest]
    if filters.posted_within_days is not None:
        since = as_of - int(timedelta(days=filters.posted_within_days).total_seconds())
        found.append(Query.range_query(shape, "opened", tantivy.FieldType.Integer, since, None))
    if filters.category_id is not None:
        found.append(Query.term_query(shape, "category", filters.category_id))
    for name, value in (("pricing", filters.pricing), ("level", filters.level)):
        if value:
            found.append(Query.term_query(shape, name, value, "basic"))
    if filters.skill_ids:
        each = [Query.term_query(shape, "skill", pk) for pk in filters.skill_ids]
        found.append(_all(each) if filters.skills_mode == "all" else _any(each))
    if filters.budget_min is not None or filters.budget_max is not None:
        found.append(_budget(view, filters))
    return [Query.const_score_query(q, 0.0) for q in found]


def _budget(view: tantivy.Searcher, filters: Filters) -> Query:
    """In each currency that posts have: the post's range and the wanted one, converted, overlap."""
    shape, found = schema(), []
    for currency, _ in view.terms_with_prefix("currency", ""):
        ends: list[Query] = [Query.term_query(shape, "currency", currency, "basic")]
        for name, bound in (("high", filters.budget_min), ("low", filters.budget_max)):
            if bound is None:
                continue
            there = worth(Money(bound, filters.currency), currency)
            if there is None:
                break
            lower, upper = (there.minor, None) if name == "high" else (None, there.minor)
            ends.append(Query.range_query(shape, name, tantivy.FieldType.Integer, lower, upper))
        else:
            found.append(_all(ends))
    return _any(found) if found else Query.empty_query()


class _Why:
    """Tells for a post which of the words, skills and filters it met, and how fresh it is."""

    def __init__(self, terms: Sequence[str], skill_ids: set[int], filters: Filters, as_of: int) -> None:
        self.terms, self.skill_ids, self.filters, self.as_of = terms, skill_ids, filters, as_of

    def reasons(self, job: Job, skills: Sequence[Skill]) -> list[dict[str, str]]:
        found = []
        for where, text in (("title", job.title), ("description", job.description)):
            there = set(words(text))
            there.update(p for w in list(there) for p in parts(w))
            met = [t for t in self.terms if t in there or (parts(t) and set(parts(t)) <= there)]
            if met:
                found.append({"kind": "words", "text": f"In the {where}: {', '.join(met)}"})
        wanted = self.skill_ids | set(self.filters.skill_ids)
        met_skills = [s.name for s in skills if s.pk in wanted]
        if met_skills:
            found.append({"kind": "skill", "text": f"Asks for {', '.join(met_skills)}"})
        if self.filters.pricing:
            found.append({"kind": "filter", "text": "Paid by the hour" if job.pricing == "hourly" else "Fixed price"})
        if self.filters.budget_min is not None or self.filters.budget_max is not None:
            found.append({"kind": "filter", "text": "Within your budget range"})
        if self.filters.level:
            found.append({"kind": "filter", "text": f"For {job.experience_level} level"})
        if self.filters.category_id is not None:
            found.append({"kind": "filter", "text": f"In {job.category.name}"})
        found.append({"kind": "recency", "text": self._age(job.opened_at)})
        return found

    def _age(self, opened_at: datetime | None) -> str:
        days = int((self.as_of - opened_at.timestamp()) // 86400) if opened_at else 0
        return "Posted today" if days < 1 else f"Posted {days} day{'s' if days > 1 else ''} ago"
