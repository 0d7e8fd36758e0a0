"""Marts to be filled by hand: the schema `metrics` made empty from its contracts, or the sample's publication without its rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import yaml

from pipelines.marts_reader import Published
from pipelines.publish import metrics
from pipelines.publish.lineage import Model

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"


def lay_metrics(db: duckdb.DuckDBPyConnection) -> None:
    """Create `metrics.*` and `_meta.metric`."""
    db.execute("create schema metrics; create schema if not exists _meta")
    models = {}
    for path in sorted((PROJECT / "models" / "published" / "metrics").glob("*.yml")):
        if path.name.endswith(".unit.yml"):
            continue
        (told,) = yaml.safe_load(path.read_text())["models"]
        relation = f"metrics.{told['name'].removeprefix('metrics_')}"
        db.execute(f"create table {relation} ({', '.join(c['name'] + ' ' + c['data_type'] for c in told['columns'])})")
        models[relation] = Model(
            told["name"], told["name"], "published", relation, *relation.split("."), "", "", "", [], told["config"]["meta"], [], True
        )
    metrics.write(db, metrics.compiled(PROJECT / "metrics", models, db))


def flow(
    db: duckdb.DuckDBPyConnection, day: str, flow: str, usd_minor: int, currency: str = "USD", as_of: str = "2026-03-18 09:30"
) -> None:
    """One posting of a flow in `metrics.money`."""
    db.execute("insert into metrics.money values (?, ?, '', '', ?, ?, ?, 1, 0, ?)", [day, currency, flow, usd_minor, usd_minor, as_of])


def jobs(db: duckdb.DuckDBPyConnection, opened_on: str, count: int, *, mature: tuple[int, ...] = (), filled: int = 0) -> None:
    """`count` market jobs of `metrics.jobs` opened on a day, whose windows `mature` have passed; `filled` of them were filled at once."""
    first = db.execute("select count(*) from metrics.jobs").fetchall()[0][0]
    for number in range(count):
        row = {"job_id": first + number, "state": "closed", "in_market": True, "opened_on": opened_on}
        row |= {f"is_mature_{days}d": days in mature for days in (7, 14, 30)} | {
            f"is_filled_{days}d": number < filled for days in (7, 14, 30)
        }
        db.execute(f"insert into metrics.jobs by name select {', '.join(f'? as {name}' for name in row)}", list(row.values()))


def emptied(marts: Published, file: Path, kept: Collection[str] = ()) -> Path:
    """A publication's relations of staff as tables without rows, but for the relations `kept` and what `_meta` tells, ready answers apart."""
    with duckdb.connect(str(file)) as db:
        db.execute(f"attach '{marts.path}' as sample (read_only)")
        db.execute("create schema admin; create schema metrics; create schema science; create schema _meta")
        wanted = "database_name = 'sample' and schema_name in ('admin', 'metrics', 'science', '_meta')"
        tables = f"select schema_name, view_name from duckdb_views() where {wanted} union select schema_name, table_name from duckdb_tables() where {wanted}"
        for schema, table in db.execute(tables).fetchall():
            full = (schema == "_meta" and table != "answer") or f"{schema}.{table}" in kept
            db.execute(f"create table {schema}.{table} as select * from sample.{schema}.{table} where {str(full).lower()}")
    return file


def publication(folder: Path, publish_id: str, file: Path) -> Path:
    """A publication folder whose pointer names a copy of `file`."""
    staff = folder / "staff"
    staff.mkdir(parents=True)
    shutil.copyfile(file, staff / f"marts-{publish_id}.duckdb")
    pointer = {"publish_id": publish_id, "file": f"marts-{publish_id}.duckdb", "published_at": datetime.now(UTC).isoformat()}
    (staff / "CURRENT.json").write_text(json.dumps(pointer))
    return folder
