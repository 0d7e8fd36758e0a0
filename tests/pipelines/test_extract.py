"""What extraction promises: nothing that was committed is lost, nothing half-written is seen, and values stay exact."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import files, paths
from pipelines.extract import sources, watermark
from pipelines.extract.log import CorruptError, Log

from .conftest import Source


@pytest.fixture
def no_skew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the margin for clocks a test need not wait for it to pass."""
    monkeypatch.setattr(watermark, "SKEW", timedelta(0))


def test_rows_changed_since_the_last_run_are_appended_and_others_are_not(source: Source) -> None:
    source.sql("INSERT INTO item (name, amount) VALUES ('a', 1), ('b', NULL)")
    first = source.run()
    source.sql("UPDATE item SET amount = 2 WHERE name = 'a'")
    second = source.run()
    third = source.run()

    assert [sum(done.rows for done in report.tables) for report in (first, second, third)] == [2, 1, 0]
    assert source.state() == source.rows()
    log = source.warehouse("SELECT name, amount, _op, _run_seq FROM raw.item ORDER BY _run_seq, id")
    assert log == [("a", 1, "u", 1), ("b", None, "u", 1), ("a", 2, "u", 2)]


def test_row_stamped_before_a_run_and_committed_after_it_reaches_the_next_run(source: Source) -> None:
    late = source.connect()
    source.sql("BEGIN", late)
    source.sql("INSERT INTO item (name) VALUES ('late')", late)
    source.sql("INSERT INTO item (name) VALUES ('early')")
    source.run()
    assert source.names() == ["early"]

    late.commit()
    source.run()
    assert source.names() == ["late", "early"]


def test_row_stamped_exactly_at_the_mark_is_read(source: Source) -> None:
    source.run()
    low = Log(paths.raw()).manifest().tables["item"].low
    source.sql(f"SET timestamp = UNIX_TIMESTAMP('{low}')")
    source.sql("INSERT INTO item (name) VALUES ('on the mark')")
    assert source.rows(columns="CAST(updated_at AS CHAR)") == [(low,)]

    source.run()
    assert source.names() == ["on the mark"]


