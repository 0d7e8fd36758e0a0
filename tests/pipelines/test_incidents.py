"""Tests and rounds that failed reach the marts: with the round that goes well again, and their end with the one after that."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from pipelines import affected, files, outcomes, paths, rounds, transform
from pipelines.loop import ResidentLoop
from pipelines.quality import incidents
from pipelines.refusals import Asked, Refused

from .conftest import REPO, Source
from .test_loop import market, resident
from .test_outcomes import TEST
from .test_publish import marts, process, seen

__all__ = ["market", "marts", "resident"]
_MODELS = {
    "staging/platform": ("stg_platform__incidents.sql", "stg_platform__incidents.yml", "platform_sources.yml"),
    "marts/platform": ("fct_quality_incident.sql", "fct_quality_incident.yml"),
    "published/admin": tuple(f"admin_data_quality_failed_{part}.{kind}" for part in ("tests", "rounds") for kind in ("sql", "yml")),
}
TESTS = "SELECT test_name, model_name, build_count, row_count, message, passed_at IS NULL, failed_at <= last_failed_at FROM admin.data_quality_failed_tests"
ROUNDS = "SELECT step, round_count, message, succeeded_at IS NULL, succeeded_before_at IS NULL FROM admin.data_quality_failed_rounds ORDER BY failed_at"


@pytest.fixture
def telling(market: Source) -> Source:
    """The small project with the house's own models of what failed."""
    ours, theirs = REPO / "dbt_project", paths.dbt_project()
    for folder, names in _MODELS.items():
        (theirs / "models" / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(ours / "models" / folder / name, theirs / "models" / folder)
    shutil.copytree(ours / "tests" / "generic", theirs / "tests" / "generic")
    for folder in ("dialect", "rules"):
        shutil.copytree(ours / "macros" / folder, theirs / "macros" / folder)
    project = theirs / "dbt_project.yml"
    schemas = "models: {openlance: {+materialized: table, published: {admin: {+schema: admin}}}}"
    project.write_text(project.read_text().replace("models: {openlance: {+materialized: table}}", schemas))
    return market


@pytest.fixture
def kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))


def test_what_failed_is_published_by_the_next_good_round_and_its_end_by_the_one_after(telling: Source, resident: ResidentLoop) -> None:
    assert (resident.round().state, seen(TESTS), seen(ROUNDS)) == ("published", [], [])
    assert resident.round().state == "idle"
    good = datetime.fromtimestamp((paths.var() / "quality" / "last_good_round").stat().st_mtime, UTC).replace(tzinfo=None)

    telling.sql("UPDATE item SET amount = 99")
    assert [resident.round().state for _ in range(3)] == ["failed"] * 3
    assert (seen(TESTS), seen(ROUNDS)) == ([], []), "a failed round publishes nothing"
    telling.sql("UPDATE item SET amount = 2")
    assert resident.round().state == "published"
    test = (TEST, "stg_item", 3, 1, "1 rows were found, none may be")
    assert seen(TESTS) == [(*test, True, True)]
    failed = ("build", 3, "1 test failed")
    assert seen(ROUNDS) == [(*failed, True, False)]

    after = resident.round()
    assert (after.state, after.rows) == ("published", 0), "that it went well again is worth a publication"
    assert (seen(TESTS), seen(ROUNDS)) == ([(*test, False, True)], [(*failed, False, False)])
    [(before, began, ended, seconds)] = seen(
        "SELECT succeeded_before_at, failed_at, succeeded_at, seconds_without_success FROM admin.data_quality_failed_rounds"
    )
    assert before == good < began < ended and seconds == pytest.approx((ended - before).total_seconds())
    assert incidents.untold() == []
    assert [resident.round().state for _ in range(2)] == ["idle", "idle"], "and then all is told"
    assert seen("SELECT count(*) FROM _meta.model WHERE relation LIKE 'admin.data_quality%'") == [(2,)]


