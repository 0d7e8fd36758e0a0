"""The committed contracts against the product's own database, and the embedded profile's extraction by the same contracts."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pytest

from pipelines import paths
from pipelines.extract import contracts, sources
from pipelines.extract.run import extract

PRIVATE = {"email", "password", "display_name", "first_name", "last_name"}


@pytest.mark.django_db
def test_every_contract_holds_for_the_migrated_database(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        if "memory" in name:
            pytest.skip("this profile's test database lives in memory, where no other connection sees it")
        monkeypatch.setenv("OPENLANCE_SQLITE", name)
    else:
        monkeypatch.setenv("OPENLANCE_DB_NAME", name)
        monkeypatch.delenv("OPENLANCE_SQLITE", raising=False)
    with sources.connect() as source:
        found = {c.table: contracts.compare(c, source.columns(c.table), typed=source.typed) for c in contracts.load_all()}
    assert len(found) > 90
    assert [text for comparison in found.values() for text in (*comparison.violations, *comparison.warnings)] == []


def test_no_contract_extracts_credentials_or_names() -> None:
    for contract in contracts.load_all():
        assert not PRIVATE & set(contract.columns), contract.table


def _table(file: Path, statement: str) -> None:
    with sqlite3.connect(file) as db:
        db.executescript(statement)


@pytest.mark.parity
def test_sqlite_is_read_whole_and_only_changes_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = tmp_path / "db.sqlite3", tmp_path / "contracts"
    folder.mkdir()
    (folder / "rate.toml").write_text(
        'table = "rate"\nkey = "id"\nstamp = "updated_at"\npersonal_data = false\n[columns]\n'
        'id = { type = "bigint", nullable = false }\nupdated_at = { type = "timestamp", nullable = false }\n'
        'price = { type = "decimal(24,12)", nullable = true }\nlive = { type = "boolean", nullable = true }\nkey = { type = "uuid", nullable = true }\n'
    )
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    monkeypatch.setenv("OPENLANCE_SQLITE", str(file))
    monkeypatch.setenv("OPENLANCE_CONTRACTS", str(folder))
    monkeypatch.delenv("OPENLANCE_WAREHOUSE", raising=False)
    _table(
        file,
        "CREATE TABLE rate (id integer PRIMARY KEY, updated_at datetime NOT NULL, price decimal, live bool, key char(32));"
        "INSERT INTO rate VALUES (1, '2026-01-02 03:04:05', 1.25, 1, '0188d0f45a3c7b1e8f0000000000abcd'), (2, '2026-01-02 03:04:05.678000', NULL, 0, NULL),"
        " (3, '2026-01-02 03:04:05', 0.1, NULL, NULL)",
    )
    assert [(done.rows, done.deletes, done.stopped) for done in extract().tables] == [(3, 0, "")]
    _table(file, "UPDATE rate SET price = 2 WHERE id = 1; DELETE FROM rate WHERE id = 2")
    assert [(done.rows, done.deletes, done.drift) for done in extract().tables] == [(1, 1, 0)]
    assert [(done.rows, done.deletes) for done in extract().tables] == [(0, 0)]

    with duckdb.connect(str(paths.warehouse()), read_only=True) as db:
        log = db.execute(
            "SELECT id, CAST(updated_at AS VARCHAR), CAST(price AS VARCHAR), live, key, _op, _run_seq FROM raw.rate ORDER BY id, _run_seq"
        ).fetchall()
    uuid = "0188d0f4-5a3c-7b1e-8f00-00000000abcd"
    assert log == [
        (1, "2026-01-02 03:04:05", "1.250000000000", True, uuid, "u", 1),
        (1, "2026-01-02 03:04:05", "2.000000000000", True, uuid, "u", 2),
        (2, "2026-01-02 03:04:05.678", None, False, None, "u", 1),
        (2, "2026-01-02 03:04:05.678", None, False, None, "d", 2),
        (3, "2026-01-02 03:04:05", "0.100000000000", None, None, "u", 1),
    ]


@pytest.mark.parity
def test_missing_sqlite_file_is_named_with_the_command_that_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_SQLITE", str(tmp_path / "none.sqlite3"))
    with pytest.raises(FileNotFoundError, match=r"manage\.py migrate"), sources.connect():
        pytest.fail("a database that is not there was opened")
