"""A source of its own for the extraction's tests: small tables in a real MariaDB, real processes, a run-time folder per test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

REPO = Path(__file__).resolve().parents[2]

ITEM_CONTRACT = """
table = "item"
key = "id"
stamp = "updated_at"
personal_data = false
omitted = ["secret"]

[columns]
id = { type = "bigint", nullable = false }
updated_at = { type = "timestamp", nullable = false }
name = { type = "varchar(40)", nullable = false }
amount = { type = "bigint", nullable = true }
"""
OTHER_CONTRACT = """
table = "other"
key = "id"
stamp = "updated_at"
personal_data = false

[columns]
id = { type = "bigint", nullable = false }
updated_at = { type = "timestamp", nullable = false }
note = { type = "text", nullable = true }
"""
_STAMP = "updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY stamp (updated_at, id)"
TABLES = {
    "item": f"CREATE TABLE item (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40) NOT NULL, amount BIGINT, secret VARCHAR(9), {_STAMP})",
    "other": f"CREATE TABLE other (id BIGINT PRIMARY KEY AUTO_INCREMENT, note LONGTEXT, {_STAMP})",
    "core_deletedrow": "CREATE TABLE core_deletedrow (id BIGINT PRIMARY KEY AUTO_INCREMENT, table_name VARCHAR(64) NOT NULL,"
    f" row_id BIGINT NOT NULL, reason VARCHAR(200) NOT NULL, {_STAMP})",
}


def connect(database: str | None = None) -> Any:
    """A connection that commits each statement, with the isolation level of the web app."""
    MySQLdb = pytest.importorskip("MySQLdb", reason="mysqlclient is not installed: the extraction from MariaDB was not tested")
    options: dict[str, Any] = {"user": os.environ.get("OPENLANCE_DB_USER", "root"), "passwd": os.environ.get("OPENLANCE_DB_PASSWORD", "")}
    if socket := os.environ.get("OPENLANCE_DB_SOCKET", ""):
        options["unix_socket"] = socket
    else:
        options |= {"host": os.environ.get("OPENLANCE_DB_HOST", "127.0.0.1"), "port": int(os.environ.get("OPENLANCE_DB_PORT", "3306"))}
    connection = MySQLdb.connect(charset="utf8mb4", autocommit=True, **({"db": database} if database else {}), **options)
    connection.query("SET SESSION time_zone = '+00:00'")
    connection.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    return connection


@dataclass
class Source:
    """The operational side of a test, and the platform's side of it."""

    database: str
    folder: Path
    control: Any
    opened: dict[int, Any] = field(default_factory=dict)

    def connect(self) -> Any:
        """Another writer; what it holds is released when the test ends, also when it fails."""
        connection = connect(self.database)
        self.opened[connection.thread_id()] = connection
        return connection

    def sql(self, statement: str, connection: Any = None) -> list[tuple[Any, ...]]:
        cursor = (connection or self.control).cursor()
        cursor.execute(statement)
        rows = list(cursor.fetchall()) if cursor.description else []
        cursor.close()
        return rows

    def contracts(self) -> Any:
        from pipelines.extract.contracts import load_all

        return load_all()

    def run(self, **options: Any) -> Any:
        """One run in this process; without reconciliation unless asked for, which would hide what incremental reading lost."""
        from pipelines.extract.run import extract

        return extract(contracts=self.contracts(), **({"reconcile": False} | options))

    def run_process(self, failpoint: str = "", *options: str) -> subprocess.CompletedProcess[str]:
        """One run in a process of its own, killed at `failpoint`."""
        command = [sys.executable, "-m", "pipelines.extract.run", *options]
        return subprocess.run(
            command, cwd=REPO, env=os.environ | {"OPENLANCE_FAILPOINT": failpoint}, capture_output=True, text=True, timeout=180, check=False
        )

    def warehouse(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "work" / "warehouse.duckdb"), read_only=True) as db:
            return db.execute(query).fetchall()

    def state(self, table: str = "item", columns: str = "id, updated_at, name, amount") -> list[tuple[Any, ...]]:
        """The raw log's current state."""
        return self.warehouse(
            f"SELECT {columns} FROM (SELECT * FROM raw.{table} QUALIFY row_number() OVER (PARTITION BY id ORDER BY _run_seq DESC) = 1)"
            " WHERE _op = 'u' ORDER BY id"
        )

    def rows(self, table: str = "item", columns: str = "id, updated_at, name, amount") -> list[tuple[Any, ...]]:
        return self.sql(f"SELECT {columns} FROM {table} ORDER BY id")

    def names(self) -> list[str]:
        return [name for (name,) in self.state(columns="name")]

    def delete(self, key: int, connection: Any = None) -> None:
        """A hard delete as the product makes it: with its tombstone, in one transaction."""
        self.sql(f"INSERT INTO core_deletedrow (table_name, row_id, reason) VALUES ('item', {key}, 'test')", connection)
        self.sql(f"DELETE FROM item WHERE id = {key}", connection)


@pytest.fixture(scope="session")
def extract_database() -> Iterator[str]:
    """A database beside the suite's own."""
    name = f"{os.environ.get('OPENLANCE_DB_NAME', 'openlance')}_extract"
    control = connect()
    control.query(f"DROP DATABASE IF EXISTS `{name}`")
    control.query(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    yield name
    control.query(f"DROP DATABASE `{name}`")
    control.close()


@pytest.fixture
def source(extract_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """Empty tables `item`, `other`, `core_deletedrow` with contracts, and an empty platform."""
    from pipelines.extract.contracts import FOLDER

    control = connect(extract_database)
    for (table,) in Source("", tmp_path, control).sql("SHOW TABLES"):
        control.query(f"DROP TABLE `{table}`")
    for statement in TABLES.values():
        control.query(statement)
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    (contracts / "item.toml").write_text(ITEM_CONTRACT)
    (contracts / "other.toml").write_text(OTHER_CONTRACT)
    (contracts / "core_deletedrow.toml").write_text((FOLDER / "core_deletedrow.toml").read_text())
    monkeypatch.setenv("OPENLANCE_DB_NAME", extract_database)
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    monkeypatch.setenv("OPENLANCE_CONTRACTS", str(contracts))
    monkeypatch.delenv("OPENLANCE_WAREHOUSE", raising=False)
    monkeypatch.delenv("OPENLANCE_SQLITE", raising=False)
    made = Source(extract_database, tmp_path, control)
    yield made
    for number in made.opened:
        control.query(f"KILL {number}")
    control.close()
