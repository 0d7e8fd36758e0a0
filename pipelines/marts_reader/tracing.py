"""From a figure back to what it was made of, as the published file tells it: model, columns, parents, tests, source runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from .answers import answer, read_metric
from .definitions import Metric
from .pointer import Published, current, open_read_only
from .question import Condition

_UP = """
    WITH RECURSIVE up AS (
        SELECT unique_id AS id, 0 AS steps FROM _meta.model WHERE relation = $relation
        UNION
        SELECT edge.parent, up.steps + 1 FROM up JOIN _meta.edge AS edge ON edge.child = up.id
    )
    SELECT id, min(steps) AS steps FROM up GROUP BY id
"""
_COLUMNS_UP = """
    WITH RECURSIVE up AS (
        SELECT edge.*, 1 AS steps FROM _meta.column_edge AS edge JOIN _meta.model AS model ON model.unique_id = edge.child
        WHERE model.relation = $relation AND list_contains($columns, edge."column")
        UNION
        SELECT edge.*, up.steps + 1 FROM up JOIN _meta.column_edge AS edge ON edge.child = up.parent AND edge."column" = up.parent_column
    )
    SELECT child.relation, up."column", parent.relation, up.parent_column, any_value(up.how), min(up.steps)
    FROM up JOIN _meta.model AS child ON child.unique_id = up.child JOIN _meta.model AS parent ON parent.unique_id = up.parent
    GROUP BY ALL ORDER BY 6, 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class ModelStep:
    """A model on the way down. `steps` from the published one (0) to the source; `passed` of its `tests` passed at this publication."""

    relation: str
    layer: str
    steps: int
    description: str
    sql: str
    tests: int
    passed: int


@dataclass(frozen=True, slots=True)
class ColumnStep:
    """`column` of `relation` is made of `parent_column` of `parent`; `how` is as_is, expression, aggregate or window."""

    relation: str
    column: str
    parent: str
    parent_column: str
    how: str
    steps: int


@dataclass(frozen=True, slots=True)
class SourceRun:
    """The newest run of a source table at this publication: all rows changed before `high` were seen; it read from `low`.

    `feeds`: the figure's values come from its columns, or it is counted (`Metric.rows`); the other tables only choose rows, or say what "now" is.
    """

    table: str
    run_seq: int
    low: datetime | None
    high: datetime | None
    rows: int
    drift: int
    state: str
    feeds: bool = True


@dataclass(frozen=True, slots=True)
class Trace:
    """One figure and its way down."""

    metric: Metric
    published: Published
    where: dict[str, Any]
    value: Any
    models: tuple[ModelStep, ...]
    columns: tuple[ColumnStep, ...]
    sources: tuple[SourceRun, ...]


def trace(
    name: str,
    where: Mapping[str, Condition] | None = None,
    *,
    published: Published | None = None,
    root: Path | None = None,
    audience: str = "staff",
) -> Trace:
    """The figure of a metric over the rows that satisfy `where` (as in `metric`), and what it was made of, nearest first.

    Without `where`, a metric that has no figure over everything (see `Metric.required`) is traced with the value None. Raises UnknownMetric, BadQuestion or NothingPublished. The rows of the source are found by `pipelines.trace`, for staff.
    """
    found = published or current(root, audience)
    with open_read_only(found.path) as db:
        definition = read_metric(db, name)
        return _traced(db, found, definition, where)


def _traced(db: duckdb.DuckDBPyConnection, published: Published, definition: Metric, where: Mapping[str, Condition] | None) -> Trace:
    sayable = bool(where) or not definition.required
    value = answer(db, definition, (), where).to_pylist()[0]["value"] if sayable else None
    columns = columns_behind(db, definition.relation, list(definition.columns))
    feeding = {step.parent.split(".", 1)[1] for step in columns} | set(definition.rows)
    sources = sorted(
        (replace(run, feeds=run.table in feeding) for run in sources_behind(db, definition.relation)),
        key=lambda run: (not run.feeds, run.table),
    )
    return Trace(definition, published, dict(where or {}), value, models_behind(db, definition.relation), columns, tuple(sources))


def models_behind(db: duckdb.DuckDBPyConnection, relation: str) -> tuple[ModelStep, ...]:
    """The relation and all it is made of, nearest first."""
    rows = db.execute(
        f"SELECT relation, layer, steps, description, sql, tests FROM ({_UP}) AS up JOIN _meta.model AS model ON model.unique_id = up.id"
        " ORDER BY steps, relation",
        {"relation": relation},
    ).fetchall()
    found = []
    for at, layer, steps, description, sql, told in rows:
        tests = json.loads(told)
        found.append(ModelStep(at, layer, steps, description, sql, len(tests), sum(t["status"] in ("pass", "success") for t in tests)))
    return tuple(found)


def columns_behind(db: duckdb.DuckDBPyConnection, relation: str, columns: list[str]) -> tuple[ColumnStep, ...]:
    """What these columns are made of, down to the source's columns, nearest first."""
    return tuple(ColumnStep(*row) for row in db.execute(_COLUMNS_UP, {"relation": relation, "columns": columns}).fetchall())


def sources_behind(db: duckdb.DuckDBPyConnection, relation: str) -> tuple[SourceRun, ...]:
    """The newest run of each source table below a relation, by table."""
    rows = db.execute(
        f"""
        SELECT run."table", run.run_seq, run.L, run.H, run.rows, run.drift, run.state
        FROM _meta.source_run AS run
        WHERE run."table" IN (
            SELECT split_part(model.relation, '.', 2) FROM ({_UP}) AS up JOIN _meta.model AS model ON model.unique_id = up.id WHERE model.layer = 'raw'
        )
        QUALIFY row_number() OVER (PARTITION BY run."table" ORDER BY run.run_seq DESC) = 1
        ORDER BY 1
        """,
        {"relation": relation},
    ).fetchall()
    return tuple(SourceRun(*row) for row in rows)
