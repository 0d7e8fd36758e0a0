"""What both searches share: the best of a query in a stable order, where a page continues, counts by facet, and money and time filters."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import tantivy

from marketplace.core.money import Money
from marketplace.payments.selectors import worth

from .shelf import Shelf, View
from .spoken import Reading, Weights, both, either

Query = tantivy.Query
#: how many of a query's best can be paged through by relevance; by newest and by amount there is no end
DEPTH = 500
#: a page of objects that have every word: then nobody wants to see others
ENOUGH = 20
FACET_VALUES = 20
#: how many of a page's last rows its successor knows
REMEMBERED = 3
COMPARED_IN = "USD"
WORK_HOURS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: by what its last row was ordered, its last rows (the very last first), and how many rows were shown so far.

    Rows that came, went or moved since then are neither shown twice nor hide others: the page goes on after the last of the rows that is
    still there, and where all are gone, after the values. Scores alone would not do: they shift a little with every change of the index.
    """

    as_of: int
    shown: int
    value: float
    tie: int
    pks: tuple[int, ...]


class Row(NamedTuple):
    """One found object: what it is ordered by (negative where the smallest come first), then the newer and the higher id; its score."""

    value: float
    tie: int
    pk: int
    score: float
    address: tantivy.DocAddress


@dataclass(frozen=True, slots=True)
class Order:
    """By a number field, the largest first unless `ascending`."""

    field: str
    ascending: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """How one shelf is ranked: `adjust` turns the scores by the words, with the fast fields `read`, into those by
    which is ordered."""

    weights: Weights
    tie: str
    read: tuple[str, ...]
    adjust: Callable[[list[float], Mapping[str, Sequence[Any]], int], list[float]]
    facets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filtered:
    """A filter as a query, with the facet it belongs to: a facet's counts ignore its own filter, so that another value can be chosen."""

    query: Query
    facet: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows in order from the asked place on, how many match in all, and what the words were read as. `cut`: there may be more rows."""

    rows: list[Row]
    cut: bool
    total: int
    loosened: bool
    reading: Reading
    view: View
    facets: dict[str, list[tuple[str, int]]] = field(default_factory=dict)


def search(
    shelf: Shelf,
    profile: Profile,
    text: str,
    filters: Sequence[Filtered],
    *,
    order: Order | None,
    after: Place | None,
    as_of: int,
    facets: Sequence[str] = (),
    facets_key: str = "",
) -> Found:
    """The best DEPTH after the place.

    Where enough have every word (ENOUGH; in another order than relevance: any), only those count. Else those with some of the words come
    too; `loosened` says that nothing has every word.
    """
    view = shelf.view()
    reading = Reading(text, shelf.schema, view.searcher, profile.weights)
    must = [Query.const_score_query(f.query, 0.0) for f in filters]
    asked = reading.all_words() or Query.const_score_query(Query.all_query(), 1.0)
    result = _top(view.searcher, both([asked, *must]), order)
    loosened = False
    if len(reading.terms) > 1 and _count(result) < (ENOUGH if order is None else 1):
        loosened = not result.hits
        asked = reading.some_words()
        result = _top(view.searcher, both([asked, *must]), order)
    total = _count(result)
    if after is not None and order is not None and result.hits:
        low, high = (int(-after.value), None) if order.ascending else (None, int(after.value))
        must.append(Query.const_score_query(_range(shelf, order.field, low, high), 0.0))
        result = _top(view.searcher, both([asked, *must]), order)
    rows = _after(_rows(view.searcher, profile, result, order, as_of), after)
    counts = _facets(shelf, view, asked, filters, facets, facets_key) if facets else {}
    return Found(rows, order is not None and len(result.hits) == DEPTH, total, loosened, reading, view, counts)


def _count(result: tantivy.SearchResult) -> int:
    return int(result.count)  # type: ignore[attr-defined]  # the stub lacks it


def _top(searcher: tantivy.Searcher, query: Query, order: Order | None) -> tantivy.SearchResult:
    if order is None:
        return searcher.search(query, limit=DEPTH, count=True)
    direction = tantivy.Order.Asc if order.ascending else tantivy.Order.Desc
    return searcher.search(query, limit=DEPTH, count=True, order_by_field=order.field, order=direction)


def _rows(searcher: tantivy.Searcher, profile: Profile, result: tantivy.SearchResult, order: Order | None, as_of: int) -> list[Row]:
    where = [address for _, address in result.hits]
    read = {name: searcher.fast_field_values(name, where) for name in {"id", profile.tie, *profile.read}}
    ids, ties, scores = read["id"], read[profile.tie], [float(score or 0) for score, _ in result.hits]
    if order is None:
        values = profile.adjust(scores, read, as_of)
        shown = values
    else:
        values, shown = [-v for v in scores] if order.ascending else scores, scores
    rows = [Row(v, int(t or 0), int(pk or 0), s, a) for v, t, pk, s, a in zip(values, ties, ids, shown, where, strict=True)]
    rows.sort(key=itemgetter(0, 1, 2), reverse=True)
    return rows


def _after(rows: list[Row], place: Place | None) -> list[Row]:
    if place is None:
        return rows
    at = {row.pk: i for i, row in enumerate(rows)}
    for pk in place.pks:
        if pk in at:
            return rows[at[pk] + 1 :]
    return [r for r in rows if (r.value, r.tie, r.pk) < (place.value, place.tie, place.pks[0])]


def told(view: View, rows: Sequence[Row], names: Sequence[str]) -> dict[int, dict[str, int]]:
    """For each row by id, these number fields, 0 where there is none."""
    where = [row.address for row in rows]
    read = {name: view.searcher.fast_field_values(name, where) for name in names}
    return {row.pk: {name: int(values[i] or 0) for name, values in read.items()} for i, row in enumerate(rows)}


# --- counts -----------------------------------------------------------------------------------------------------------


class _Counts:
    """Counts that were made, until the index changes; the newest few hundred."""

    def __init__(self, size: int = 512) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Any, dict[str, list[tuple[str, int]]]] = OrderedDict()

    def get(self, key: Any, make: Callable[[], dict[str, list[tuple[str, int]]]]) -> dict[str, list[tuple[str, int]]]:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return made


_counts = _Counts()


def _facets(
    shelf: Shelf, view: View, asked: Query, filters: Sequence[Filtered], names: Sequence[str], key: str
) -> dict[str, list[tuple[str, int]]]:
    def count() -> dict[str, list[tuple[str, int]]]:
        held = {f.facet for f in filters} & set(names)
        groups = [[n for n in names if n not in held], *([n] for n in sorted(held))]
        found = {}
        for group in filter(None, groups):
            kept = [Query.const_score_query(f.query, 0.0) for f in filters if f.facet not in group or f.facet == ""]
            wanted = {n: {"terms": {"field": n, "size": FACET_VALUES}} for n in group}
            answer = view.searcher.aggregate(both([asked, *kept]), wanted)
            for n in group:
                found[n] = [(str(b["key"]), int(b["doc_count"])) for b in answer[n]["buckets"]]
        return {n: found[n] for n in names}

    return _counts.get((shelf.source.name, view.state, key, tuple(names)), count)


def filters_told(filters: Mapping[str, Any], *, derived: str, price: tuple[str, str]) -> dict[str, Any]:
    """Only the filters that are set, as plain JSON: without the field that was derived, and without what only qualifies one that is not set."""
    given = {k: list(v) if isinstance(v, tuple) else v for k, v in filters.items() if v not in (None, "", (), False) and k != derived}
    for qualifier, of in (("currency", price), ("skills_mode", ("skills",)), ("time_zone", ("overlap_hours",))):
        if not any(name in given for name in of):
            given.pop(qualifier, None)
    return given


def values_of(filters: Any) -> dict[str, Any]:
    """A dataclass's fields as they are: filters hold only plain values, which asdict would copy one by one."""
    return {name: getattr(filters, name) for name in filters.__dataclass_fields__}


