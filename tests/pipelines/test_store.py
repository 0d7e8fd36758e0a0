"""The raw log on an object store: the same states as on a disk, for two machines too, whatever is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import files, marts_reader, paths, store
from pipelines.extract import compact, erasure
from pipelines.extract.log import Log
from pipelines.marts_reader import fetch
from pipelines.publish import shelf
from pipelines.settings import SettingsError
from pipelines.store import Store, StoreError

from . import bucket
from .conftest import Source
from .test_personal_data import MARK, holding, leave, people, round_of

__all__ = ["people"]

pytest.importorskip("s3fs", reason="requirements/s3.txt is not installed: nothing was tested on an object store")
pytest.importorskip("moto", reason="moto is not installed: nothing was tested on an object store")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bucket.Server]:
    with bucket.serving(tmp_path_factory.mktemp("s3") / "server.log") as running:
        yield running


@pytest.fixture
def away(server: bucket.Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty bucket, and this process pointed at it."""
    name = f"t{abs(hash(request.node.name)):x}"[:40]
    server.make(name)
    for variable, value in server.environment(name).items():
        monkeypatch.setenv(variable, value)
    for variable in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    place = store.below("raw")
    assert place is not None
    return place


def writer(place: Store) -> dict[str, Any] | None:
    """The claim that stands in the manifest."""
    stored = place.read("manifest.json")
    return json.loads(stored.content).get("writer") if stored else None


def parts(place: Store) -> set[str]:
    return {name for name in place.sizes() if name.endswith(".parquet")}


def named() -> set[str]:
    return {name for entry in Log(paths.raw()).manifest().tables.values() for name in entry.files}


