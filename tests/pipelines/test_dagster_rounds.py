"""Dagster's own round: the job as it is defined, executed against real houses; what one table or one attempt spoils stops nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.scheduler.instigation import TickStatus

from pipelines import paths, transform
from tests.conftest import sample_house_env

from .conftest import REPO, Source
from .test_loop import market
from .test_publish import amount, marts, seen

__all__ = ["market", "marts"]


@pytest.fixture
def dagster(market: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    """The small project of two tables, and a Dagster that tries again at once."""
    home = market.folder / "dagster"
    home.mkdir()
    shutil.copy(REPO / "pipelines" / "orchestration" / "dagster.yaml", home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("OPENLANCE_PLATFORM__ORCHESTRATION__RETRY_SECONDS", "0.5")
    for name, value in {"LEAST_HISTORY": "100", "LEAST_RUNS": "3"}.items():
        monkeypatch.setenv(f"OPENLANCE_PLATFORM__QUALITY__{name}", value)
    market.sql("INSERT INTO item (name, amount) SELECT 'n', 0 FROM seq_1_to_199")
    return market


def executed(*arguments: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The job, in a process of its own: definitions are made when they are imported."""
    command = [sys.executable, "-m", "tests.pipelines.dagster_process", "pipeline_round", *arguments]
    done = subprocess.run(command, cwd=REPO, env=env or os.environ, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_round_of_the_sample_market_with_the_real_models(sample_house: Path, tmp_path: Path) -> None:
    home = shutil.copytree(sample_house, tmp_path / "house")
    (home / "dagster").mkdir()
    shutil.copy(REPO / "pipelines" / "orchestration" / "dagster.yaml", home / "dagster")
    found = executed(env=sample_house_env(home) | {"DAGSTER_HOME": str(home / "dagster")})
    assert found["success"] and found["failed_checks"] == {}, found["why"]
    picture = json.loads(Path(__file__).with_name("definitions.json").read_text())
    assert sorted(found["made"]) == picture["jobs"]["pipeline_round"], "every asset of the job was made"
    wanted = [name for name in picture["checks"] if not name.endswith(":proof")]
    assert found["checks"] == len(wanted), "and every check told"


def test_a_round_makes_and_checks_every_asset_in_order(dagster: Source) -> None:
    found = executed()
    assert found["success"], found["why"]
    assert [step for step in found["steps"] if step[1] != "STEP_SUCCESS"] == [] and found["failed_checks"] == {}
    assert set(found["made"]) == {
        *("raw/core/core_deletedrow", "raw/item/item", "raw/other/other", "staging/shop/stg_item", "staging/shop/stg_other"),
        *(
            "published/admin/totals",
            "published/admin/notes",
            "published/client/items",
            "publication/staff/marts",
            "publication/tenants/marts",
        ),
    }
    assert found["checks"] == 3 * 3 + 1 + 2, "of the three tables, of the one model with tests, of the two publications"
    assert found["made"]["raw/item/item"]["state"] == "read" and found["made"]["raw/item/item"]["rows"] == 200
    assert seen("SELECT items FROM admin.totals") == [(200,)]


@pytest.mark.parametrize("spoiled", ["held", "stopped"])
def test_a_table_that_is_not_read_stops_nothing_but_itself(dagster: Source, spoiled: str) -> None:
    assert executed()["success"]
    if spoiled == "held":
        dagster.sql("INSERT INTO item (name, amount) SELECT '', 1 FROM seq_1_to_40")
    else:
        dagster.sql("INSERT INTO item (name, amount) VALUES ('n', 1)")
        dagster.sql("ALTER TABLE item CHANGE amount quantity BIGINT")
    dagster.sql("INSERT INTO other (note) VALUES ('n')")

    found = executed("--incremental")
    assert found["success"] and [state for _, state in found["steps"]] == ["STEP_SUCCESS"] * 3, found["why"]
    assert found["failed_checks"] == {"raw/item/item:batch": "WARN"} if spoiled == "held" else {"raw/item/item:contract": "ERROR"}
    item, other = found["made"]["raw/item/item"], found["made"]["raw/other/other"]
    assert (item["state"], "item" in item["why"], "rows" in item) == (spoiled, True, False), "why it was not read stands beside the asset"
    assert (other["state"], other["rows"]) == ("read", 1)
    assert seen("SELECT notes FROM admin.notes") == [(1,)], "the rest is built and published"
    assert seen("SELECT items, amount FROM admin.totals") == [(200, 1)], "what is made of the table stays as it was"
    states = {name: made.get("state") for name, made in found["made"].items() if not name.startswith("publication")}
    assert states["staging/shop/stg_other"] == "built"
    assert states["staging/shop/stg_item"] == states["published/admin/totals"] == "as it was"


def test_a_log_that_drifted_is_not_published(dagster: Source) -> None:
    assert executed()["success"]
    dagster.sql("RENAME TABLE item TO item_before")
    # what is read a second time is never what was read before
    dagster.sql(
        "CREATE VIEW item AS SELECT id, name, CAST(FLOOR(RAND() * 1000000) AS SIGNED) AS amount, secret, updated_at FROM item_before"
    )
    try:
        found = executed()
    finally:
        dagster.sql("DROP VIEW item")
    assert not found["success"]
    assert found["steps"] == [["extract_tables", "STEP_SUCCESS"], ["build_marts", "STEP_SUCCESS"], ["publish_marts", "STEP_FAILURE"]]
    assert found["failed_checks"] == {"raw/item/item:drift": "ERROR"} and found["made"]["raw/item/item"]["state"] == "drifted"
    assert "the raw log drifted from the source" in found["why"][0] and amount() == 1, "readers keep what they have"


#: A model that fails the first time and leaves a mark.
_ONCE = """
{{{{ config(pre_hook=["create or replace table main.tries as select count(*) as n from glob('{flag}')", "copy (select 1) to '{flag}' (format csv)"]) }}}}
select case when (select n from main.tries) = 0 then error('the first time') else count(*) end as notes from {{{{ ref('stg_other') }}}}
"""


def test_a_retry_goes_on_where_the_build_stopped(dagster: Source) -> None:
    model = paths.dbt_project() / "models" / "published" / "admin" / "admin_notes.sql"
    model.write_text(_ONCE.format(flag=dagster.folder / "flag"))
    found = executed()
    assert found["success"], found["why"]
    assert ["build_marts", "STEP_UP_FOR_RETRY"] in found["steps"] and found["failed_checks"] == {}
    assert {name.split(".")[-1] for name in transform.ran()} == {"admin_notes"}, "the second attempt built what the first left, and no more"
    assert seen("SELECT items, (SELECT notes FROM admin.notes) FROM admin.totals") == [(200, 0)]


def test_a_retry_after_an_attempt_that_never_built_builds_what_is_new(dagster: Source) -> None:
    assert executed()["success"]
    dagster.sql("INSERT INTO other (note) VALUES ('n')")
    dagster.run()
    hold = "import duckdb, sys, time; db = duckdb.connect(sys.argv[1]); print(1, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", hold, str(paths.warehouse())], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        try:
            found = executed("--step", "build_marts", "--at-retry", f"kill {holder.pid}")
        finally:
            holder.kill()
    assert found["success"] and ["build_marts", "STEP_UP_FOR_RETRY"] in found["steps"], found["why"]
    with duckdb.connect(str(paths.warehouse()), read_only=True) as work:
        assert work.execute("SELECT notes FROM admin.notes").fetchall() == [(1,)], (
            "the results of the build before were not taken for its own"
        )