def test_an_incident_that_lasts_over_a_publication_is_told_as_it_stands(telling: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("no space left on device '/var'")

    assert process("pipelines.run").returncode == 0
    monkeypatch.setattr("pipelines.rounds.compact", broken)
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            rounds.compacted()
    rounds.extracted(reconcile=False)
    rounds.built(only_affected=True)
    rounds.published()
    assert seen(ROUNDS) == [("compact", 2, "OSError: no space left on device …", True, False)]


def test_a_model_that_is_not_built_stands_among_the_tests(telling: Source) -> None:
    assert process("pipelines.run").returncode == 0
    model = paths.dbt_project() / "models" / "staging" / "shop" / "stg_other.sql"
    good = model.read_text()
    model.write_text("select nothing from nowhere")
    assert process("pipelines.run").returncode == 2
    model.write_text(good)
    assert process("pipelines.run").returncode == 0
    [told] = seen("SELECT test_name, model_name, row_count, message FROM admin.data_quality_failed_tests")
    assert told == ("build", "stg_other", 0, "was not built; dbt's build.log says why")
    assert seen("SELECT step FROM admin.data_quality_failed_rounds") == [("build",)]


def test_a_database_that_cannot_be_reached_is_told_once_a_round_reads_again(telling: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as away:
        away.setenv("OPENLANCE_DB_SOCKET", "/tmp/none.sock")
        assert process("pipelines.run").returncode == 2
    assert process("pipelines.run").returncode == 0
    [(step, rounds_of, message, is_open, never_before)] = seen(ROUNDS)
    assert (step, rounds_of, is_open, never_before) == ("extract", 1, True, True)
    assert message.startswith("the database … at /tmp/none.sock cannot be reached")


def test_a_run_that_is_killed_before_its_manifest_leaves_what_failed_to_the_next(source: Source) -> None:
    incidents.note(incidents.ROUND, [incidents.Failure("publish", "", 0, "why")])
    assert source.run_process("extract.before_manifest").returncode == -9
    assert len(incidents.untold()) == 1
    assert source.run_process("extract.after_manifest").returncode == -9
    assert len(incidents.untold()) == 1, "taken along twice rather than never"
    assert source.run_process().returncode == 0
    assert incidents.untold() == []
    told = source.warehouse("SELECT run_seq, kind, name, node, times, message, ended_at, well_before_at FROM raw._incidents")
    assert told == [(run, "round", "publish", "", 1, "why", None, None) for run in (1, 2)]
    assert source.run_process().returncode == 0
    assert len(source.warehouse("SELECT * FROM raw._incidents")) == 2, "what has not changed is not told again"


def test_a_step_that_is_asked_to_stop_has_not_failed_and_a_refusal_is_told_in_its_own_words(kept: None) -> None:
    def stop(detail: str) -> None:
        raise Asked

    def refuse(detail: str) -> None:
        raise Refused("the disk\nis 'mine'")

    for act, wanted in ((stop, []), (refuse, ["the disk"])):
        with pytest.raises((Asked, Refused)), outcomes.Step("publish"):
            act("")
        assert [one.message for one in incidents.untold()] == wanted


def test_an_incident_that_changed_while_a_run_took_it_along_is_taken_along_again(kept: None) -> None:
    failure = incidents.Failure("unique", "stg_item", 2, "x")
    incidents.note(incidents.TEST, [failure])
    taken = incidents.untold()
    incidents.note(incidents.TEST, [failure])
    incidents.told(taken)
    [left] = incidents.untold()
    assert (left.times, left.began_at) == (2, taken[0].began_at)
    incidents.told([left])
    assert (incidents.untold(), incidents.open_now(incidents.TEST)) == ([], [left])
    incidents.note(incidents.TEST, [], well=lambda incident: False)
    assert incidents.open_now(incidents.TEST) == [left], "what nobody asked is not well"
    incidents.note(incidents.TEST, [], well=lambda incident: True)
    [ended] = incidents.untold()
    assert ended.ended_at is not None and incidents.open_now(incidents.TEST) == []
    incidents.told([ended])
    assert files.read_json(paths.var() / "quality" / "incidents.json") == [], "the log has it now"
    incidents.note(incidents.TEST, [failure])
    assert incidents.untold()[0].began_at > left.began_at, "the next time is another incident"


def test_what_cannot_be_kept_stops_nothing(kept: None, caplog: pytest.LogCaptureFixture) -> None:
    (paths.var() / "quality").write_text("a file where the folder should be")
    incidents.note(incidents.ROUND, [incidents.Failure("build", "", 0, "x")])
    incidents.went_well()
    assert incidents.untold() == []
    assert any(message.startswith("incidents were not kept") for message in caplog.messages)


def test_a_work_file_of_before_incidents_is_read(telling: Source) -> None:
    rounds.extracted()
    with duckdb.connect(str(paths.warehouse())) as work:
        work.execute("DROP VIEW raw._incidents")
    assert affected.choose().nodes == 0 and not transform.unfinished()