def test_transaction_that_commits_between_the_look_and_the_snapshot_is_not_lost(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rival commits exactly between the two steps, whichever comes first."""
    with monkeypatch.context() as patch:
        patch.setattr(watermark, "SKEW", timedelta(seconds=60))
        source.run()
    rival = source.connect()
    source.sql("BEGIN", rival)
    source.sql("SET timestamp = UNIX_TIMESTAMP() - 10", rival)
    source.sql("INSERT INTO item (name) VALUES ('rival')", rival)
    steps: list[str] = []

    def between(name: str) -> Any:
        original = getattr(sources.MySQLSource, name)

        def step(self: sources.MySQLSource) -> Any:
            steps.append(name)
            if len(steps) == 2:
                rival.commit()
            return original(self)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(watermark, "SKEW", timedelta(0))
        for name in ("look", "snapshot"):
            patch.setattr(sources.MySQLSource, name, between(name))
        source.run()
    source.run()

    assert source.names() == ["rival"]


def test_all_tables_are_read_as_of_one_moment(source: Source) -> None:
    """A row and what it points at are committed after the first of their tables was read: a run has both or neither."""

    def commit_between(table: str) -> None:
        if table == "other":
            source.sql("INSERT INTO item (name) VALUES ('pointed at')")
            source.sql("INSERT INTO other (note) VALUES ('points at it')")

    report = source.run(progress=commit_between)
    assert [done.table for done in report.tables].index("item") < [done.table for done in report.tables].index("other")
    assert (source.state("other", "note"), source.names()) == ([], [])

    source.run()
    assert (source.state("other", "note"), source.names()) == ([("points at it",)], ["pointed at"])


def test_insert_that_waits_for_a_table_lock_reaches_the_run_after_it(source: Source, no_skew: None) -> None:
    source.run()
    holder, blocked = source.connect(), source.connect()
    source.sql("LOCK TABLES item READ", holder)
    number = blocked.thread_id()
    waiting = threading.Thread(target=source.sql, args=("INSERT INTO item (name) VALUES ('blocked')", blocked))
    waiting.start()
    while not source.sql(f"SELECT 1 FROM information_schema.processlist WHERE id = {number} AND state LIKE 'Waiting for table%'"):
        continue
    stuck = source.run()
    assert source.names() == []

    source.sql("UNLOCK TABLES", holder)
    waiting.join()
    [(stamp,)] = source.rows(columns="updated_at")
    assert stuck.high <= stamp
    source.run()
    assert source.names() == ["blocked"]


def test_stuck_transaction_holds_the_mark_back_with_a_warning_and_loses_nothing(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.extract.run.STUCK", timedelta(seconds=-1))
    stuck = source.connect()
    source.sql("BEGIN", stuck)
    source.sql("INSERT INTO item (name) VALUES ('stuck')", stuck)
    [(since,)] = source.sql("SELECT updated_at FROM item", stuck)
    for name in ("one", "two"):
        source.sql(f"INSERT INTO item (name) VALUES ('{name}')")
        report = source.run()
        assert report.high < since
        assert any("transaction has been open" in warning for warning in report.warnings)
    assert source.names() == ["one", "two"]
    assert len(source.warehouse("SELECT * FROM raw.item")) == 2, "rows read again are not written again"

    stuck.commit()
    source.run()
    assert source.names() == ["stuck", "one", "two"]


def test_hard_delete_becomes_a_tombstone(source: Source) -> None:
    source.sql("INSERT INTO item (name) VALUES ('stays'), ('goes')")
    source.run()
    source.delete(2)
    report = source.run()

    assert source.names() == ["stays"]
    assert next(done.deletes for done in report.tables if done.table == "item") == 1
    assert source.warehouse("SELECT id, name, _run_seq FROM raw.item WHERE _op = 'd'") == [(2, "goes", 2)]
    assert [done.deletes for done in source.run().tables] == [0, 0, 0]


def test_a_table_without_news_is_looked_at_by_the_gate_and_its_deletes_are_found(source: Source) -> None:
    looked: list[tuple[str, tuple[int, int]]] = []

    class Gate:
        def inspect(
            self, db: Any, contract: Any, history: str, runs: str, counts: tuple[int, int], run_seq: int, at: Any, reach: Any
        ) -> str:
            looked.append((contract.table, counts))
            return ""

        def findings(self) -> list[tuple[Any, ...]]:
            return []

        def incidents(self) -> list[tuple[Any, ...]]:
            return []

        def committed(self) -> None:
            pass

    source.sql("INSERT INTO item (name, updated_at) VALUES ('stays', '2026-01-01'), ('goes', '2026-01-01')")
    source.sql("INSERT INTO other (note, updated_at) VALUES ('quiet', '2026-01-01')")
    source.run()
    source.run(gate=Gate())
    assert sorted(looked) == [("item", (0, 0)), ("other", (0, 0))], "a table that fell silent is noticed by what it does not bring"
    assert len(source.warehouse("SELECT * FROM raw.item")) == 2

    looked.clear()
    source.delete(2)
    source.run(gate=Gate())
    assert sorted(looked) == [("item", (0, 1)), ("other", (0, 0))] and source.names() == ["stays"]


def test_tombstone_of_a_key_that_exists_again_is_not_believed(source: Source) -> None:
    source.sql("INSERT INTO item (name) VALUES ('first life')")
    source.run()
    source.delete(1)
    source.sql("INSERT INTO item (id, name) VALUES (1, 'second life')")
    source.run()
    assert source.names() == ["second life"]


def test_reconciliation_finds_updates_and_deletes_that_left_no_trace(source: Source) -> None:
    source.sql("INSERT INTO item (id, name, amount, updated_at) SELECT seq, CONCAT('n', seq), seq, '2026-01-01' FROM seq_1_to_30000")
    source.run()
    source.sql("UPDATE item SET amount = amount + 1, updated_at = updated_at WHERE id IN (5, 29999)")
    source.sql("DELETE FROM item WHERE id = 15000")
    source.run()
    assert source.state() != source.rows()

    report = source.run(reconcile=True)
    item = next(done for done in report.tables if done.table == "item")
    assert (item.repaired, item.rows, item.deletes, item.drift) == (3, 2, 1, 0)
    assert source.state() == source.rows()
    assert sum(done.repaired for done in source.run(reconcile=True).tables) == 0


def test_drift_that_reading_again_does_not_mend_stops_the_table(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checksums of another moment than the rows: as if the source were read from two snapshots."""
    source.sql("INSERT INTO item (name) VALUES ('a')")
    source.run()
    original = sources._MySQLSnapshot.checksums

    def elsewhere(self: Any, contract: Any, size: int) -> Any:
        return [(block, rows, crc + (contract.table == "item")) for block, rows, crc in original(self, contract, size) or []]

    monkeypatch.setattr(sources._MySQLSnapshot, "checksums", elsewhere)
    report = source.run(reconcile=True)
    assert [done.stopped for done in report.stopped] == ["item: 1 key blocks differ from the source after they were read again"]
    assert [done.rows for done in report.tables if done.table == "item"] == [0]


@pytest.mark.parametrize("point", ["extract.after_look", "extract.between_files", "extract.before_manifest"])
def test_run_killed_before_its_manifest_changes_nothing_and_the_next_repairs(source: Source, point: str) -> None:
    source.sql("INSERT INTO item (name) VALUES ('old')")
    source.run()
    source.sql("INSERT INTO item (name) VALUES ('new')")
    source.sql("INSERT INTO other (note) VALUES ('new')")
    killed = source.run_process(point)
    assert killed.returncode == -9, killed.stderr
    assert source.names() == ["old"]
    assert Log(paths.raw()).manifest().run_seq == 1

    assert source.run_process().returncode == 0
    assert source.names() == ["old", "new"]
    assert _parquet_files() == _committed_files()


def test_run_killed_after_its_manifest_is_complete_once_the_next_run_shows_it(source: Source) -> None:
    source.sql("INSERT INTO item (name) VALUES ('new')")
    assert source.run_process("extract.after_manifest").returncode == -9
    report = source.run()
    assert [done.rows for done in report.tables] == [0, 0, 0]
    assert source.names() == ["new"]


def _parquet_files() -> set[str]:
    return {str(path.relative_to(paths.raw())) for path in paths.raw().rglob("*.parquet")}


def _committed_files() -> set[str]:
    return {name for entry in Log(paths.raw()).manifest().tables.values() for name in entry.files}


def test_file_that_reads_back_differently_than_it_was_written_is_not_committed(tmp_path: Path) -> None:
    """Rows that are other ones each time they are asked for stand for a disk that does not keep what it was given."""
    log = Log(tmp_path)
    log.clean(log.manifest())
    with duckdb.connect() as db, pytest.raises(CorruptError, match="wrote 10 rows, read 10 back, or their checksum differs"):
        log.stage(db, "item", "SELECT random() AS amount FROM range(10)")


def test_two_extractions_at_once_are_refused(source: Source) -> None:
    with Log(paths.raw()).lock():
        refused = source.run_process()
        assert refused.returncode == 2
        assert "another process works in" in refused.stderr
        with pytest.raises(files.Busy):
            source.run()


def test_many_small_files_are_merged_without_losing_history(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.extract.log.MERGE_ABOVE", 3)
    for number in range(6):
        source.sql(f"INSERT INTO item (name) VALUES ('n{number}')")
        source.sql(f"UPDATE item SET amount = {number} WHERE id = 1")
        source.run()
    assert source.state() == source.rows()
    assert source.warehouse("SELECT amount, _run_seq FROM raw.item WHERE id = 1 ORDER BY 2") == [(n, n + 1) for n in range(6)]
    assert len(source.warehouse("SELECT * FROM raw._runs")) == 18
    assert _parquet_files() == _committed_files()
    assert len(list((paths.raw() / "item").iterdir())) <= 3


# --------------------------------------------------------------------------- chunks and types


def test_chunk_boundaries_inside_equal_timestamps_neither_skip_nor_repeat(source: Source) -> None:
    source.run()
    source.sql("INSERT INTO item (id, name) SELECT seq, CONCAT('n', seq) FROM seq_1_to_10")
    assert len({stamp for (stamp,) in source.rows(columns="updated_at")}) == 1
    source.run(chunk=3)
    assert source.state() == source.rows()
    assert len(source.warehouse("SELECT * FROM raw.item")) == 10


def test_chunks_follow_stamps_even_where_keys_run_the_other_way(source: Source) -> None:
    source.run()
    for key in range(9, 0, -1):
        source.sql(f"INSERT INTO item (id, name, updated_at) VALUES ({key}, 'n{key}', '2037-01-01 00:00:0{9 - key}.000001')")
    source.run(chunk=2)
    assert source.state() == source.rows()


SAMPLE_CONTRACT = """
table = "sample"
key = "id"
stamp = "updated_at"
personal_data = false
[columns]
id = { type = "ubigint", nullable = false }
updated_at = { type = "timestamp", nullable = false }
exact = { type = "decimal(24,12)", nullable = true }
small = { type = "tinyint", nullable = true }
flag = { type = "boolean", nullable = true }
words = { type = "varchar(60)", nullable = true }
body = { type = "json", nullable = true }
day = { type = "date", nullable = true }
ratio = { type = "double", nullable = true }
unique_id = { type = "uuid", nullable = true }
count = { type = "usmallint", nullable = true }
"""


def test_values_arrive_exactly(source: Source) -> None:
    (source.folder / "contracts" / "sample.toml").write_text(SAMPLE_CONTRACT)
    source.sql(
        "CREATE TABLE sample (id BIGINT UNSIGNED PRIMARY KEY, updated_at DATETIME(6) NOT NULL, exact DECIMAL(24,12), small TINYINT(1), flag TINYINT(1),"
        " words VARCHAR(60), body LONGTEXT, day DATE, ratio DOUBLE, unique_id UUID, count SMALLINT UNSIGNED)"
    )
    source.sql(
        "INSERT INTO sample VALUES"
        " (18446744073709551615, '2026-02-03 04:05:06.000007', 123456789012.123456789012, -7, 1, 'naïve 🦉 \\'\"\\\\ \\n,', '{\"a\": [1.10, \"é\"]}',"
        "  '2000-02-29', 0.1, '0188D0F4-5A3C-7B1E-8F00-00000000ABCD', 65535),"
        " (2, '2026-02-03 04:05:06', -0.000000000001, 127, 0, '', '[]', '9999-12-31', -1.7976931348623157e30, NULL, 0),"
        " (3, '1000-01-01 00:00:00.999999', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    )
    report = source.run(reconcile=True)
    assert not report.stopped
    columns = "id, updated_at, exact, small, flag, words, body, day, ratio, unique_id, count"
    assert source.state("sample", columns) == [
        (
            2,
            datetime(2026, 2, 3, 4, 5, 6),
            Decimal("-0.000000000001"),
            127,
            False,
            "",
            "[]",
            date(9999, 12, 31),
            -1.7976931348623157e30,
            None,
            0,
        ),
        (3, datetime(1000, 1, 1, 0, 0, 0, 999999), *[None] * 9),
        (
            18446744073709551615,
            datetime(2026, 2, 3, 4, 5, 6, 7),
            Decimal("123456789012.123456789012"),
            -7,
            True,
            "naïve 🦉 '\"\\ \n,",
            '{"a": [1.10, "é"]}',
            date(2000, 2, 29),
            0.1,
            "0188d0f4-5a3c-7b1e-8f00-00000000abcd",
            65535,
        ),
    ]
    kinds = source.warehouse(
        "SELECT column_name, column_type FROM (DESCRIBE raw.sample) WHERE column_name IN ('id', 'exact', 'flag', 'small')"
    )
    assert sorted(kinds) == [("exact", "DECIMAL(24,12)"), ("flag", "BOOLEAN"), ("id", "UBIGINT"), ("small", "TINYINT")]
    assert sum(done.repaired for done in source.run(reconcile=True).tables) == 0, "both engines see the same checksums"


# --------------------------------------------------------------------------- contracts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("CHANGE name title VARCHAR(40) NOT NULL", "item.name: removed from the source; new there: title (renamed?)"),
        ("MODIFY name VARCHAR(20) NOT NULL", "item.name: narrowed, the contract says varchar(40), the source varchar(20)"),
        ("MODIFY amount DECIMAL(20,2)", "item.amount: retyped, the contract says bigint, the source decimal(20,2)"),
        ("MODIFY amount INT", "item.amount: retyped, the contract says bigint, the source integer"),
        ("MODIFY updated_at DATETIME NOT NULL", "item.updated_at: retyped, the contract says timestamp, the source datetime"),
        ("MODIFY name VARCHAR(40)", "item.name: may be NULL now, the contract says it may not"),
    ],
)
def test_broken_contract_stops_that_table_alone_with_a_clear_message(source: Source, change: str, message: str) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a')")
    source.run()
    mark = Log(paths.raw()).manifest().tables["item"].low
    source.sql(f"ALTER TABLE item {change}")
    source.sql("INSERT INTO other (note) VALUES ('goes on')")
    report = source.run(reconcile=True)

    [stopped] = report.stopped
    assert stopped.stopped.startswith(message)
    assert source.state("other", "note") == [("goes on",)]
    assert source.names() == ["a"]
    assert Log(paths.raw()).manifest().tables["item"].low == mark, "what the stopped table missed is read when it is mended"
    [(state, told)] = source.warehouse("SELECT state, message FROM raw._runs WHERE \"table\" = 'item' AND run_seq = 2")
    assert state == "stopped" and told.startswith(message)


def test_new_column_warns_and_the_table_is_read(source: Source) -> None:
    source.sql("ALTER TABLE item ADD colour VARCHAR(9)")
    source.sql("INSERT INTO item (name) VALUES ('a')")
    report = source.run()
    assert report.warnings == ["item.colour: new in the source, not extracted until the contract declares or omits it"]
    assert source.names() == ["a"]


def test_column_declared_later_is_filled_for_old_rows_too(source: Source) -> None:
    source.sql("INSERT INTO item (name, secret, updated_at) VALUES ('a', 'x', '2026-01-01')")
    source.run()
    wider = (source.folder / "contracts" / "item.toml").read_text().replace('omitted = ["secret"]', "")
    (source.folder / "contracts" / "item.toml").write_text(wider + 'secret = { type = "varchar(9)", nullable = true }\n')
    report = source.run()
    assert next(done.repaired for done in report.tables if done.table == "item") == 1, "compared at once"
    assert source.state(columns="name, secret") == [("a", "x")]
    assert [done.repaired for done in source.run().tables] == [0, 0, 0]


def test_a_view_of_the_log_is_made_anew_when_its_files_changed_and_when_it_is_not_ours(source: Source) -> None:
    def put(comment: str) -> None:
        """Another view in the place of `other`, so that it shows whether the extraction made one."""
        with duckdb.connect(str(paths.warehouse())) as work:
            work.execute("CREATE OR REPLACE VIEW raw.other AS SELECT 'mine' AS note")
            work.execute(f"COMMENT ON VIEW raw.other IS '{comment}'")

    source.sql("INSERT INTO item (name) VALUES ('one')")
    source.sql("INSERT INTO other (note) VALUES ('n')")
    source.run()
    [(comment,)] = source.warehouse("SELECT comment FROM duckdb_views() WHERE schema_name = 'raw' AND view_name = 'other'")
    put(comment)
    source.sql("INSERT INTO item (name) VALUES ('two')")
    source.run()
    assert source.names() == ["one", "two"] and source.warehouse("SELECT note FROM raw.other") == [("mine",)], "its files are the same"

    source.sql("INSERT INTO other (note) VALUES ('m')")
    source.run()
    assert source.state("other", "note") == [("n",), ("m",)]
    put("another")
    source.run()
    assert source.state("other", "note") == [("n",), ("m",)]


def test_table_without_rows_is_a_typed_empty_view(source: Source) -> None:
    source.run()
    assert source.state() == []
    kinds = dict(source.warehouse("SELECT column_name, column_type FROM (DESCRIBE raw.item)"))
    assert kinds == {
        "id": "BIGINT",
        "updated_at": "TIMESTAMP",
        "name": "VARCHAR",
        "amount": "BIGINT",
        "_op": "VARCHAR",
        "_run_seq": "BIGINT",
        "_known_at": "TIMESTAMP",
    }


# --------------------------------------------------------------------------- any interleaving

_writer = st.integers(0, 2)
_step = st.one_of(
    st.tuples(st.just("insert"), _writer, st.integers(0, 99)),
    st.tuples(st.just("update"), _writer, st.integers(0, 99)),
    st.tuples(st.just("delete"), _writer, st.just(0)),
    st.tuples(st.sampled_from(["begin", "commit", "rollback"]), _writer, st.just(0)),
    st.tuples(st.just("run"), st.just(0), st.just(0)),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_step, min_size=4, max_size=24), chunk=st.integers(1, 4))
