"""A person's data as each app hands it out: the answer to ports.personal_data, and what may stand in the way of leaving.

Belongs here: the shapes, and reading large tables in slices. Not here: which tables are whose (each app's `personal.py`), and the file that is
made of it (accounts.exporting).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

SLICE = 2000

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One list of an export: its columns, the rows (read when they are asked for), and the tables that they come from."""

    columns: tuple[str, ...]
    rows: Callable[[], Iterable[Row]]
    tables: tuple[str, ...]


def rows_of(queryset: QuerySet[Any], *names: str, **paths: str) -> Part:
    """The rows of a queryset, by primary key: columns under their own names, and others as name=lookup ("client=client__display_name").

    A large table is read in slices of SLICE rows, so that a server holds one at a time.
    """
    columns = {**{name: name for name in names}, **paths}

    def slices() -> Iterator[Row]:
        last: Any = None
        while True:
            page = queryset.order_by("pk") if last is None else queryset.filter(pk__gt=last).order_by("pk")
            found = list(page.values_list("pk", *columns.values())[:SLICE])
            for row in found:
                yield dict(zip(columns, row[1:], strict=True))
            if len(found) < SLICE:
                return
            last = found[-1][0]

    return Part(tuple(columns), slices, (queryset.model._meta.db_table,))


def computed(columns: Iterable[str], rows: Callable[[], Iterable[Row]], *, of: Iterable[str]) -> Part:
    """Rows that are worked out, from the tables named in `of`."""
    return Part(tuple(columns), rows, tuple(of))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps an account open: a stable code, and words that say what to do about it."""

    code: str
    message: str
