"""A one-off round that follows another: what it compares with the source, which tests it asks and how, and what it publishes."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest

from pipelines import files, paths, rounds, transform
from pipelines.extract.watermark import mark, text
from pipelines.publish import AuditError, publish
from pipelines.run import compared

from .conftest import Source
from .test_loop import market
from .test_publish import amount, marts, seen

__all__ = ["market", "marts"]
HOUR = timedelta(hours=1)


def result_of(report: Any, table: str = "item") -> Any:
    return next(found for found in report.tables if found.table == table)


def set_compared(table: str, at: datetime) -> None:
    """As if the last comparison had been then."""
    path = paths.raw() / "manifest.json"
    manifest = files.read_json(path) or {}
    manifest["tables"][table]["compared"] = text(at)
    files.write_json(path, manifest)


def test_a_table_is_compared_with_the_source_when_its_last_comparison_is_an_hour_old(source: Source) -> None:
    source.sql("INSERT INTO item (name, amount, updated_at) VALUES ('a', 1, '2026-01-01'), ('b', 2, '2026-01-01')")
    source.sql("INSERT INTO other (note) VALUES ('n')")
    loaded = source.run(reconcile=HOUR)
    assert result_of(loaded).compared == loaded.at, "a first load is compared while it is read"
    source.sql("UPDATE item SET amount = 0, updated_at = updated_at WHERE id = 2")

    within = source.run(reconcile=HOUR)
    assert (result_of(within).repaired, result_of(within).compared) == (0, loaded.at)
    set_compared("item", within.at - HOUR + timedelta(seconds=60))
    assert result_of(source.run(reconcile=HOUR)).repaired == 0

    set_compared("item", within.at - HOUR)
    due = source.run(reconcile=HOUR)
    assert (result_of(due).repaired, result_of(due).compared) == (1, due.at) and source.state() == source.rows()
    assert result_of(due, "other").compared == loaded.at, "each table has an hour of its own"
    assert "1 of 3 tables now, the oldest comparison is 0 min old" in compared(due)

    source.sql("UPDATE item SET amount = 5, updated_at = updated_at WHERE id = 2")
    assert result_of(source.run(reconcile=True)).repaired == 1, "asked for, it is compared whatever its age"


def test_a_stopped_table_keeps_the_age_of_its_comparison(source: Source) -> None:
    source.sql("INSERT INTO item (name, amount) VALUES ('a', 1)")
    loaded = source.run(reconcile=HOUR)
    set_compared("item", loaded.at - 2 * HOUR)
    source.sql("ALTER TABLE item CHANGE amount quantity BIGINT")
    assert result_of(source.run(reconcile=HOUR)).stopped
    kept = (files.read_json(paths.raw() / "manifest.json") or {})["tables"]["item"]["compared"]
    assert mark(kept) == loaded.at - 2 * HOUR
    source.sql("ALTER TABLE item CHANGE quantity amount BIGINT")
    assert result_of(again := source.run(reconcile=HOUR)).compared == again.at


def found_by(name: str) -> dict[str, Any]:
    """The last build's result of the test whose name begins so."""
    return next(result for unique_id, result in transform.results().items() if unique_id.split(".")[2].startswith(name))


def test_tests_asked_without_dbt_find_what_dbt_finds_and_what_lies_above_is_built_again(market: Source) -> None:
    rounds.extracted()
    rounds.built(only_affected=True)
    assert found_by("accepted_values_stg_item")["thread_id"] != "data_tests", "the first build is dbt's alone"
    publish()

    market.sql("UPDATE item SET amount = 99")
    rounds.extracted(reconcile=False)
    with pytest.raises(transform.BuildFailed, match="FAIL accepted_values_stg_item"):
        rounds.built(only_affected=True)
    ours = found_by("accepted_values_stg_item")
    assert ours["thread_id"] == "data_tests" and found_by("unique_stg_item")["status"] == "pass"
    with pytest.raises(AuditError, match="accepted_values_stg_item"):
        publish()
    with pytest.raises(transform.BuildFailed):
        list(transform.build())
    dbts = found_by("accepted_values_stg_item")
    assert (dbts["status"], dbts["failures"], dbts["message"]) == (ours["status"], ours["failures"], ours["message"])

    market.sql("UPDATE item SET amount = 2")
    rounds.extracted(reconcile=False)
    mended = rounds.built(only_affected=True)
    assert mended.work.affected == 3, "what was built over rows that failed their test is built again"
    publish()

    def marks_when_dbt_begins(arguments: list[str]) -> Generator[str, None, int]:
        with duckdb.connect(str(paths.warehouse()), read_only=True) as work:
            yield f"{arguments[:2]} {work.execute('SELECT count(*) FROM _build.node').fetchall()}"
        return 1

    lines: list[str] = []
    for change, told in (("", "['build', '--select'] [(5,)]"), ("\n", "['build', '--full-refresh'] [(0,)]")):
        model = paths.dbt_project() / "models" / "staging" / "shop" / "stg_other.sql"
        model.write_text(model.read_text() + change)
        market.sql("UPDATE item SET amount = amount - 1")
        rounds.extracted(reconcile=False)
        with pytest.raises(transform.BuildFailed):
            rounds.built(only_affected=True, runner=marks_when_dbt_begins, progress=lines.append)
        assert lines[-1] == told, "rows that new code makes were never tested: their marks go first"


