"""Rows on their way into the product's tables: collected by column order, written in large multi-row inserts.

Instants are whole seconds since 1970 (int, UTC) until they are written. Triggers and constraints of the database stay on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from django.db import connection, models

BATCH = 4_000


@lru_cache(maxsize=200_000)
def instant_text(seconds: int) -> str:
    """How both kinds of database store the instant, as Django itself writes a datetime without microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def instant(seconds: int) -> datetime:
    """The aware datetime of a simulated instant."""
    return datetime.fromtimestamp(int(seconds), UTC)


def iso(seconds: int) -> str:
    """The instant as it stands in stored JSON."""
    return instant(seconds).isoformat()


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _converter(column: models.Field) -> Callable[[Any], Any] | None:
    if isinstance(column, models.DateTimeField):
        return lambda v: None if v is None else instant_text(int(v))
    if isinstance(column, models.DateField):
        return lambda v: v.isoformat() if isinstance(v, date) else v
    if isinstance(column, models.JSONField):
        return lambda v: None if v is None else json.dumps(v)
    if isinstance(column, models.UUIDField | models.DecimalField):
        return lambda v: column.get_db_prep_save(v, connection)
    return None


@dataclass(slots=True)
class Table:
    """Rows of one model as tuples in the order of `columns` (attribute names such as "job_id")."""

    model: type[models.Model]
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, *values: Any) -> None:
        self.rows.append(values)

    def __len__(self) -> int:
        return len(self.rows)

    def _fields(self) -> list[models.Field]:
        by_name = {f.attname: f for f in self.model._meta.concrete_fields}
        missing = [f.attname for f in by_name.values() if f.attname not in self.columns and _needs_value(f)]
        if missing:
            raise ValueError(f"{self.model._meta.label}: no value for {', '.join(missing)}")
        return [by_name[c] for c in self.columns]

    def _prepared(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        converters = [_converter(f) for f in self._fields()]
        prepared = [
            [c(v) for v in column] if c else [_plain(v) for v in column]
            for c, column in zip(converters, zip(*rows, strict=True), strict=True)
        ]
        return zip(*prepared, strict=True)

    def write(self) -> int:
        """Insert all rows in the caller's transaction; returns how many."""
        quote = connection.ops.quote_name
        names = ", ".join(quote(f.column) for f in self._fields())
        marks = ", ".join(["%s"] * len(self.columns))
        statement = f"INSERT INTO {quote(self.model._meta.db_table)} ({names}) VALUES ({marks})"
        with connection.cursor() as cursor:
            for start in range(0, len(self.rows), BATCH):
                cursor.executemany(statement, list(self._prepared(self.rows[start : start + BATCH])))
        return len(self.rows)


def _needs_value(column: models.Field) -> bool:
    has_database_default = column.db_default is not models.NOT_PROVIDED
    return not (has_database_default or column.null or column.attname == "id")
