"""Governed metrics: what there is to ask of a publication, and the answers. Only published files are read."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from .currencies import read_rates, with_viewer_minor
from .definitions import Metric
from .pointer import Published, current, open_read_only
from .question import READY, Condition, MetricError, UnknownMetric, compile_question, nearest, ready_answer


def metrics(published: Published | None = None, *, root: Path | None = None, audience: str = "staff") -> list[Metric]:
    """Every metric of a publication (the current one when none is given), by name. Raises NothingPublished."""
    with open_read_only((published or current(root, audience)).path) as db:
        return read_metrics(db)


def metric(
    name: str,
    by: Sequence[str] = (),
    where: Mapping[str, Condition] | None = None,
    *,
    currency: str | None = None,
    published: Published | None = None,
    root: Path | None = None,
    audience: str = "staff",
) -> pa.Table:
    """A metric split by the dimensions `by`, over the rows that satisfy `where`.

    `where` maps a dimension to one value, to a list of which one must hold, to `Between(since, until)` (without `until` itself) or to None.
    The table has a column for each of `by`, sorted by them, `value`, what it was made of (`numerator` and `denominator`, or `events`), and
    `base_rows`; its schema's metadata name metric, unit, currency and publish_id. Without `by` it has one row. A value that cannot be said
    (a share of nothing, a median that was never reached) is null. Money is whole minor units. With `currency`, money in USD has
    `viewer_minor` beside it: an estimate in that currency, by the rate of each figure's day when the question is by day, else by the newest.

    Raises UnknownMetric or BadQuestion with what can be asked instead, NothingPublished when there is no publication.
    """
    found = published or current(root, audience)
    with open_read_only(found.path) as db:
        definition = read_metric(db, name)
        table = answer(db, definition, by, where)
        if currency is not None:
            table = with_viewer_minor(table, definition, read_rates(db, currency), by)
    told = {"metric": definition.name, "unit": definition.unit, "currency": definition.currency, "publish_id": found.publish_id}
    told |= {"viewer_currency": currency} if currency is not None else {}
    return table.replace_schema_metadata(told)


def answer(
    db: duckdb.DuckDBPyConnection, definition: Metric, by: Sequence[str] = (), where: Mapping[str, Condition] | None = None
) -> pa.Table:
    """The metric's answer on an open connection. Raises BadQuestion.

    The figure over everything and each month's were worked out by the publication (`_meta.answer`, by the very SQL of the question): pages that
    show many of them read no facts. They are worked out here where a publication has none.
    """
    sql, values = compile_question(definition, by, where)
    if not where and tuple(by) in READY:
        with contextlib.suppress(duckdb.CatalogException):
            ready = db.execute(ready_answer(definition, by), [sql]).to_arrow_table()
            if ready.num_rows:
                return ready
    return db.execute(sql, values).to_arrow_table()


def read_metrics(db: duckdb.DuckDBPyConnection) -> list[Metric]:
    """All definitions of an open publication. Raises MetricError when it was made before there were any."""
    return [Metric.load(text) for (text,) in _rows(db, "SELECT definition FROM _meta.metric ORDER BY name")]


def read_metric(db: duckdb.DuckDBPyConnection, name: str) -> Metric:
    """One definition of an open publication. Raises UnknownMetric."""
    rows = _rows(db, "SELECT definition FROM _meta.metric WHERE name = ?", [str(name)])
    if not rows:
        names = [known for (known,) in _rows(db, "SELECT name FROM _meta.metric ORDER BY name")]
        raise UnknownMetric(f"there is no metric {name!r}.{nearest(name, names)} marts_reader.metrics() lists all {len(names)}")
    return Metric.load(rows[0][0])


def _rows(db: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    try:
        return db.execute(sql, list(values)).fetchall()
    except duckdb.CatalogException as missing:
        raise MetricError("this publication was made before there were metrics in it: run `make pipeline`") from missing
