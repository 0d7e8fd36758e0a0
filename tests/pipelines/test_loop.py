"""The resident loop: what changed is built and published, what did not is left alone, and neither a failure nor a kill is the end of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import affected, chores, files, loop, marts_reader, paths, rounds, transform
from pipelines.loop import ResidentLoop, Round
from pipelines.publish import publish
from pipelines.settings import Loop
from pipelines.warm import WarmDbt

from .conftest import REPO, Source
from .test_publish import amount, marts, seen

__all__ = ["marts"]
_OTHER = {
    "staging/shop/stg_other.sql": "select distinct note from {{ source('raw', 'other') }} where _op = 'u'",
    "published/admin/admin_notes.sql": "select count(*) as notes from {{ ref('stg_other') }}",
    "other.yml": """
version: 2
models:
  - name: admin_notes
    config: {schema: admin}
    columns: [{name: notes, data_type: bigint}]
""",
}


@pytest.fixture
def market(marts: Source) -> Source:
    """The small project of two tables: totals and items are made from `item`, notes from `other`."""
    for name, content in _OTHER.items():
        (paths.dbt_project() / "models" / name).write_text(content)
    every = paths.dbt_project() / "models" / "all.yml"
    every.write_text(every.read_text().replace("tables: [{name: item}]", "tables: [{name: item}, {name: other}]"))
    return marts


@pytest.fixture
def resident(market: Source) -> Iterator[ResidentLoop]:
    made = ResidentLoop(Loop(interval_seconds=0.1, reconcile_seconds=3600, longest_pause_seconds=1))
    yield made
    made._dbt.close()


def built_by(done: Round) -> set[str]:
    """The models that the last build touched."""
    results = files.read_json(paths.dbt_target() / "run_results.json") or {}
    return {unique_id.rsplit(".", 1)[1] for unique_id in results["openlance_own"] if unique_id.startswith("model.")}


def test_rounds_build_only_what_changed_and_a_failure_keeps_the_publication_until_it_is_mended(
    market: Source, resident: ResidentLoop
) -> None:
    first = resident.round()
    assert (first.state, first.reconciled, first.message) == ("published", True, "")
    assert built_by(first) == {"stg_item", "admin_totals", "client_items", "stg_other", "admin_notes"}

    idle = resident.round()
    assert (idle.state, idle.rows, idle.affected, idle.reconciled) == ("idle", 0, 0, False)

    market.sql("INSERT INTO other (note) VALUES ('n')")
    only_other = resident.round()
    assert (only_other.state, only_other.tables, built_by(only_other)) == ("published", ["other"], {"stg_other", "admin_notes"})
    assert (amount(), seen("SELECT notes FROM admin.notes")) == (1, [(1,)])
    assert seen("SELECT count(*) FROM _meta.model WHERE tests LIKE '%not run%'") == [(0,)], "tests that did not run again keep their result"

    market.sql("UPDATE item SET amount = 99")
    failed = resident.round()
    assert failed.state == "failed" and "accepted_values" in failed.message
    market.sql("INSERT INTO other (note) VALUES ('m')")
    still = resident.round()
    assert still.state == "failed" and "stg_item" in built_by(still), "what failed is tried again although its table brought nothing"
    assert (amount(), seen("SELECT notes FROM admin.notes")) == (1, [(1,)]), "readers keep the publication they had"

    market.sql("UPDATE item SET amount = 3")
    assert resident.round().state == "published"
    assert (amount(), seen("SELECT notes FROM admin.notes")) == (3, [(2,)])
    assert resident._dbt.starts == 1, "one dbt process served all rounds"
    assert [told["state"] for told in loop.past()] == ["published", "idle", "published", "failed", "failed", "published"]
    assert loop.past(5)[0]["number"] == 6

    market.sql("UPDATE item SET amount = 2, updated_at = '2020-01-01'")
    assert (resident.round().state, amount()) == ("idle", 3), "a change that is stamped long ago is not seen before the rows are compared"
    for chore in (chores.PROVE, chores.COMPACT):
        chores.mark(chore, now=datetime.now(UTC) - timedelta(days=8))
    proved = resident.round()
    assert (proved.state, proved.proved, proved.unlike) == (
        "published",
        True,
        ["item: 1 rows differed from the source, and were read again: 1 value differs (updated_at, amount: 1)"],
    )
    assert proved.compacted >= 2 and amount() == 2
    assert (resident.round().proved, resident.round().compacted) == (False, 0), "done is done"


def test_a_changed_project_or_a_lost_work_file_is_built_whole_and_a_held_table_stands_still(market: Source) -> None:
    from pipelines import rounds

    rounds.extracted()
    assert affected.choose().selection is None
    rounds.built(only_affected=True)
    assert affected.choose().nothing

    market.sql("UPDATE item SET amount = 2")
    market.sql("INSERT INTO other (note) VALUES ('n')")
    rounds.extracted(reconcile=False)
    held = affected.choose(held=["item"])
    assert held.selection is not None
    assert (held.selection.nodes, held.selection.held) == (("admin_notes", "stg_other"), ("admin_totals", "client_items", "stg_item"))
    both = affected.choose()
    assert both.selection is None and both.affected == 5

    model = paths.dbt_project() / "models" / "published" / "admin" / "admin_notes.sql"
    model.write_text(model.read_text() + "\n")
    assert affected.choose().selection is None and affected.choose().project_changed and not both.project_changed
    in_part = affected.choose(held=["item"])
    assert in_part.selection is not None and in_part.selection.held == ("admin_totals", "client_items", "stg_item")

    rounds.built(only_affected=True)
    assert affected.choose().nothing
    paths.warehouse().unlink()
    market.run()
    assert affected.choose().selection is None


def test_a_published_view_shows_no_table_going_on_without_one_that_is_set_aside(market: Source) -> None:
    published = paths.dbt_project() / "models" / "published" / "admin"
    (published / "admin_both.sql").write_text(
        "{{ config(materialized='view') }} select (select sum(amount) from {{ ref('stg_item') }})::bigint as amount,"
        " (select count(*) from {{ ref('stg_other') }}) as notes"
    )
    other = paths.dbt_project() / "models" / "other.yml"
    other.write_text(
        other.read_text()
        + "  - {name: admin_both, config: {schema: admin}, columns: [{name: amount, data_type: bigint}, {name: notes, data_type: bigint}]}\n"
    )
    for _ in range(2):
        rounds.extracted()
        rounds.built(only_affected=True)
        rounds.published()
    assert seen('SELECT amount, notes FROM "admin"."both"') == [(1, 0)]

    aside = paths.var() / "quality" / "quarantine" / "item" / "findings.json"
    # found by a comparison with the source: rounds that make none leave it set aside
    files.write_json(aside, {"table": "item", "beyond": True, "findings": []})
    market.sql("INSERT INTO other (note) VALUES ('n')")
    rounds.extracted(reconcile=False)
    rounds.built(only_affected=True)
    rounds.published()
    assert seen('SELECT notes FROM "admin"."notes"') == [(1,)] and seen('SELECT amount, notes FROM "admin"."both"') == [(1, 0)]
    assert rounds.compared() == [], "what stands still is not compared with a view that went on"

    aside.unlink()
    rounds.published()
    assert seen('SELECT amount, notes FROM "admin"."both"') == [(1, 1)]


def until(condition: Callable[[], bool], what: str, process: subprocess.Popen[str] | None = None, seconds: float = 120) -> None:
    """Wait for `condition()`; fail with the loop's own words when it ends or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            if process is not None:
                process.kill()
                what += f": {process.communicate()[0]}"
            pytest.fail(what)
        time.sleep(0.05)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def published_amount() -> int | None:
    try:
        return amount()
    except (marts_reader.NothingPublished, duckdb.IOException):
        return None


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipelines.loop", "--interval", "0.2"]
    return subprocess.Popen(command, cwd=REPO, env=os.environ.copy(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_killed_loop_takes_its_dbt_with_it_and_the_next_goes_on_and_stops_when_asked(market: Source) -> None:
    killed = start()
    until(lambda: published_amount() == 1, "the first publication", killed)
    [dbt] = children(killed.pid)
    killed.kill()
    killed.communicate()
    until(lambda: gone(dbt), "dbt's end")

    market.sql("UPDATE item SET amount = 2")
    again = start()
    until(lambda: published_amount() == 2, "the second publication", again)
    second = subprocess.run([sys.executable, "-m", "pipelines.loop"], cwd=REPO, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 2 and "another loop is at work" in second.stderr
    again.send_signal(signal.SIGTERM)
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert "published: 1 rows of 1 tables" in said and "asked to stop" in said


def test_a_killed_round_takes_its_dbt_with_it(market: Source) -> None:
    command = [sys.executable, "-m", "pipelines.run"]
    killed = subprocess.Popen(command, cwd=REPO, env=os.environ.copy(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: len(children(killed.pid)) == 1, "a dbt that makes itself ready", killed)
    [dbt] = children(killed.pid)
    killed.kill()
    killed.communicate()
    until(lambda: gone(dbt), "dbt's end")
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0 and published_amount() == 1, done.stdout


def test_a_dbt_that_made_itself_ready_builds_and_tells_what_is_wrong_with_the_project(market: Source) -> None:
    rounds.extracted()
    model = paths.dbt_project() / "models" / "staging" / "shop" / "stg_item.sql"
    good = model.read_text()
    with contextlib.closing(WarmDbt()) as dbt:
        model.write_text(good + "{{ no_such_macro( }}")
        dbt.start()
        with pytest.raises(transform.BuildFailed, match="stg_item"):
            rounds.built(runner=dbt)
        model.write_text(good)
        assert "ERROR=0" in rounds.built(runner=dbt).summary
        market.sql("UPDATE item SET amount = 2")
        rounds.extracted(reconcile=False)
        rounds.built(only_affected=True, runner=dbt)
        assert dbt.starts == 1
    publish()
    assert published_amount() == 2


def test_a_chore_is_due_once_its_time_is_over_and_the_first_question_starts_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    began = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert not chores.due(chores.PROVE, 60, now=began)
    assert not chores.due(chores.PROVE, 60, now=began + timedelta(seconds=59))
    assert chores.due(chores.PROVE, 60, now=began + timedelta(seconds=60))
    assert not chores.due(chores.COMPACT, 60, now=began + timedelta(seconds=60))
    chores.mark(chores.PROVE, now=began + timedelta(seconds=60))
    assert not chores.due(chores.PROVE, 60, now=began + timedelta(seconds=119))
    assert chores.due(chores.COMPACT, 60, now=began + timedelta(seconds=120))
