"""That a model built run by run holds exactly what it would hold if it were built whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

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
    """relation → key of every incremental model."""
    models = (n for n in manifest["nodes"].values() if n["resource_type"] == "model" and n["config"]["materialized"] == "incremental")
    return {f"{n['schema']}.{n['alias']}": n["config"]["unique_key"] for n in models}


def rows(warehouse: Path, relations: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(warehouse), read_only=True) as db:
        return {name: db.execute(f"select * from {name} order by {key}").fetchall() for name, key in relations.items()}


def test_built_run_by_run_equals_built_whole(workshop: Any, market_again: Any, random_log: Any) -> None:
    """Runs bring new, late, changed, deleted and returning rows; three of them touch only what facts join, or nothing but deletions' neighbours.

    A wrong row of an early run stays wrong unless it is touched again, so one comparison at the end sees the earlier runs too.
    """
    log = random_log.RandomLog(SEED)
    runs = (
        None,
        {"payments_fxrate", "payments_account", "messaging_conversation"},
        None,
        {"payments_fxrate", "payments_entry", "messaging_message", "activity_impression"},
    )
    workshop.build("first", log.grow(), *BUILD)
    told = incremental(market_again.manifest())
    for number, tables in enumerate(runs):
        known = random_log.FIRST_DAY + timedelta(days=random_log.DAYS + log.run)
        workshop.raw_fixture.append_raw(workshop.warehouse, log.grow(tables), run=log.run, known_at=known)
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
    assert len(told) >= 19 and all(len(found) > 5 for found in whole.values())
    assert took_changes == len(told), "some model was built whole in a run that should have taken changes"
