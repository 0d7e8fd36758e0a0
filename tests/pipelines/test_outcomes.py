"""What the checks of real rounds found: told by the loop and by the command, and seen in Dagster's asset graph."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines import erase, loop, paths, rounds
from pipelines.extract import sources
from pipelines.extract.log import Log
from pipelines.loop import ResidentLoop
from pipelines.orchestration import dbt_graph, sensors
from pipelines.orchestration.dbt_graph import raw_key
from pipelines.quality import alerts, waiting_tables
from pipelines.settings import Loop, Orchestration

from .conftest import Source
from .test_loop import market, resident
from .test_publish import amount, marts, process, set_marts

__all__ = ["market", "marts", "resident"]
TEST = "accepted_values_stg_item_amount__False__0__1__2__3"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def told(after: int = 0) -> list[tuple[str, str, str, int]]:
    return [(line["event"], line["table"], line["check"], line["rows"]) for line in alerts.history()][after:]


def look(name: str, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """One look of a sensor; what it reports is in the instance's log, as Dagster's daemon puts it there."""
    job = dg.define_asset_job("round")
    [sensor] = [one for one in sensors.made(Orchestration(), job, dg.RunConfig()) if one.name == name]
    result = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    for event in result.asset_events or ():
        instance.report_runless_asset_event(event)
    return result


def checked(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, bool]:
    """The newest outcome of each check that was ever evaluated."""
    found = {}
    for name in ("contract", "drift", "batch", "proof", "tests", "equal_to_marts"):
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([dg.AssetCheckKey(key, name)])
        for one in record.values():
            assert one.event is not None and one.event.dagster_event is not None
            found[name] = one.event.dagster_event.asset_check_evaluation_data.passed
    return found


def test_the_loop_tells_of_stops_failed_tests_and_failed_rounds_and_dagster_knows(
    market: Source, resident: ResidentLoop, instance: dg.DagsterInstance
) -> None:
    first = resident.round()
    tables = ["core_deletedrow", "item", "other"]
    assert (first.checked, first.compared, first.failed, first.equal_to) == (tables, tables, {}, ["staff", "tenants"])
    cursor = look("resident_rounds", instance).cursor
    staging = next(node.key for node in dbt_graph.load() if node.unique_id.endswith(".stg_item"))
    publication = dg.AssetKey(["publication", "staff", "marts"])
    assert checked(instance, raw_key("item")) == {"contract": True, "drift": True, "batch": True}
    assert checked(instance, staging) == {"tests": True}
    assert checked(instance, publication) == {"equal_to_marts": True}
    assert {staging, publication, raw_key("item")} <= set(instance.all_asset_keys())
    before = instance.get_latest_materialization_event(raw_key("item"))
    assert told() == []

    market.sql("UPDATE item SET amount = 99")
    market.sql("ALTER TABLE other CHANGE note text LONGTEXT")
    for _ in range(2):
        failed = resident.round()
        assert (failed.state, failed.equal_to) == ("failed", [])
    assert told() == [("stopped", "other", "contract", 0), ("test failed", "stg_item", TEST, 1), ("round failed", "", "BuildFailed", 0)]
    assert "removed from the source" in alerts.history()[0]["message"]
    cursor = look("resident_rounds", instance, cursor).cursor
    assert checked(instance, staging) == {"tests": False}, "a round that is not published is told all the same"
    assert checked(instance, raw_key("other")) == {"contract": False, "drift": True, "batch": True}
    assert checked(instance, raw_key("item")) == {"contract": True, "drift": True, "batch": True}
    after = instance.get_latest_materialization_event(raw_key("item"))
    assert before is not None and after is not None and after.timestamp > before.timestamp
    look("drift", instance)
    assert len(told()) == 3, "what the loop has told, the sensor does not tell again"

    market.sql("UPDATE item SET amount = 3")
    market.sql("ALTER TABLE other CHANGE text note LONGTEXT")
    assert (resident.round().state, amount()) == ("published", 3)
    cursor = look("resident_rounds", instance, cursor).cursor
    assert (checked(instance, staging), checked(instance, raw_key("other"))["contract"]) == ({"tests": True}, True)

    set_marts(77)
    resident._reconciled_at = 0.0
    unlike = resident.round()
    assert (unlike.state, unlike.reconciled, unlike.message) == ("idle", True, "")
    assert {line.split(":")[0] for line in unlike.failed["equal_to_marts"]["staff"]} == {"staff admin.totals"}
    assert ("unlike the marts", "admin.totals", "equal_to_marts", 0) in told(3)
    look("resident_rounds", instance, cursor)
    assert checked(instance, publication) == {"equal_to_marts": False}
    assert checked(instance, dg.AssetKey(["publication", "tenants", "marts"])) == {"equal_to_marts": True}

    market.sql("UPDATE item SET amount = 2")
    rounds.extracted(reconcile=False)
    rounds.built(only_affected=True)
    assert rounds.compared() is None, "between somebody's build and their publish the files are older than the marts"


def test_a_one_off_round_tells_the_same_on_stderr(marts: Source) -> None:
    marts.sql("ALTER TABLE other CHANGE note text LONGTEXT")
    marts.sql("UPDATE item SET amount = 99")
    done = process("pipelines.run")
    assert done.returncode == 2 and "not published" in done.stdout
    assert [event for event, *_ in told()] == ["stopped", "test failed", "round failed"]
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["WARNING stopped", "WARNING test failed", "WARNING round failed"]
    assert f"stg_item: {TEST}: 1 rows were found, none may be (1 rows)" in done.stderr


def test_a_log_that_differs_after_it_was_read_again_is_told_and_published_nowhere(
    market: Source, resident: ResidentLoop, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resident.round().state == "published"
    original = sources._MySQLSnapshot.checksums

    def elsewhere(self: Any, contract: Any, size: int) -> Any:
        return [(block, rows, crc + (contract.table == "item")) for block, rows, crc in original(self, contract, size) or []]

    # the checksums of another moment than the rows
    monkeypatch.setattr(sources._MySQLSnapshot, "checksums", elsewhere)
    resident._reconciled_at = 0.0
    market.sql("INSERT INTO other (note) VALUES ('n')")
    failed = resident.round()
    assert (failed.state, list(failed.failed)) == ("failed", ["drift"])
    assert told() == [("drift", "item", "drift", 0), ("round failed", "", "AuditError", 0)]
    look("resident_rounds", instance)
    assert checked(instance, raw_key("item")) == {"contract": True, "drift": False, "batch": True}
    first = look("drift", instance)
    [request] = first.run_requests or []
    assert request.tags["openlance/why"] == "drift"

    again = resident.round()
    assert (again.state, again.reconciled, list(again.failed)) == ("failed", False, ["drift"]), "no later round lets it pass by not looking"
    later = look("drift", instance, first.cursor)
    assert not later.run_requests and later.cursor != first.cursor, "each round compares it again: nobody has to ask"
    market.sql("ALTER TABLE item CHANGE amount quantity BIGINT")
    stopped = resident.round()
    assert (stopped.state, list(stopped.failed)) == ("failed", ["contract"]) and "item: the raw log drifted" in stopped.message
    market.sql("ALTER TABLE item CHANGE quantity amount BIGINT")
    monkeypatch.setattr(sources._MySQLSnapshot, "checksums", original)
    equal = resident.round()
    assert (equal.state, equal.reconciled, equal.compared) == ("published", False, ["item"]), "what was found equal is published at once"
    assert (sensors.seen(None, 3), sensors.seen("3", 3), sensors.seen("4", 3)) == (0, 3, 0)
    assert (look("drift", instance, "99").run_requests or [])[-1].run_key.startswith("drift-2-"), (
        "a log that was begun anew is looked at anew"
    )


def test_the_drift_sensor_tells_of_a_stopped_table_and_asks_for_no_comparison(source: Source, instance: dg.DagsterInstance) -> None:
    source.sql("ALTER TABLE other CHANGE note text LONGTEXT")
    source.run()
    found = look("drift", instance)
    assert not found.run_requests and found.cursor == "1"
    assert told() == [("stopped", "other", "contract", 0)]
    source.run()
    look("drift", instance, found.cursor)
    assert len(told()) == 1, "what lasts is told once an hour"


def test_a_proof_that_differed_is_made_again_until_it_is_equal(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a')")
    source.run()
    original = sources._MySQLSnapshot.checksums
    with monkeypatch.context() as patch:
        patch.setattr(
            sources._MySQLSnapshot, "checksums", lambda *asked: [(block, rows, crc + 1) for block, rows, crc in original(*asked) or []]
        )
        assert [done.drift for done in source.run(prove=True).tables if done.table == "item"] == [1]
    entry = Log(paths.raw()).manifest().tables["item"]
    assert (entry.differs, entry.stopped, waiting_tables()) == ("rows", True, ["item"])
    [done] = [done for done in source.run(reconcile=False).tables if done.table == "item"]
    assert done.proof is not None and done.proof[0] == 1 and waiting_tables() == []


def test_what_could_not_be_converted_is_in_no_record(market: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    market.sql("INSERT INTO item (name, amount) VALUES ('Zweifelsohne', 1)")
    model = paths.dbt_project() / "models" / "published" / "admin" / "admin_notes.sql"
    model.write_text("select cast(min(name) as bigint) as notes from {{ ref('stg_item') }}")
    made = ResidentLoop(Loop())
    try:
        failed = made.round()
    finally:
        made._dbt.close()
    assert failed.state == "failed" and "Conversion Error" in failed.message and "Zweifelsohne" not in failed.message
    assert "Zweifelsohne" in (paths.dbt_target() / "build.log").read_text()
    kept = [loop.log_path(), alerts.history_path()]
    assert all("Conversion Error" in path.read_text() for path in kept)
    assert not any("Zweifelsohne" in path.read_text() for path in [*kept, paths.var() / "quality" / "incidents.json"])
    erase.forget_work()
    assert not any("Zweifelsohne" in path.read_text(errors="ignore") for path in paths.warehouse().parent.rglob("*") if path.is_file())


WEBHOOKS = """
table = "payments_webhookevent"
key = "id"
stamp = "updated_at"
personal_data = false