def test_a_build_that_ended_before_its_tests_is_not_published(market: Source) -> None:
    rounds.extracted()
    rounds.built(only_affected=True)
    market.sql("UPDATE item SET amount = 99")
    rounds.extracted(reconcile=False)
    selection = rounds.affected.choose().selection
    cut = transform.build(selection=selection)
    for line in cut:
        if "Done. PASS=" in line:  # dbt has built, and left its results; the tests are still to come
            break
    cut.close()
    assert (paths.dbt_target() / "run_results.json").is_file()
    with pytest.raises(AuditError, match="cut short"):
        publish()
    with pytest.raises(transform.BuildFailed, match="accepted_values"):
        rounds.built(only_affected=True)
    with pytest.raises(AuditError, match="accepted_values"):
        publish()


@pytest.mark.parametrize("name", ["manifest.json", "run_results.json", "partial_parse.msgpack"])
def test_a_file_that_dbt_was_killed_at_writing_ends_no_later_round(market: Source, name: str) -> None:
    rounds.extracted()
    rounds.built(only_affected=True)
    publish()
    file = paths.dbt_target() / name
    for value in (2, 1, 2):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        market.sql(f"UPDATE item SET amount = {value}")
        rounds.extracted(reconcile=False)
        rounds.built(only_affected=True)
        publish()
        assert [(amount(),)] == market.sql("SELECT sum(amount) FROM item")


def test_what_only_training_reads_rests_for_its_time_and_is_then_built_and_published(
    market: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLANCE_PLATFORM__MARTS__TRAINING_SECONDS", "3600")
    about = paths.dbt_project() / "models" / "other.yml"
    told = about.read_text().replace("config: {schema: admin}", "config: {schema: admin, meta: {rhythm: training}}")
    few = "data_type: bigint, data_tests: [{accepted_values: {arguments: {values: [0, 1, 3], quote: false}}}]"
    about.write_text(told.replace("data_type: bigint", few))

    def notes() -> list[Any]:
        return seen("SELECT notes, part FROM admin.notes, _meta.model WHERE relation = 'admin.notes'")

    def a_round() -> int:
        rounds.extracted(reconcile=False)
        build = rounds.built(only_affected=True)
        rounds.published()
        return build.work.affected

    a_round()
    [(none, part)] = notes()
    market.sql("INSERT INTO other (note) VALUES ('n')")
    market.sql("UPDATE item SET amount = 2")
    assert a_round() == 3, "neither the resting model nor the one that only it is made of"
    assert (none, notes(), amount()) == (0, [(0, part)], 2), "the rest goes on"
    assert rounds.affected.choose().nothing
    asked = rounds.affected.choose(every_run=True)
    assert asked.selection and asked.selection.nodes == ("admin_notes", "stg_other"), "nothing rests for whoever asks for all"

    with duckdb.connect(str(paths.warehouse())) as work:
        work.execute("UPDATE _build.node SET built_at = built_at - INTERVAL 2 HOUR")
    assert a_round() == 2
    [(one, _)] = notes()
    assert one == 1

    market.sql("INSERT INTO other (note) VALUES ('not welcome alone')")
    rounds.extracted(reconcile=False)
    with pytest.raises(transform.BuildFailed, match="accepted_values"):
        rounds.built(only_affected=True, every_run=True)
    market.sql("INSERT INTO other (note) VALUES ('and another')")
    assert a_round() == 2, "what failed does not rest"