def test_what_fails_because_of_data_is_not_tried_again(dagster: Source) -> None:
    dagster.sql("UPDATE item SET amount = 99 WHERE id = 1")
    found = executed()
    assert not found["success"]
    assert found["steps"] == [["extract_tables", "STEP_SUCCESS"], ["build_marts", "STEP_FAILURE"]]
    assert found["failed_checks"] == {"staging/shop/stg_item:tests": "ERROR"}


_WATCHED = {"resident_rounds", "outbox_volume", "drift", "failed_webhooks", "failed_runs", "incremental"}


def test_the_daemon_asks_schedules_and_sensors_and_runs_leave_the_queue(dagster: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `make up` starts it: nobody asks for a round, and one is made."""
    settings = {"SCHEDULES": "true", "RESIDENT_LOOP": "false", "SENSOR_SECONDS": "15", "RECONCILE_CRON": "7 0 1 1 *"}
    for name, value in settings.items():
        monkeypatch.setenv(f"OPENLANCE_PLATFORM__ORCHESTRATION__{name}", value)
    began, log = time.time(), dagster.folder / "daemon.log"
    with log.open("wb") as out, DagsterInstance.get() as instance:
        command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-m", "pipelines.orchestration"]
        daemon = subprocess.Popen(command, cwd=REPO, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            eventually(lambda: all(status.healthy for status in instance.get_daemon_statuses().values()), log)
            done = RunsFilter(job_name="pipeline_round", statuses=[DagsterRunStatus.SUCCESS])
            eventually(lambda: instance.get_runs_count(done), log)
            [record] = instance.get_run_records(done, limit=1, ascending=True)
            eventually(lambda: {state.name for state in instance.all_instigator_state()} >= _WATCHED, log)
            ticks = [
                tick
                for state in instance.all_instigator_state()
                for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, after=began)
            ]
        finally:
            os.killpg(daemon.pid, signal.SIGTERM)
            daemon.wait(timeout=60)
    assert record.dagster_run.tags["openlance/why"] == "incremental" and record.start_time and record.start_time >= began
    assert [tick.error for tick in ticks if tick.status == TickStatus.FAILURE] == []
    assert (amount(), seen("SELECT items FROM admin.totals")) == (1, [(200,)])


def eventually(ask: Callable[[], Any], log: Path, seconds: float = 240) -> None:
    """Until the answer is true."""
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-5000:]
        time.sleep(0.5)


_SCHEDULED = {"weekly_proof": "proof", "nightly_compaction": "compaction", "nightly": "nightly"}
_ASKED = """
import json, sys
import dagster as dg
from pipelines.orchestration import definitions as made
asked = {}
with dg.DagsterInstance.get() as instance:
    def ask():
        for schedule in made.defs.schedules:
            told = schedule.evaluate_tick(dg.build_schedule_context(instance=instance))
            asked.setdefault(schedule.name, []).append([[dict(run.tags).get("openlance/why"), run.run_config.get("ops", {})] for run in told.run_requests or []] or told.skip_message)
    ask()
    instance.create_run_for_job(made.defs.resolve_job_def("pipeline_round"), status=dg.DagsterRunStatus.STARTED)
    ask()
json.dump(asked, sys.stdout)
"""


def test_what_each_schedule_asks_for(dagster: Source) -> None:
    done = subprocess.run([sys.executable, "-c", _ASKED], cwd=REPO, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    asked = json.loads(done.stdout)

    def config(reconcile: bool) -> dict[str, Any]:
        return {"extract_tables": {"config": {"reconcile": reconcile, "full_refresh": False}}}

    assert asked.pop("incremental") == [[["incremental", config(False)]], "a round is still at work"]
    assert asked.pop("reconcile") == [[["reconcile", config(True)]]] * 2, "it waits in the queue for the round at work"
    assert asked == {name: [[[why, {}]]] * 2 for name, why in _SCHEDULED.items()}
