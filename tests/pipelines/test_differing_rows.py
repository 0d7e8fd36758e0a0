"""Rows by which log and source differ are named: in the alert, in its line of the history, and in what the log keeps of the run."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from pipelines import chores, paths, rounds
from pipelines.extract import changes, sources
from pipelines.extract.log import Log
from pipelines.quality import alerts

from .conftest import Source


@pytest.fixture
def thirty(source: Source) -> Source:
    """Thirty rows that were read; their stamps are long past."""
    source.sql("INSERT INTO item (id, name, amount, updated_at) SELECT seq, CONCAT('n', seq), seq, '2026-01-01' FROM seq_1_to_30")
    rounds.extracted(reconcile=True)
    assert alerts.history() == []
    return source


def forget(key: int) -> None:
    """The log's file loses a row."""
    log = Log(paths.raw())
    [file] = log.paths(log.manifest(), "item")
    other = file.with_suffix(".other")
    with duckdb.connect() as db:
        db.execute(
            f"COPY (SELECT * FROM read_parquet('{file}', hive_partitioning = false) WHERE id <> {key}) TO '{other}' (FORMAT parquet)"
        )
    other.replace(file)


def spoil(source: Source) -> None:
    """One row is changed without a stamp, one goes without a tombstone, one is lost on the log's side."""
    source.sql("UPDATE item SET name = 'other', amount = 0, updated_at = updated_at WHERE id = 5")
    source.sql("DELETE FROM item WHERE id = 9")
    forget(7)


NAMED = [
    {"key": 5, "how": "value differs", "columns": ["name", "amount"]},
    {"key": 7, "how": "missing in the log", "columns": []},
    {"key": 9, "how": "missing at the source", "columns": []},
]
TOLD = "1 value differs (name, amount: 5), 1 missing in the log (7), 1 missing at the source (9)"


def row(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("event", "table", "check", "severity", "rows", "message"))


def test_a_comparison_names_the_rows_that_it_mended_and_how_each_differed(thirty: Source, caplog: pytest.LogCaptureFixture) -> None:
    spoil(thirty)
    report = rounds.extracted(reconcile=True)

    message = f"read again, since they differed from the source: {TOLD}"
    [line] = alerts.history()
    assert row(line) == ("mended", "item", "drift", "error", 3, message)
    assert (line["named"], line["run_seq"]) == (NAMED, 2)
    assert f"mended: item: drift: {message} (3 rows)" in caplog.messages
    assert thirty.state() == thirty.rows()
    finding = thirty.warehouse('SELECT run_seq, "table", "check", "column", severity, value, rows, message FROM raw._findings')
    assert finding == [(2, "item", "drift", "", "warn", 3.0, 3, TOLD)]

    rounds.extracted(reconcile=True)
    assert len(alerts.history()) == 1, "what is mended is told once"
    thirty.sql("UPDATE item SET amount = 1, updated_at = updated_at WHERE id = 6")
    rounds.extracted(reconcile=True)
    assert alerts.history()[1]["named"] == [{"key": 6, "how": "value differs", "columns": ["amount"]}], "other rows in the same hour"
    assert [one.table for one in report.tables if one.unlike.total] == ["item"]


def test_a_proof_names_them_too_and_once(thirty: Source) -> None:
    spoil(thirty)
    report = rounds.extracted(reconcile=False, prove=True)
    assert alerts.history() == [], "whoever asked for the proof tells of it"
    assert chores.tell(report) == [f"item: 3 rows differed from the source, and were read again: {TOLD}"]
    [line] = alerts.history()
    assert (line["event"], line["rows"], line["named"]) == ("proof", 3, NAMED)


def test_what_a_row_stamped_itself_to_be_is_no_difference(thirty: Source) -> None:
    thirty.sql("UPDATE item SET amount = 0 WHERE id = 5")
    thirty.delete(9)
    rounds.extracted(reconcile=True)
    assert (alerts.history(), thirty.warehouse("SELECT * FROM raw._findings")) == ([], [])
    assert thirty.state() == thirty.rows()