[columns]
id = { type = "bigint", nullable = false }
updated_at = { type = "timestamp", nullable = false }
provider = { type = "varchar(16)", nullable = false }
received_at = { type = "timestamp", nullable = false }
handled_at = { type = "timestamp", nullable = true }
last_error = { type = "varchar(1000)", nullable = false }
"""


@pytest.fixture
def gateways(source: Source) -> Source:
    """A table of notifications beside the others."""
    source.sql(
        "CREATE TABLE payments_webhookevent (id BIGINT PRIMARY KEY AUTO_INCREMENT, provider VARCHAR(16) NOT NULL,"
        " received_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), handled_at DATETIME(6), last_error VARCHAR(1000) NOT NULL,"
        " updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY stamp (updated_at, id))"
    )
    Path(source.folder / "contracts" / "payments_webhookevent.toml").write_text(WEBHOOKS)
    return source


def fail(source: Source, provider: str, count: int) -> None:
    source.sql(f"INSERT INTO payments_webhookevent (provider, last_error) SELECT '{provider}', 'refused' FROM seq_1_to_{count}")
    source.run()


def test_each_incident_of_a_gateway_is_told_once(gateways: Source, instance: dg.DagsterInstance) -> None:
    fail(gateways, "stripe", 5)
    cursor = look("failed_webhooks", instance, "stripe 5").cursor
    for _ in range(3):
        fail(gateways, "stripe", 1)
        cursor = look("failed_webhooks", instance, cursor).cursor
    table = sensors.WEBHOOKS
    assert told() == [("failed webhooks", table, "failed webhooks", 5)], "one incident that grows"
    fail(gateways, "paypal", 6)
    cursor = look("failed_webhooks", instance, cursor).cursor
    assert told(1) == [("failed webhooks", table, "failed webhooks", 6)]

    gateways.sql("UPDATE payments_webhookevent SET handled_at = NOW(6)")
    gateways.run()
    over = look("failed_webhooks", instance, cursor)
    assert (over.cursor, over.asset_events) == ("{}", [])
    fail(gateways, "stripe", 5)
    look("failed_webhooks", instance, over.cursor)
    assert told(2) == [("failed webhooks", table, "failed webhooks", 5)], "the next incident, though it counts as many"


def test_an_incident_that_lasts_is_told_again_after_an_hour() -> None:
    at = datetime(2026, 3, 1, 12)
    assert sensors.untold({"stripe": 5}, {"stripe": "2026-03-01 11:00:01"}, at) == {}
    assert sensors.untold({"stripe": 5}, {"stripe": "2026-03-01 11:00:00"}, at) == {"stripe": 5}


def test_the_last_hour_ends_with_the_newest_run_though_it_brought_nothing(gateways: Source) -> None:
    fail(gateways, "stripe", 5)
    short = timedelta(seconds=2)
    assert sensors.failed_notifications(timedelta(minutes=1)) == [("stripe", 5)]
    time.sleep(2.1)
    gateways.run()
    assert sensors.failed_notifications(short) == []
    assert sensors.failed_notifications(timedelta(minutes=1)) == [("stripe", 5)]


def test_rounds_of_an_older_loop_are_told_as_far_as_they_say(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    loop.log_path().parent.mkdir(parents=True)
    loop.log_path().write_text(
        '{"number": 1, "state": "published", "publish_id": "p", "rows": 1, "affected": 1, "seconds": {}, "tables": ["item"], "run_seq": 1, "proved": false}\n'
    )
    found = look("resident_rounds", instance)
    assert len(found.asset_events or ()) == 3 and found.cursor == "1"