def facets_key(text: str, filters: Mapping[str, Any]) -> str:
    """One name for one question, however it is sorted and paged."""
    return json.dumps([text, filters], sort_keys=True, default=str)


# --- filters ----------------------------------------------------------------------------------------------------------


def _range(shelf: Shelf, name: str, low: int | None, high: int | None) -> Query:
    return Query.range_query(shelf.schema, name, tantivy.FieldType.Integer, low, high)


def at_least(shelf: Shelf, name: str, low: int) -> Query:
    return _range(shelf, name, low, None)


def at_most(shelf: Shelf, name: str, high: int) -> Query:
    return _range(shelf, name, None, high)


def one_of_facts(shelf: Shelf, name: str, values: Sequence[str]) -> Query:
    """The fact is one of the values; nothing meets an empty list."""
    return either([Query.term_query(shelf.schema, name, v, "basic") for v in values]) if values else Query.empty_query()


def every_fact(shelf: Shelf, name: str, values: Sequence[str]) -> Query:
    return both([Query.term_query(shelf.schema, name, v, "basic") for v in values])


def one_of_numbers(shelf: Shelf, name: str, values: Sequence[int]) -> Query:
    return Query.term_set_query(shelf.schema, name, list(values)) if values else Query.empty_query()


def money_between(shelf: Shelf, low: int | None, high: int | None, currency: str, names: tuple[str, str]) -> Query:
    """In each currency that there is: the object's range (its fields `names`, in its own currency) and the wanted one overlap.

    The wanted amounts are converted by the stored rates: an estimate, without spread. Currencies without a rate have no part.
    """
    searcher, found = shelf.view().searcher, []
    for code, _ in searcher.terms_with_prefix("currency", ""):
        ends = [Query.term_query(shelf.schema, "currency", code, "basic")]
        for make, name, bound in ((at_least, names[1], low), (at_most, names[0], high)):
            if bound is None:
                continue
            there = worth(Money(bound, currency), code)
            if there is None:
                break
            ends.append(make(shelf, name, there.minor))
        else:
            found.append(both(ends))
    return either(found) if found else Query.empty_query()


