"""That a model built run by run holds exactly what it would hold if it were built whole."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.scale_out.comparison import ROWS

SEED = 20261129
#: only the models that take changes, and what they read
BUILD = ("--select", "+config.materialized:incremental", "--resource-type", "model", "--resource-type", "seed")


@pytest.fixture(scope="module")
def random_log() -> Iterator[Any]:
    sys.path.insert(0, str(Path(__file__).parent))
    import random_log as module

    yield module
    sys.path.remove(str(Path(__file__).parent))


def incremental(manifest: dict[str, Any]) -> dict[str, str]:
    """relation → the query that lists every incremental model by its key, without the run in which a build found a row changed."""
    models = (n for n in manifest["nodes"].values() if n["resource_type"] == "model" and n["config"]["materialized"] == "incremental")
    queries = {}
    for n in models:
        key = n["config"]["unique_key"]
        name = f"{n['schema']}.{n['alias']}"
        queries[name] = f"select {ROWS} from {name} order by {key if isinstance(key, str) else ', '.join(key)}"
    return queries


def rows(warehouse: Path, queries: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(warehouse), read_only=True) as db:
        return {name: db.execute(query).fetchall() for name, query in queries.items()}


def test_built_run_by_run_equals_built_whole(workshop: Any, market_again: Any, random_log: Any) -> None:
    """Runs bring new, late, changed, deleted and returning rows; three of them touch only what facts join, or nothing but deletions' neighbours.

    A wrong row of an early run stays wrong unless it is touched again, so one comparison at the end sees the earlier runs too.
    """
    log = random_log.RandomLog(SEED)
    runs = (
        (None, 0.3),
        ({"payments_fxrate", "payments_account", "messaging_conversation"}, 0.3),
        (None, 0.3),
        # few, so that most of what stands beside a change is reached by nothing else
        ({"payments_fxrate", "payments_entry", "messaging_message", "activity_impression"}, 0.05),
    )
    workshop.build("first", log.grow(), *BUILD)
    told = incremental(market_again.manifest())
    for number, (tables, share) in enumerate(runs):
        known = random_log.FIRST_DAY + timedelta(days=random_log.DAYS + log.run)
        workshop.raw_fixture.append_raw(workshop.warehouse, log.grow(tables, share), run=log.run, known_at=known)
        built = workshop.rebuild(f"run {number}", *BUILD)
    by_runs = rows(built.warehouse, told)
    took_changes = sum("delete from" in file.read_text() for file in (workshop.target / "run").rglob("models/**/*.sql"))
    whole = rows(workshop.rebuild("whole", "--full-refresh", *BUILD).warehouse, told)

    differing = {
        name: next((pair for pair in zip(by_runs[name], whole[name], strict=False) if pair[0] != pair[1]), "count")
        for name in told
        if by_runs[name] != whole[name]
    }
    assert differing == {}, f"seed {SEED}"
    assert len(told) >= 24 and all(len(found) > 5 for found in whole.values())
    assert took_changes == len(told), "some model was built whole in a run that should have taken changes"


def test_rows_that_came_since_a_model_was_found_well_are_tested_and_all_rows_where_their_age_tells_nothing(
    workshop: Any, market_again: Any
) -> None:
    """In each table a row stands twice. Both are as old as the mark, or one is newer; facts that join are looked at whole."""
    doubled = {
        "staging.stg_marketplace__views": ("view_id", 0),
        "staging.stg_marketplace__impressions": ("impression_id", 1),
        "marts.fct_posting": ("posting_id", 0),
    }
    shutil.copy(market_again.warehouse, workshop.warehouse)
    with duckdb.connect(str(workshop.warehouse)) as db:
        for table, (key, newer) in doubled.items():
            [(last,)] = db.execute(f"select max(log_run) from {table}").fetchall()
            db.execute(f"insert into {table} select * replace ({last} + {newer} as log_run) from {table} order by {key} limit 1")
            db.execute("create schema if not exists _build")
            db.execute("create table if not exists _build.node (unique_id varchar primary key, run_seq bigint)")
            db.execute("insert into _build.node values (?, ?)", [f"model.openlance.{table.split('.')[1]}", last])
    names = {table: f"primary_key_{table.split('.')[1]}_{key}" for table, (key, _) in doubled.items()}

    def failures() -> dict[str, int]:
        workshop.dbt("test", "--select", *names.values())
        told = json.loads((workshop.target / "run_results.json").read_text())["results"]
        found = {result["unique_id"].split(".")[2]: result["failures"] for result in told}
        return {table: found[name] for table, name in names.items()}

    assert failures() == {"staging.stg_marketplace__views": 0, "staging.stg_marketplace__impressions": 1, "marts.fct_posting": 1}
    with duckdb.connect(str(workshop.warehouse)) as db:
        db.execute("delete from _build.node")
    assert failures() == dict.fromkeys(doubled, 1), "without marks every row counts as new"
