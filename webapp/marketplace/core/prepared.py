"""Querysets that are built and compiled once, and then run with other values.

Building a statement of a page costs Django more than MariaDB needs to answer it. A `Statement` keeps the compiled text for each shape (which
filters, how many ids) and puts the values of this call in their places; rows become the same objects as a queryset's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connections, models, router
from django.db.models.sql.compiler import SQLCompiler

R = TypeVar("R")
#: longer lists are compiled each time: there are too many lengths to keep
LONGEST_LIST = 128
_MAX_SHAPES = 512
# Values that no statement of ours holds by itself, in the ranges of every column that is compared with a value.
_FIRST_INT = 1_934_881_000
_FIRST_INSTANT = datetime(8765, 4, 3, 2, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`places` holds, for each parameter of the text, its constant and whose value stands there: (None, constant) or (name, index)."""

    compiler: SQLCompiler | None
    iterable: Any
    model: Any
    sql: str
    places: tuple[tuple[str | None, Any], ...]


class Statement(Generic[R]):
    """A read that runs often: `Statement(build)`, where `build` makes the queryset out of keyword values; calling it with values gives the rows.

    Whole numbers, texts, instants and lists or sets of numbers and texts are values; all else (flags, None, whatever stands in a tuple) belongs to the
    shape, and so does how long a list is. `build` must use its values only to compare with, must not ask what they are, and must read no setting and no
    row itself. Equal members of a list count once. No prefetch: that is another statement. With the setting PREPARED_CHECKED each call also builds the
    queryset anew and raises AssertionError when text or parameters differ.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any]]) -> None:
        self._build = build
        self._compiled: dict[Any, _Compiled] = {}

    def __call__(self, **values: Any) -> list[R]:
        given = {name: list(dict.fromkeys(v)) if type(v) in (list, set) and _bound(v) else v for name, v in values.items()}
        if any(map(_unusual, given.values())):
            return list(self._build(**given))
        compiled = self._of(given)
        alias = router.db_for_read(compiled.model)
        if compiled.compiler is None:
            if settings.PREPARED_CHECKED:
                self._check(alias, given, "", ())
            return []
        connection = connections[alias]
        ready: dict[str, Any] = {
            name: connection.ops.adapt_datetimefield_value(v) if type(v) is datetime else v for name, v in given.items()
        }
        params = tuple(
            constant if name is None else ready[name] if constant is None else ready[name][constant] for name, constant in compiled.places
        )
        if settings.PREPARED_CHECKED:
            self._check(alias, given, compiled.sql, params)
        compiler = copy.copy(compiled.compiler)
        compiler.connection = connection
        compiler.as_sql = lambda *_, **__: (compiled.sql, params)  # type: ignore[method-assign]
        return list(compiled.iterable(_Rows(alias, _Query(compiler))))

    def first(self, **values: Any) -> R | None:
        """The first row, or None. `build` should ask for no more."""
        rows = self(**values)
        return rows[0] if rows else None

    def _of(self, given: dict[str, Any]) -> _Compiled:
        vendor = connections[router.db_for_read(models.Model)].vendor
        shape = (vendor, *((name, _shape(v)) for name, v in given.items()))
        found = self._compiled.get(shape)
        if found is None:
            if len(self._compiled) >= _MAX_SHAPES:
                self._compiled.clear()
            found = self._compiled[shape] = self._compile(given)
        return found

    def _compile(self, given: dict[str, Any]) -> _Compiled:
        stand_ins, whose = {}, {}
        count = 0

        def stand_in(value: Any, name: str, index: int | None) -> Any:
            nonlocal count
            count += 1
            made: Any = _FIRST_INT + count
            if type(value) is str:
                made = f"\N{INFORMATION SEPARATOR ONE}{count}"
            elif type(value) is datetime:
                made = _FIRST_INSTANT + timedelta(microseconds=count)
            whose[made] = (name, index)
            return made

        for name, value in given.items():
            if type(value) is list:
                stand_ins[name] = [stand_in(v, name, i) for i, v in enumerate(value)]
            else:
                stand_ins[name] = stand_in(value, name, None) if _bound(value) else value
        rows = self._build(**stand_ins)
        alias = rows.db
        adapted = {connections[alias].ops.adapt_datetimefield_value(made): at for made, at in whose.items() if type(made) is datetime}
        compiler = rows.query.get_compiler(using=alias)
        try:
            sql, params = compiler.as_sql()
        except EmptyResultSet:
            return _Compiled(None, None, rows.model, "", ())
        places = tuple(whose.get(p) or adapted.get(p) or (None, p) for p in params)
        compiler.connection = None  # a thread's own; each call sets its own
        return _Compiled(compiler, rows._iterable_class, rows.model, sql, places)

    def _check(self, alias: str, given: dict[str, Any], sql: str, params: tuple[Any, ...]) -> None:
        try:
            fresh = self._build(**given).query.get_compiler(using=alias).as_sql()
        except EmptyResultSet:
            fresh = ("", ())
        if (sql, params) != (fresh[0], tuple(fresh[1])):
            raise AssertionError(f"a prepared statement differs from what it was made of:\n{sql} {params}\n{fresh[0]} {fresh[1]}")


def _bound(value: Any) -> bool:
    return type(value) in (int, str, datetime) or (type(value) in (list, set) and all(type(v) in (int, str) for v in value))


def _unusual(value: Any) -> bool:
    """Too long to be kept, or no number of a column: Django then knows that there is no such row."""
    if type(value) is list:
        return len(value) > LONGEST_LIST or any(map(_unusual, value))
    return type(value) is int and not -(2**63) <= value < 2**63


def _shape(value: Any) -> Any:
    if type(value) is list:
        return tuple(map(type, value))
    return type(value) if _bound(value) else value


class _Query:
    """What iterables ask of a queryset's query: its compiler, else what the compiled query knows."""

    def __init__(self, compiler: SQLCompiler) -> None:
        self.compiler = compiler

    def get_compiler(self, using: str | None = None, **_: Any) -> SQLCompiler:
        return self.compiler

    def __getattr__(self, name: str) -> Any:
        return getattr(self.compiler.query, name)


class _Rows:
    """What iterables ask of a queryset."""

    _known_related_objects: dict[Any, Any] = {}
    _fields: Sequence[str] | None = None

    def __init__(self, db: str, query: _Query) -> None:
        self.db, self.query = db, query


def fill(row: models.Model, relation: str, rows: list[Any]) -> None:
    """Let `row.<relation>.all()` answer these rows without a query, as after prefetch_related; each of them knows `row`."""
    related = getattr(row, relation)
    for one in rows:
        setattr(one, related.field.name, row)
    found: models.QuerySet[Any] = models.QuerySet(related.model)
    found._result_cache = rows
    cache = row.__dict__.setdefault("_prefetched_objects_cache", {})
    cache[related.field.remote_field.cache_name] = found