def test_any_interleaving_of_writers_and_runs_ends_with_the_log_equal_to_the_source(
    source: Source, no_skew: None, steps: list[tuple[str, int, int]], chunk: int
) -> None:
    for table in ("item", "core_deletedrow"):
        source.sql(f"DELETE FROM {table}")
    source.run(full_refresh=True)
    writers = [source.connect() for _ in range(3)]
    for action, who, value in steps:
        writer, mine = writers[who], f"id MOD 3 = {who}"
        if action == "run":
            source.run(chunk=chunk)
        elif action == "insert":
            [(top,)] = source.sql(f"SELECT COALESCE(MAX(id), 0) FROM item WHERE {mine}", writer)
            source.sql(f"INSERT INTO item (id, name) VALUES ({(top // 3 + 1) * 3 + who}, 'n{value}')", writer)
        elif action == "update":
            source.sql(f"UPDATE item SET amount = {value} WHERE {mine} ORDER BY id DESC LIMIT 1", writer)
        elif action == "delete":
            for (key,) in source.sql(f"SELECT MIN(id) FROM item WHERE {mine} HAVING MIN(id) IS NOT NULL", writer):
                source.delete(key, writer)
        else:
            source.sql(action, writer)
    for writer in writers:
        writer.commit()
    source.run(chunk=chunk)
    assert source.state() == source.rows()


def test_readers_of_the_log_never_see_a_file_the_manifest_does_not_name(source: Source) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a')")
    source.run()
    with duckdb.connect() as db:
        db.execute(f"COPY (SELECT 99::BIGINT AS id, 'stray' AS name) TO '{paths.raw() / 'item' / '99999999.parquet'}' (FORMAT parquet)")
    assert source.names() == ["a"]