def elsewhere(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From here on this process is another machine: the same store, a disk of its own."""
    monkeypatch.setenv("OPENLANCE_VAR", str(folder))


def test_file_is_replaced_only_by_who_knows_its_present_version(away: Store) -> None:
    first = away.replace("note", b"one", None)
    with pytest.raises(files.Busy, match="written by somebody else in between; what they wrote stays"):
        away.replace("note", b"mine", None)
    second = away.replace("note", b"two", first)
    with pytest.raises(files.Busy):
        away.replace("note", b"mine", first)
    assert away.read("note") == store.Stored(b"two", second)
    assert away.replace("note", b"two", first) == second, "a call that was repeated because its answer was lost did not lose"
    assert (away.read("nothing"), away.sizes()) == (None, {"note": 3})


def test_writer_killed_between_files_and_manifest_leaves_the_state_of_before(source: Source, away: Store) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a')")
    source.sql("INSERT INTO other (note) VALUES ('one')")
    source.run()
    assert parts(away) == named() and source.state() == source.rows()
    log = Log(paths.raw())
    assert all(path.is_file() for table in ("item", "other") for path in log.paths(log.manifest(), table)), "it is read from this machine"

    source.sql("UPDATE item SET name = 'b'")
    source.sql("INSERT INTO other (note) VALUES ('two')")
    before = log.manifest()
    assert source.run_process("extract.before_manifest", "--no-reconcile").returncode == -9
    assert log.manifest() == before
    assert parts(away) > named(), "what was sent does not count"
    assert writer(away) is not None
    source.run()
    assert parts(away) == named() and writer(away) is None, "a dead process of this machine keeps nobody out"
    assert (source.state(), source.state("other", "id, note")) == (source.rows(), source.rows("other", "id, note"))
    report = source.run(reconcile=True, prove=True)
    assert not report.stopped and sum(done.repaired for done in report.tables) == 0


def test_of_two_machines_that_write_the_one_that_was_taken_over_loses_and_nothing_is_lost(
    source: Source, away: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a')")
    source.run()
    source.sql("UPDATE item SET name = 'b'")

    def rival() -> Any:
        with monkeypatch.context() as patch:
            elsewhere(patch, tmp_path / "rival")
            return source.run()

    def at_table(table: str) -> None:
        if table != "other":
            return
        with pytest.raises(files.Busy, match=r"writes s3://\S+/market/raw, until .* UTC unless it ends before; wait for it to end"):
            rival()
        # the holder falls silent for longer than its lease, and is at work again when somebody else has come and gone
        stored = away.read("manifest.json")
        assert stored
        content = json.loads(stored.content)
        content["writer"]["until"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        away.replace("manifest.json", json.dumps(content).encode(), stored.version)
        source.sql("INSERT INTO item (name) VALUES ('later')")
        assert not rival().stopped

    with pytest.raises(files.Busy, match="written by somebody else in between"):
        source.run(progress=at_table)
    assert Log(paths.raw()).manifest().run_seq == 2, "the rival's"

    # this machine goes on from what the other one committed, and clears its own leftovers away
    report = source.run()
    assert {done.table: done.rows for done in report.tables} == {"item": 0, "other": 0, "core_deletedrow": 0}
    assert parts(away) == named()
    assert source.names() == ["b", "later"] and source.state() == source.rows()


def test_another_machine_goes_on_with_an_empty_disk(source: Source, away: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a'), ('b'), ('c')")
    source.run()
    source.sql("UPDATE item SET name = 'x' WHERE name = 'a'")
    source.run()
    elsewhere(monkeypatch, tmp_path / "second")
    source.delete(2)
    report = source.run()
    assert {done.table: (done.rows, done.deletes) for done in report.tables} == {
        "item": (0, 1),
        "other": (0, 0),
        "core_deletedrow": (1, 0),
    }
    done = compact.compact(contracts=source.contracts())
    assert [(table.table, table.files) for table in done] == [("item", 3)]
    assert parts(away) == named() and not list(paths.raw().rglob(".arriving/*"))
    source.folder = tmp_path / "second"
    assert source.names() == ["x", "c"]


def test_log_of_a_folder_moves_to_the_store_that_is_set(source: Source, server: bucket.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a')")
    source.run()
    server.make("moving")
    for variable, value in server.environment("moving").items():
        monkeypatch.setenv(variable, value)
    source.sql("INSERT INTO item (name) VALUES ('b')")
    report = source.run()
    assert {done.table: done.rows for done in report.tables}["item"] == 1, "nothing is read a second time"
    place = store.below("raw")
    assert place and parts(place) == named() and source.names() == ["a", "b"]


def test_folder_with_a_log_of_its_own_is_not_mixed_with_the_store_of_others(
    source: Source, away: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a')")
    with monkeypatch.context() as patch:
        patch.setenv("OPENLANCE_PLATFORM__STORE__ADDRESS", "file")
        source.run()
    with monkeypatch.context() as patch:
        elsewhere(patch, tmp_path / "rival")
        source.run()
    with pytest.raises(StoreError, match=r"has a log of its own and .* has another; move one of them away"):
        source.run()
    assert parts(away) == named() and writer(away) is None


def downloaded(address: str, folder: Path) -> Path:
    """All that lies on the store, as files."""
    everything = Store(address)
    wanted = {name: folder / name for name in everything.sizes()}
    for path in wanted.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    everything.get(wanted)
    return folder


def test_market_on_the_store_is_read_on_another_machine_and_an_erased_person_leaves_both(
    people: Source, away: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address, reader = away.address.removesuffix("/raw"), tmp_path / "reader"

    def fetched() -> list[tuple[Any, ...]]:
        with monkeypatch.context() as patch:
            elsewhere(patch, reader)
            assert fetch.main([]) == 0
            with marts_reader.connect() as db:
                [(view,)] = db.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'feat_freelancers'").fetchall()
                assert str(reader / "published") in view, "it reads its own disk"
                return db.execute("SELECT text FROM science.feat_freelancers ORDER BY 1").fetchall()

    round_of()
    assert fetched() == [("Other Design",), (f"{MARK} Design",)]
    assert {name.split("/")[0] for name in holding(downloaded(address, tmp_path / "before"), MARK)} == {"raw", "published"}
    before = published(address)

    leave(people)
    round_of()
    assert fetched() == [("Closed account",), ("Other Design",)]
    assert holding(downloaded(address, tmp_path / "after"), MARK) == set()
    assert holding(reader, MARK) == set() and holding(people.folder / "raw", MARK) == set()
    assert parts(away) == named() and (erasure.due(people.contracts()), erasure.unfinished()) == ([], [])

    # a machine that did not see what was published since does not go back behind it
    staff = paths.published() / "staff"
    (staff / marts_reader.POINTER).write_text(json.dumps(before | {"previous": []}))
    with pytest.raises(files.Busy, match=r"another machine has published \S+ for staff"):
        shelf.point(staff, before | {"publish_id": "mine", "previous": []})
    assert published(address)["publish_id"] != before["publish_id"]
    shelf.follow(staff)
    assert marts_reader.current().publish_id == published(address)["publish_id"]


def published(address: str) -> dict[str, Any]:
    stored = Store(f"{address}/published/staff").read(marts_reader.POINTER)
    assert stored
    return json.loads(stored.content)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"OPENLANCE_PLATFORM__STORE__ADDRESS": "s3://not-there"}, "there is no bucket not-there; make it, or correct store.address"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "the store does not answer; look at AWS_ENDPOINT_URL_S3"),
        ({"OPENLANCE_PLATFORM__STORE__ADDRESS": "gs://bucket"}, "store.address: String should match"),
    ],
    ids=["no key", "no bucket", "nobody there", "another kind"],
)
def test_wrong_setting_is_named(
    source: Source, away: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: dict[str, str], wanted: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable, value in change.items():
        monkeypatch.setenv(variable, value) if value else monkeypatch.delenv(variable)
    with pytest.raises((StoreError, SettingsError)) as refused:
        source.run()
    assert wanted in str(refused.value)
    assert not (source.folder / "work" / "warehouse.duckdb").exists()


def test_command_with_credentials_that_nobody_knows_says_which_they_are_and_never_the_secret(
    source: Source, away: Store, server: bucket.Server
) -> None:
    server.check_credentials(True)
    try:
        done = source.run_process()
    finally:
        server.check_credentials(False)
    assert done.returncode == 2 and done.stdout == ""
    assert "does not accept the credentials (InvalidAccessKeyId); look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in done.stderr
    assert bucket.SECRET not in done.stderr and "Traceback" not in done.stderr
