"""Column-level lineage: which columns of its parents a model's column is made of, read from the compiled SQL.

Values only: columns that choose rows (joins, filters, groups) are in the model's SQL and its parents, not here. A column that counts rows is
made of the parent's `*`. How a value was made is the strongest thing done to it on the way: as_is (renamed or cast) < expression < aggregate < window.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from .. import files, paths
from .lineage import Model

#: By what queries are read: this file and the parser.
_READER = f"{version('sqlglot')} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"
HOW = ("as_is", "expression", "aggregate", "window")
#: parent's schema, parent's name, parent's column, how
Origin = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, order=True)
class ColumnEdge:
    """`column` of the model `child` is made of `parent_column` of `parent` (both unique ids)."""

    child: str
    column: str
    parent: str
    parent_column: str
    how: str


def edges(models: Mapping[str, Model], db: duckdb.DuckDBPyConnection) -> list[ColumnEdge]:
    """The edges of all models that have compiled SQL, against the columns that the open work file has; a model that cannot be read has none."""
    columns: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, kind in db.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        columns.setdefault((schema, table), {})[column] = kind
    found = []
    with Remembered() as remembered:
        for model in models.values():
            parents = {(models[p].schema, models[p].alias): p for p in model.parents if p in models}
            if model.compiled:
                found += [
                    ColumnEdge(model.unique_id, column, parents[schema, table], parent_column, how)
                    for column, schema, table, parent_column, how in remembered.origins(
                        model.compiled, {p: columns.get(p, {}) for p in parents}
                    )
                    if (schema, table) in parents
                ]
    return sorted(found)


class Remembered:
    """Origins of queries that were read before, beside dbt's artefacts: to read them all takes seconds of each round, and few ever change.

    A query is known by its text and the columns it reads; the figures in which an incremental model's rounds differ (log_run > 17) say
    nothing of columns. What was not asked for this time is forgotten.
    """

    def __init__(self) -> None:
        self._path = paths.dbt_target() / "column_origins.json"
        self._known: dict[str, list[list[str]]] = {}
        self._asked: dict[str, list[list[str]]] = {}

    def __enter__(self) -> Remembered:
        self._known = files.read_json(self._path) or {}
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None and self._asked.keys() != self._known.keys():
            files.write_json(self._path, self._asked)

    def origins(self, sql: str, columns: Mapping[tuple[str, str], Mapping[str, str]]) -> list[tuple[str, str, str, str, str]]:
        """As the function of that name."""
        read = sorted((*relation, name, kind) for relation, known in columns.items() for name, kind in known.items())
        text = json.dumps([_READER, re.sub(r"(run_seq|log_run|noticed_run) > -?\d+", r"\1 > 0", sql), read])
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in self._asked:
            known = self._known.get(key)
            self._asked[key] = [list(origin) for origin in origins(sql, columns)] if known is None else known
        return [(column, schema, table, parent, how) for column, schema, table, parent, how in self._asked[key]]


def origins(sql: str, columns: Mapping[tuple[str, str], Mapping[str, str]]) -> list[tuple[str, str, str, str, str]]:
    """(column, parent's schema, parent, parent's column, how) of a query over relations with these columns; empty when it cannot be read."""
    schema: dict[str, Any] = {}
    for (folder, table), known in columns.items():
        schema.setdefault(folder, {})[table] = {f'"{name}"': kind for name, kind in known.items()}
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        for relation in tree.find_all(exp.Table):
            relation.set("catalog", None)
        tree = qualify(tree, schema=schema, dialect="duckdb", validate_qualify_columns=False, quote_identifiers=False)
        scope = build_scope(tree)
    except (SqlglotError, RecursionError):
        return []
    if scope is None:
        return []
    walk = _Walk()
    names = [projection.alias_or_name for projection in _selects(scope)]
    return sorted({(name, *origin) for place, name in enumerate(names) for origin in walk.of(scope, place)})


class _Walk:
    """From an output column down to columns of relations, through CTEs, subqueries and unions; each column of a scope is worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], frozenset[Origin]] = {}

    def of(self, scope: Scope, place: int) -> frozenset[Origin]:
        """Origins of the column at `place` of the scope's output."""
        key = (id(scope), place)
        if key not in self._known:
            self._known[key] = frozenset()  # a recursive CTE ends here
            self._known[key] = frozenset(self._find(scope, place))
        return self._known[key]

    def _find(self, scope: Scope, place: int) -> Iterable[Origin]:
        if isinstance(scope.expression, exp.SetOperation):
            for branch in scope.set_operation_scopes:
                yield from self.of(branch, place)
            return
        projections = _selects(scope)
        if place < len(projections):
            yield from self._made_of(scope, projections[place])

    def _made_of(self, scope: Scope, projection: exp.Expr) -> Iterable[Origin]:
        inner = {id(s.expression): s for s in scope.subquery_scopes}
        waiting = [projection]
        while waiting:
            node = waiting.pop()
            if isinstance(node, exp.Query) and node is not projection:
                found = inner.get(id(node if not isinstance(node, exp.Subquery) else node.unnest()))
                if found is not None:
                    how = _how(node, projection)
                    for place in range(len(_selects(found))):
                        yield from _strengthened(self.of(found, place), how)
                continue
            if isinstance(node, exp.Column):
                yield from _strengthened(self._column(scope, node), _how(node, projection))
            elif isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
                for source in scope.sources.values():
                    yield from self._rows(source, _how(node.this, projection))
            else:
                if isinstance(node, exp.Window) and node.alias:
                    yield from self._window(scope, node.alias)
                waiting += [child for child in node.iter_expressions() if isinstance(child, exp.Expr)]

    def _window(self, scope: Scope, name: str) -> Iterable[Origin]:
        """What a named window parts and orders by."""
        for window in scope.expression.args.get("windows") or []:
            if window.name == name:
                for column in window.find_all(exp.Column):
                    yield from _strengthened(self._column(scope, column), "window")

    def _column(self, scope: Scope, column: exp.Column) -> Iterable[Origin]:
        source = scope.sources.get(column.table)
        if source is None and not column.table and len(scope.sources) == 1:
            source = next(iter(scope.sources.values()))
        if isinstance(source, exp.Table):
            yield source.db, source.name, column.name, "as_is"
        elif isinstance(source, Scope):
            for place, projection in enumerate(_selects(source)):
                if projection.alias_or_name == column.name:
                    yield from self.of(source, place)

    def _rows(self, source: exp.Table | Scope, how: str) -> Iterable[Origin]:
        """The relations whose rows are counted."""
        if isinstance(source, exp.Table):
            yield source.db, source.name, "*", how
        else:
            union = isinstance(source.expression, exp.SetOperation)
            for one in source.set_operation_scopes if union else source.sources.values():
                yield from self._rows(one, how)


def _selects(scope: Scope) -> list[exp.Expr]:
    return list(scope.expression.selects) if isinstance(scope.expression, exp.Query) else []


def _how(node: exp.Expr, projection: exp.Expr) -> str:
    """The strongest thing that the projection does to the node."""
    strongest, at = 0, node.parent if node is not projection else None
    while at is not None:
        if isinstance(at, exp.Window):
            strongest = max(strongest, 3)
        elif isinstance(at, exp.AggFunc):
            strongest = max(strongest, 2)
        elif not isinstance(at, exp.Alias | exp.Cast | exp.Paren):
            strongest = max(strongest, 1)
        at = at.parent if at is not projection else None
    return HOW[strongest]


def _strengthened(found: Iterable[Origin], how: str) -> Iterable[Origin]:
    for schema, table, column, before in found:
        yield schema, table, column, max(before, how, key=HOW.index)