def estimate(low: int | None, high: int | None, currency: str, wanted: str) -> dict[str, Any] | None:
    """The amounts in the wanted currency by the stored rates; None when nothing is to convert or no rate leads there."""
    if low is None or currency == wanted:
        return None
    ends = [worth(Money(bound, currency), wanted) for bound in (low, high if high is not None else low)]
    if ends[0] is None or ends[1] is None:
        return None
    return {"low_minor": ends[0].minor, "high_minor": ends[1].minor, "currency": wanted}


@lru_cache(maxsize=65_536)
def overlap_hours(zone: str, other: str, day: date) -> float:
    """How many hours two working days of eight hours have in common when both begin at the same local time; summer time as on `day`."""
    noon = [datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(z)) for z in (zone, other)]
    offsets = [at.utcoffset() or timedelta() for at in noon]
    apart = abs((offsets[0] - offsets[1]).total_seconds()) / 3600 % 24
    return max(0.0, WORK_HOURS - min(apart, 24 - apart))


def zones_overlapping(shelf: Shelf, zone: str, hours: int, day: date) -> Query:
    """Objects whose time zone shares at least so many working hours with this one."""
    there = [z for z, _ in shelf.view().searcher.terms_with_prefix("zone", "")]
    return one_of_facts(shelf, "zone", [z for z in there if overlap_hours(zone, z, day) >= hours])


def recency(age_seconds: float, days: float) -> float:
    """1 now, 1/e after so many days."""
    return math.exp(-max(age_seconds, 0) / 86400 / days)


# --- pages ------------------------------------------------------------------------------------------------------------

T = TypeVar("T")


def page_of(
    found: Found,
    allowed: Callable[[list[int]], Mapping[int, T]],
    after: Place | None,
    as_of: int,
    limit: int,
) -> tuple[list[tuple[T, Row]], Place | None]:
    """The next `limit` rows that `allowed` (asked of the database, a page at a time) lets through, and where to go on."""
    page: list[tuple[T, Row]] = []
    rows, at = found.rows, 0
    while len(page) < limit and at < len(rows):
        chunk = rows[at : at + limit - len(page)]
        seen = allowed([r.pk for r in chunk])
        page += [(seen[r.pk], r) for r in chunk if r.pk in seen]
        at += len(chunk)
    if at == len(rows) and not (found.cut and rows):
        return page, None
    last = rows[at - 1]
    shown = (after.shown if after else 0) + len(page)
    before = after.pks if after else ()
    pks = (*(r.pk for r in reversed(rows[max(0, at - REMEMBERED) : at])), *before)[:REMEMBERED]
    return page, Place(as_of, shown, last.value, last.tie, pks)
