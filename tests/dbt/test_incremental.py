"""That a model built run by run holds exactly what it would hold if it were built whole."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
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
    """Runs bring new, late, changed, deleted and returning rows; some touch only what facts join, or nothing but deletions' neighbours.
    One takes all profiles away, which leaves no mark in a table, and the one after it brings all but one back.

    A wrong row of an early run stays wrong unless it is touched again, so one comparison at the end sees the earlier runs too.
    """
    log = random_log.RandomLog(SEED)
    taken: dict[str, Any] = {}
    # what comes with its table's own first run counts as known when it happened: these come where little else is touched
    later = ("jobs_proposal", "contracts_contract", "trust_review")
    early = [table for table in random_log.MAKERS if table not in later]
    runs: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: taken.update(log.take("accounts_freelancerprofile")) or taken,
        lambda: log.give_back(taken),
        lambda: log.grow(*early, "jobs_proposal"),
        lambda: log.grow("contracts_contract"),
        lambda: log.turn("jobs_job") | log.grow("trust_review"),
        lambda: log.turn("accounts_freelancerprofile", "payments_fxrate"),
        # each in a lane of its own, so that what stands beside a change is reached by nothing else; no two that the lists of jobs follow
        # the contracts of lanes 1, 2, 3 and 5 rest, so that what their first load left wrong stays wrong
        lambda: log.grow_apart(
            jobs_proposal=(0, 1, 2), trust_review=(3,), activity_view=(9,), payments_entry=(0, 8), messaging_conversation=(0, 8)
        ),
        lambda: log.grow_apart(contracts_contract=(0, 4, 6, 7, 8, 9), payments_account=(1, 2, 3), messaging_message=(1, 2, 3)),
        lambda: log.grow_apart(activity_impression=(6, 7), payments_posting=(4, 5)),
    )
    workshop.build("first", log.write(log.grow(*early)), *BUILD)
    told = incremental(market_again.manifest())
    for number, next_run in enumerate(runs):
        known = random_log.FIRST_DAY + timedelta(days=random_log.DAYS + log.run)
        rows_of_run = log.write(next_run())
        workshop.raw_fixture.append_raw(workshop.warehouse, rows_of_run, run=log.run, known_at=known)
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
    assert len(told) >= 24 and all(len(found) > 50 for found in whole.values())
    assert took_changes == len(told), "some model was built whole in a run that should have taken changes"


def test_rows_that_came_since_a_model_was_found_well_are_tested_and_all_rows_where_their_age_tells_nothing(
    workshop: Any, market_again: Any
) -> None:
    """In each table a row stands twice. Both are as old as the mark, or one is newer; facts that join are looked at whole. A key of which a part
    is missing is found as well."""
    doubled = {
        "staging.stg_marketplace__views": ("view_id", "log_run", 0),
        "staging.stg_marketplace__impressions": ("impression_id", "log_run", 1),
        "marts.fct_posting": ("posting_id", "log_run", 0),
        "marts.fct_pair_journey": ("freelancer_id, job_id", "noticed_run", 1),
    }
    shutil.copy(market_again.warehouse, workshop.warehouse)
    with duckdb.connect(str(workshop.warehouse)) as db:
        for table, (key, run, newer) in doubled.items():
            [(last,)] = db.execute(f"select max({run}) from {table}").fetchall()
            db.execute(f"insert into {table} select * replace ({last} + {newer} as {run}) from {table} order by {key} limit 1")
            db.execute("create schema if not exists _build")
            db.execute("create table if not exists _build.node (unique_id varchar primary key, run_seq bigint)")
            db.execute("insert into _build.node values (?, ?)", [f"model.openlance.{table.split('.')[1]}", last])
        db.execute(
            "insert into marts.fct_pair_journey select * replace (null as job_id) from marts.fct_pair_journey order by noticed_run desc limit 1"
        )
    names = {table: f"primary_key_{table.split('.')[1]}_{key.replace(', ', '__')}" for table, (key, _, _) in doubled.items()}

    def failures() -> dict[str, int]:
        workshop.dbt("test", "--select", *names.values())
        told = json.loads((workshop.target / "run_results.json").read_text())["results"]
        found = {result["unique_id"].split(".")[2]: result["failures"] for result in told}
        return {table: found[name] for table, name in names.items()}

    marked = {
        "staging.stg_marketplace__views": 0,
        "staging.stg_marketplace__impressions": 1,
        "marts.fct_posting": 1,
        "marts.fct_pair_journey": 2,
    }
    assert failures() == marked
    with duckdb.connect(str(workshop.warehouse)) as db:
        db.execute("delete from _build.node")
    assert failures() == marked | {"staging.stg_marketplace__views": 1}, "without marks every row counts as new"
