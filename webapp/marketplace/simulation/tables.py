"""Rows on their way into the product's tables: kept or made block by block, written in bulk.

Instants are whole seconds since 1970 (int, UTC) until they are written. Triggers and constraints of the database stay on. On a connection
that may read local files (`bulk_loading`) blocks go by LOAD DATA, the next one being made while the server takes the last; elsewhere they
are multi-row inserts. Both ways write the same rows.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db import connection, models

from . import calibration as cal

#: rows of one statement: an insert's text is built in memory, a file's is not
INSERTED, LOADED = 4_000, 50_000

Columns = Sequence[Sequence[Any]]
_EPOCH = date(1970, 1, 1)
_TIMES = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(cal.DAY)]


@lru_cache(maxsize=20_000)
def day_text(day: int) -> str:
    """The date (YYYY-MM-DD) of a day counted from 1970."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def instant_text(seconds: int) -> str:
    """How both kinds of database store the instant, as Django itself writes a datetime without microseconds."""
    return f"{day_text(seconds // cal.DAY)} {_TIMES[seconds % cal.DAY]}"


def instant(seconds: int) -> datetime:
    """The aware datetime of a simulated instant."""
    return datetime.fromtimestamp(int(seconds), UTC)


def iso(seconds: int) -> str:
    """The instant as it stands in stored JSON."""
    return f"{day_text(seconds // cal.DAY)}T{_TIMES[seconds % cal.DAY]}+00:00"


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


class Json(str):
    """JSON text that is stored as it is."""

    __slots__ = ()


def _json(value: Any) -> Any:
    return value if value is None or type(value) is Json else json.dumps(value)


def _converter(column: models.Field) -> Callable[[Any], Any] | None:
    """From a value as collected to the one that the driver sends; None: as it is."""
    if isinstance(column, models.DateTimeField):
        return lambda v: None if v is None else instant_text(int(v))
    if isinstance(column, models.DateField):
        return lambda v: v.isoformat() if isinstance(v, date) else v
    if isinstance(column, models.JSONField):
        return _json
    if isinstance(column, models.UUIDField | models.DecimalField):
        return lambda v: column.get_db_prep_save(v, connection)
    return None


def _field_text(value: Any) -> str:
    """A value as a field of a file for LOAD DATA with its default escapes."""
    if value is None:
        return "\\N"
    if value is True or value is False:
        return "1" if value else "0"
    text = str(value)
    if "\\" in text or "\n" in text or "\t" in text:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return text


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

    def block(self, start: int, stop: int) -> Columns:
        """The rows of these places as columns."""
        return list(zip(*self.rows[start:stop], strict=True))

    def write(self, told: Callable[[int], None] = lambda rows: None) -> int:
        """Write all rows in the caller's transaction; returns how many. `told` hears after each block how many are done."""
        if len(self):
            _write(self, told)
        return len(self)

    def fields(self) -> list[models.Field]:
        """The model's fields of `columns`. Raises ValueError when a field that needs a value has none."""
        by_name = {f.attname: f for f in self.model._meta.concrete_fields}
        missing = [f.attname for f in by_name.values() if f.attname not in self.columns and _needs_value(f)]
        if missing:
            raise ValueError(f"{self.model._meta.label}: no value for {', '.join(missing)}")
        return [by_name[c] for c in self.columns]


@dataclass(slots=True)
class MadeTable(Table):
    """Rows that are made when they are written, so that the whole of a large table is never in memory.

    `make(start, stop)` gives the columns of these places; it is called once for each place, in order.
    """

    make: Callable[[int, int], Columns] = lambda start, stop: []
    count: int = 0

    def __len__(self) -> int:
        return self.count

    def block(self, start: int, stop: int) -> Columns:
        return self.make(start, min(stop, self.count))


def _needs_value(column: models.Field) -> bool:
    by_the_database = column.generated or column.db_default is not models.NOT_PROVIDED
    return not (by_the_database or column.null or column.attname == "id")


def may_load() -> bool:
    """Whether the connection may read local files."""
    return connection.vendor == "mysql" and bool(connection.settings_dict["OPTIONS"].get("local_infile"))


@contextmanager
def bulk_loading() -> Iterator[None]:
    """Let a MariaDB connection read local files inside the block. No other part of the product may: a server could ask for any file.

    Inside a transaction the connection stays as it is.
    """
    if connection.vendor != "mysql" or connection.in_atomic_block:
        yield
        return
    options = connection.settings_dict["OPTIONS"]
    before = dict(options)
    connection.close()
    options["local_infile"] = True
    try:
        yield
    finally:
        connection.close()
        options.clear()
        options.update(before)


def _write(table: Table, told: Callable[[int], None]) -> None:
    quote = connection.ops.quote_name
    fields = table.fields()
    names = ", ".join(quote(f.column) for f in fields)
    target = f"{quote(table.model._meta.db_table)} ({names})"
    prepared = _Prepared(table, [_converter(f) for f in fields])
    if may_load():
        name, columns = target.split(" ", 1)
        _load(prepared, f"INTO TABLE {name} CHARACTER SET utf8mb4 {columns}", told)
        return
    statement = f"INSERT INTO {target} VALUES ({', '.join(['%s'] * len(fields))})"
    with connection.cursor() as cursor:
        for done, columns_of_block in prepared.blocks(INSERTED):
            cursor.executemany(statement, list(zip(*([_plain(v) for v in c] for c in columns_of_block), strict=True)))
            told(done)


@dataclass(slots=True)
class _Prepared:
    table: Table
    converters: list[Callable[[Any], Any] | None]

    def blocks(self, size: int) -> Iterator[tuple[int, list[Sequence[Any]]]]:
        """Columns ready for the driver, and how many rows are through with them."""
        for start in range(0, len(self.table), size):
            columns = self.table.block(start, start + size)
            yield (
                min(start + size, len(self.table)),
                [[c(v) for v in column] if c else column for c, column in zip(self.converters, columns, strict=True)],
            )


def _load(prepared: _Prepared, into: str, told: Callable[[int], None]) -> None:
    """Blocks as files that the server takes one after the other, while the next is written."""
    connection.ensure_connection()
    raw = connection.connection
    with tempfile.TemporaryDirectory(prefix="openlance-load-") as folder, ThreadPoolExecutor(1) as server:
        waiting: Future[None] | None = None

        def take(file: Path, rows: int) -> None:
            cursor = raw.cursor()
            try:
                taken = cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' {into}")
                # a local file turns faults of single rows into warnings: what was not taken as it stands is a fault of the whole
                warnings = raw.show_warnings()
                if taken != rows or warnings:
                    raise ValueError(f"{rows} rows were sent and {taken} taken {into}: {warnings[:3]}")
            finally:
                cursor.close()
                file.unlink()

        before = 0
        for n, (done, columns) in enumerate(prepared.blocks(LOADED)):
            file = Path(folder) / f"{n}.tsv"
            with file.open("w", encoding="utf-8", newline="\n") as out:
                out.writelines("\t".join(row) + "\n" for row in zip(*([_field_text(v) for v in c] for c in columns), strict=True))
            if waiting is not None:
                waiting.result()
            waiting = server.submit(take, file, done - before)
            before = done
            told(done)
        if waiting is not None:
            waiting.result()
