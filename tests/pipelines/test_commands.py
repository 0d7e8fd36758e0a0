"""What is asked of the log by hand or by the week: re-read, proof, compaction and retention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines import extraction, files, paths, rounds
from pipelines.extract import compact as compaction
from pipelines.extract.compact import compact
from pipelines.extract.log import CorruptError, Log
from pipelines.quality import held_tables, quarantine

from .conftest import Source


def item(report: Any) -> Any:
    return next(done for done in report.tables if done.table == "item")


def files_of(table: str = "item") -> list[str]:
    return Log(paths.raw()).manifest().tables[table].files


def unnoticed(source: Source) -> None:
    """Forty rows that were read; then one in each half changes, and one goes, without a trace."""
    source.sql("INSERT INTO item (id, name, amount, updated_at) SELECT seq, CONCAT('n', seq), seq, '2026-01-01' FROM seq_1_to_40")
    source.run()
    source.sql("UPDATE item SET amount = 0, updated_at = updated_at WHERE id IN (10, 30)")
    source.sql("DELETE FROM item WHERE id = 11")


def test_keys_read_again_are_mended_and_others_are_not(source: Source) -> None:
    unnoticed(source)
    source.sql("INSERT INTO other (note) VALUES ('read beside it')")
    report = source.run(reread={"item": (1, 21)})

    assert (item(report).repaired, item(report).rows, item(report).deletes) == (2, 1, 1)
    assert dict(source.state(columns="id, amount"))[10] == 0 and dict(source.state(columns="id, amount"))[30] == 30
    assert 11 not in dict(source.state(columns="id, amount"))
    assert source.state("other", "note") == [("read beside it",)]


def test_table_read_again_by_command_equals_the_source(source: Source) -> None:
    unnoticed(source)
    done = source.run_process("", "--table", "item")
    assert (done.returncode, source.state()) == (0, source.rows()), done.stderr
    assert source.run_process("", "--table", "nowhere").returncode == 2
    assert "--keys needs --table" in source.run_process("", "--keys", "1:2").stderr


def test_the_command_leaves_set_aside_what_a_round_set_aside(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_PLATFORM__QUALITY__LEAST_HISTORY", "100")
    source.sql("INSERT INTO item (name, amount) SELECT 'n', seq FROM seq_1_to_200")
    assert source.run_process().returncode == 0
    source.sql("INSERT INTO item (name, amount) SELECT '', seq FROM seq_1_to_40")
    assert [done.table for done in rounds.extracted(reconcile=False).stopped] == ["item"]
    for options in ([], ["--no-reconcile"], ["--table", "item"], ["--table", "item", "--keys", "1:300"], ["--prove"], ["--full-refresh"]):
        done = source.run_process("", *options)
        assert done.returncode == 1 and "STOPPED item: set aside: item.name: nulls: 40 of 40" in done.stdout, (options, done.stderr)
        assert (held_tables(), len(source.state())) == (["item"], 200), options
    quarantine.release("item", who="test", reason="names may be blank now")
    assert source.run_process("", "--no-reconcile").returncode == 0
    assert (held_tables(), source.state()) == ([], source.rows())


def test_the_command_waits_for_a_round_and_takes_whoever_is_erased_out_of_the_log(
    source: Source, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a')")
    begun: list[set[str]] = []
    monkeypatch.setattr("pipelines.erase.begin", lambda contracts, *, behind: begun.append(set(behind)))
    assert extraction.main(["--no-reconcile"]) == 0
    assert begun == [set()]
    monkeypatch.setattr(rounds, "PATIENCE_SECONDS", 0)
    with files.lock(paths.round_lock()):
        assert extraction.main([]) == 2
    assert "not read: another process works in" in capsys.readouterr().err


def test_proof_reads_every_row_and_mends_what_no_stamp_told(source: Source) -> None:
    unnoticed(source)
    [(rows, checksum)] = source.sql(
        "SELECT COUNT(*), CAST(SUM(CRC32(CONCAT_WS(CHAR(31), id, DATE_FORMAT(updated_at, '%Y-%m-%d %H:%i:%s.%f'), name, IFNULL(amount, CHAR(2))))) AS SIGNED)"
        " FROM item"
    )
    report = source.run(prove=True)
    assert (item(report).repaired, item(report).proof) == (3, (rows, checksum))
    assert source.state() == source.rows()
    assert item(source.run(prove=True)).repaired == 0


def test_compaction_keeps_every_version_in_one_file(source: Source) -> None:
    for amount in (1, 2, 3):
        source.sql(f"REPLACE INTO item (id, name, amount) VALUES (1, 'a', {amount})")
        source.run()
    log = "SELECT id, amount, _op, _run_seq, _known_at FROM raw.item ORDER BY id, _run_seq"
    before = source.warehouse(log)
    [done] = [done for done in compact(contracts=source.contracts()) if done.table == "item"]

    assert (done.files, done.rows_before, done.rows_after, len(files_of())) == (3, 3, 3, 1)
    assert source.warehouse(log) == before
    assert compact(contracts=source.contracts()) == []
    source.sql("UPDATE item SET amount = 4")
    source.run(reconcile=True)
    assert source.state() == source.rows()


def old(source: Source) -> datetime:
    """Row 1 in three versions, row 2 deleted, row 3 as it was made; returns when everything was older than 9 days."""
    contract = source.folder / "contracts" / "item.toml"
    contract.write_text(contract.read_text().replace("personal_data", "history_days = 9\npersonal_data", 1))
    source.sql("INSERT INTO item (name, amount) VALUES ('a', 1), ('gone', 1), ('c', 1)")
    source.run()
    for amount in (2, 3):
        source.sql(f"UPDATE item SET amount = {amount} WHERE id = 1")
        source.run()
    source.delete(2)
    source.run()
    return datetime.now(UTC) + timedelta(days=9, minutes=1)


def test_history_past_its_days_is_folded_and_recorded(source: Source) -> None:
    later = old(source)
    assert [done.rows_after for done in compact(contracts=source.contracts(), tables=["item"], now=later - timedelta(minutes=2))] == [6]
    [done] = compact(contracts=source.contracts(), tables=["item"], now=later)

    assert (done.rows_before, done.rows_after, done.keys_forgotten) == (6, 2, 1)
    assert source.warehouse("SELECT id, amount, _op FROM raw.item ORDER BY id") == [(1, 3, "u"), (3, 1, "u")]
    log = Log(paths.raw())
    with compaction.work_connection(log.staging) as db:
        told = db.execute(
            f"SELECT \"table\", versions, keys_forgotten, rows_before, rows_after FROM read_parquet('{log.paths(log.manifest(), compaction.FOLDS)[0]}')"
        ).fetchall()
    assert told == [("item", 4, 1, 6, 2)]
    assert item(source.run(reconcile=True)).repaired == 0
    assert source.state() == source.rows()


def test_compaction_killed_before_the_manifest_changes_nothing(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    later = old(source)
    before, manifest = source.warehouse("SELECT * FROM raw.item ORDER BY ALL"), Log(paths.raw()).manifest()

    def dies(name: str) -> None:
        if name == "extract.before_manifest":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pipelines.extract.log.failpoint", dies)
        compact(contracts=source.contracts(), now=later)
    assert Log(paths.raw()).manifest() == manifest
    assert source.warehouse("SELECT * FROM raw.item ORDER BY ALL") == before

    compact(contracts=source.contracts(), now=later)
    assert source.state() == source.rows()


def test_compaction_that_would_change_a_state_is_refused(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    later = old(source)
    monkeypatch.setattr(
        compaction, "_kept", lambda held, contract, cutoff: compaction.select(held, compaction.log_columns(contract)) + " WHERE id <> 1"
    )
    before = files_of()
    with pytest.raises(CorruptError, match="item: the state of its keys would change"):
        compact(contracts=source.contracts(), now=later)
    assert files_of() == before
