"""One canonical hash of each model's rows in both engines, computed by one tool over DuckDB's file and Spark's Parquet.

A row is the text of its columns in the order of DuckDB's table; a model's checksum is the sum of 64 bits of each row's MD5, so
that order does not count and repeated rows do. Values look the same in both engines by these rules, and only by these:
 - whole numbers and decimals: exact, without trailing zeros, whatever width an engine gave the column;
 - the run in which a build noticed that a row changed (noticed_run) is left out: a file built anew noticed all at once;
 - doubles: nine significant digits. The engines add in different orders and have powers and logarithms of their own, which agree to
   about fifteen; nothing that is published is finer than nine;
 - instants: microseconds since 1970 in UTC; days, text, booleans and lists: as they are; null is none of them.
Kinds are not mixed: a double in one engine and a decimal in the other is a difference, also when the values agree.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from .. import paths
from .engine import folder

_NULL, _BETWEEN = "chr(2)", "chr(31)"
_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
_EXAMPLES = 3
#: What of a model's rows must be the same in any two builds of the same log.
ROWS = "COLUMNS(name -> name <> 'noticed_run')"


@dataclass(frozen=True)
class Difference:
    """Why a model is not the same in both engines, with rows that only one of them has."""

    reason: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One model: its rows and checksums in DuckDB and in Spark, and what differs."""

    relation: str
    rows: tuple[int, int]
    checksums: tuple[str, str]
    difference: Difference | None = None


def compare(progress: Callable[[str], None] = lambda name: None) -> list[Comparison]:
    """Compare every model and seed of Spark's last build with the warehouse file, in the order of their names.

    Raises FileNotFoundError when one of the two was never built.
    """
    manifest = folder() / "dbt" / "manifest.json"
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    kept = [n for n in nodes if n["resource_type"] in ("model", "seed") and n["config"]["materialized"] != "ephemeral"]
    if not paths.warehouse().is_file():
        raise FileNotFoundError(f"{paths.warehouse()}: the models were not built on DuckDB")
    with duckdb.connect(str(paths.warehouse()), read_only=True) as db:
        db.execute("SET TimeZone = 'UTC'")
        found = []
        for schema, alias in sorted((n["schema"], n["alias"]) for n in kept):
            progress(f"{schema}.{alias}")
            found.append(_model(db, schema, alias))
    return found


def parquet(schema: str, alias: str) -> list[Path]:
    """The files of a model on Spark."""
    return sorted((folder() / "warehouse" / f"{schema}.db" / alias).glob("*.parquet"))


def measured(db: duckdb.DuckDBPyConnection, query: str) -> tuple[int, str]:
    """Rows and canonical checksum of a query's result, as `compare` takes them of both engines."""
    kinds = _columns(db, query)
    rows = _one(db, f"SELECT count(*) FROM ({query})")
    return rows, _checksum(db, _texts(query, kinds, list(kinds)))


def _checksum(db: duckdb.DuckDBPyConnection, text: str) -> str:
    total = _one(db, f"SELECT coalesce(sum(md5_number_lower(line)::HUGEINT), 0) FROM ({text})")
    return f"{total % 2**64:016x}"


def _model(db: duckdb.DuckDBPyConnection, schema: str, alias: str) -> Comparison:
    relation, files = f"{schema}.{alias}", parquet(schema, alias)
    if not files:
        return Comparison(relation, (0, 0), ("", ""), Difference("Spark made no file of it"))
    ours = f'SELECT {ROWS} FROM "{schema}"."{alias}"'
    listed = ", ".join(f"'{path}'" for path in files)
    theirs = f"SELECT {ROWS} FROM read_parquet([{listed}])"
    try:
        left, right = _columns(db, ours), _columns(db, theirs)
    except duckdb.CatalogException:
        return Comparison(relation, (0, 0), ("", ""), Difference("DuckDB did not build it"))
    counts = tuple(_one(db, f"SELECT count(*) FROM ({query})") for query in (ours, theirs))
    rows = (counts[0], counts[1])
    wrong = sorted(left.keys() ^ right.keys())
    if wrong:
        return Comparison(relation, rows, ("", ""), Difference(f"only one of them has the columns {', '.join(wrong)}"))
    mixed = [f"{name} ({left[name]} and {right[name]})" for name in left if _kind(left[name]) != _kind(right[name])]
    if mixed:
        return Comparison(relation, rows, ("", ""), Difference(f"other kinds of values: {', '.join(mixed)}"))
    texts = [_texts(query, kinds, list(left)) for query, kinds in ((ours, left), (theirs, right))]
    found = (_checksum(db, texts[0]), _checksum(db, texts[1]))
    if found[0] == found[1] and rows[0] == rows[1]:
        return Comparison(relation, rows, found)
    examples = []
    for engine, (one, other) in {"DuckDB": texts, "Spark": texts[::-1]}.items():
        for (line,) in db.execute(f"({one}) EXCEPT ALL ({other}) ORDER BY 1 LIMIT {_EXAMPLES}").fetchall():
            examples.append(f"only in {engine}: " + line.replace("\x1f", " | ").replace("\x02", "∅")[:400])
    return Comparison(relation, rows, found, Difference("rows differ", tuple(examples)))


def _columns(db: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in db.execute(f"DESCRIBE {query}").fetchall()}


def _one(db: duckdb.DuckDBPyConnection, query: str) -> int:
    row = db.execute(query).fetchone()
    return int(row[0]) if row else 0


def _kind(type_: str) -> str:
    if type_ in _WHOLE or type_.startswith("DECIMAL"):
        return "[]" if type_.endswith("[]") else "exact"
    if type_.endswith("[]"):
        return f"{_kind(type_[:-2])}[]"
    return {"FLOAT": "double", "DOUBLE": "double", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "JSON": "VARCHAR"}.get(type_, type_)


def _texts(query: str, kinds: dict[str, str], order: list[str]) -> str:
    """SQL that gives each row of `query` as one line of canonical text."""
    columns = ", ".join(f"coalesce({_canonical(name, kinds[name])}, {_NULL})" for name in order)
    return f"SELECT concat_ws({_BETWEEN}, {columns}) AS line FROM ({query})"


def _canonical(name: str, type_: str) -> str:
    column = f'"{name}"'
    kind = _kind(type_)
    if kind == "exact":
        text = f"CAST({column} AS VARCHAR)"
        return f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
    if kind == "double":
        return f"format('{{:.8e}}', CAST({column} AS DOUBLE) + 0.0)"
    if kind == "TIMESTAMP":
        return f"CAST(epoch_us({column}) AS VARCHAR)"
    return f"CAST({column} AS VARCHAR)"