def test_the_first_twenty_of_each_way_are_named_and_all_are_counted(thirty: Source) -> None:
    thirty.sql("INSERT INTO item (id, name, updated_at) SELECT seq, 'new', '2025-01-01' FROM seq_20001_to_20024")
    thirty.sql("UPDATE item SET amount = amount + 1, updated_at = updated_at WHERE id <= 25")
    thirty.sql("DELETE FROM item WHERE id = 30")
    rounds.extracted(reconcile=True)
    [line] = alerts.history()
    assert line["rows"] == 50
    keys = [(one["how"], one["key"]) for one in line["named"]]
    assert keys == [
        *(("value differs", key) for key in range(1, 21)),
        ("missing at the source", 30),
        *(("missing in the log", key) for key in range(20001, 20021)),
    ]
    for told in (
        f"25 value differs (amount: {', '.join(map(str, range(1, 21)))}; and 5 more)",
        f"24 missing in the log ({', '.join(map(str, range(20001, 20021)))}; and 4 more)",
        "1 missing at the source (30)",
    ):
        assert told in line["message"]


def test_a_personal_value_is_named_by_its_column_alone_and_one_that_is_left_out_not_at_all(source: Source) -> None:
    contract = source.folder / "contracts" / "item.toml"
    hashed = 'name = { type = "varchar(40)", nullable = false, personal = "hash" }'
    contract.write_text(contract.read_text().replace('name = { type = "varchar(40)", nullable = false }', hashed))
    source.sql("INSERT INTO item (id, name, secret, updated_at) VALUES (1, 'Ann', 'x', '2026-01-01'), (2, 'Bob', 'y', '2026-01-01')")
    rounds.extracted(reconcile=True)
    source.sql("UPDATE item SET name = 'Annabel', secret = 'z', updated_at = updated_at WHERE id = 1")
    source.sql("UPDATE item SET secret = 'z', updated_at = updated_at WHERE id = 2")
    rounds.extracted(reconcile=True)
    [line] = alerts.history()
    assert line["named"] == [{"key": 1, "how": "value differs", "columns": ["name"]}]
    told = alerts.history_path().read_text() + str(source.warehouse("SELECT * FROM raw._findings"))
    assert not any(word in told for word in ("Ann", "Bob", source.state(columns="name")[0][0])), "neither the value nor its hash"


def test_rows_that_differ_after_they_were_read_again_are_named_where_the_table_is_stopped(
    thirty: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two engines that write a row differently: the source's text of two rows is another than DuckDB's."""
    original = sources.row_text_mysql

    def elsewhere(columns: Any) -> str:
        return f"CONCAT({original(columns)}, IF(id IN (7, 12), 'x', ''))" if "amount" in columns else original(columns)

    monkeypatch.setattr(sources, "row_text_mysql", elsewhere)
    for prove, told in (
        (False, "item: 1 key blocks differ from the source after they were read again: 2 value differs (7, 12)"),
        (True, "item: the log differs from the source after all rows were read again: 2 value differs (7, 12)"),
    ):
        report = rounds.extracted(reconcile=not prove, prove=prove)
        assert [done.stopped for done in report.stopped] == [told]
        run = thirty.warehouse(f"SELECT state, drift, message FROM raw._runs WHERE \"table\" = 'item' AND run_seq = {report.run_seq}")
        assert run == [("stopped", 1, told)]
    [line] = alerts.history()
    assert row(line)[:5] == ("drift", "item", "drift", "error", 2), "it lasts: told once an hour"
    assert [(one["key"], one["how"]) for one in line["named"]] == [(7, "value differs"), (12, "value differs")]


def test_nothing_is_asked_of_rows_where_no_block_differs(thirty: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def looked(self: Any, there: str) -> None:
        asked.append(there)

    monkeypatch.setattr(changes.Changes, "_note_different", looked)
    monkeypatch.setattr(sources._MySQLSnapshot, "row_checksums", lambda self, *span: asked.append(str(span)))
    thirty.sql("UPDATE item SET amount = 3 WHERE id = 5")
    rounds.extracted(reconcile=True)
    rounds.extracted(reconcile=False, prove=True)
    assert asked == []


def test_the_command_prints_them(thirty: Source) -> None:
    spoil(thirty)
    done = thirty.run_process("", "--reconcile")
    assert f"differed: {TOLD}\n" in done.stdout
