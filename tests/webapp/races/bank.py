"""A MariaDB of a test's own, in a folder of its own, that can be killed in the middle, and the processes that work on it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import MySQLdb
from django.db import connection

from infra.local import services as local

from . import bank_teller


def ended(pid: int, patience: float = 120) -> int:
    """How a process ended: its exit code, or minus the signal. One that does not end is killed."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("a process never came to an end")


class Bank:
    """The server, and what is done with it. Its database is named `bank`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env: dict[str, str] = {}

    def start(self, *, durable: bool = True) -> None:
        self.env = local.start_mariadb(self.folder, durable=durable)

    def stop(self) -> None:
        local.stop(self.folder)

    def kill(self) -> None:
        """As when the power goes: no shutdown, no flush."""
        pid = local._recorded_pid(self.folder / "mysqld.pid", "mariadbd")
        assert pid is not None, "the server was not running"
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while local._alive(pid) and time.monotonic() < deadline:
            local._reap(pid)
            time.sleep(0.02)
        assert not local._alive(pid)

    def connect(self, database: str = "bank") -> Any:
        return MySQLdb.connect(user="root", unix_socket=self.env["OPENLANCE_DB_SOCKET"], database=database, autocommit=True)

    def create(self) -> None:
        """The database, without tables."""
        self.connect("mysql").cursor().execute("CREATE DATABASE bank CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")

    def lay(self, source: str) -> None:
        """The tables and triggers of the database that this test suite runs on, empty."""
        given = connection.settings_dict
        login = [f"--user={given['USER']}"] + ([f"--password={given['PASSWORD']}"] if given["PASSWORD"] else [])
        where = given["OPTIONS"].get("unix_socket")
        there = [f"--socket={where}"] if where else [f"--host={given['HOST']}", f"--port={given['PORT']}"]
        dump = ["mariadb-dump", "--no-defaults", *login, *there, "--no-data", "--triggers", "--skip-comments", source]
        tables = subprocess.run(dump, capture_output=True, check=True).stdout
        self.create()
        self.load(tables)

    def load(self, tables: bytes) -> None:
        """Run what `dump` or mariadb-dump wrote."""
        login = ["--no-defaults", "--user=root", f"--socket={self.env['OPENLANCE_DB_SOCKET']}"]
        subprocess.run(["mariadb", *login, "bank"], input=tables, check=True)

    def dump(self) -> bytes:
        """The database with its rows and triggers."""
        login = ["--no-defaults", "--user=root", f"--socket={self.env['OPENLANCE_DB_SOCKET']}"]
        return subprocess.run(["mariadb-dump", *login, "--triggers", "--skip-comments", "bank"], capture_output=True, check=True).stdout

    def process(self, act: Callable[[], None], level: str = "read committed") -> int:
        """Run `act` in a fork of this process, on the bank's database; its pid."""
        return bank_teller.fork(self.env["OPENLANCE_DB_SOCKET"], level, act)

    def run(self, act: Callable[[], None], patience: float = 120) -> None:
        assert ended(self.process(act), patience) == 0

    def ask(self, question: Callable[[], Any]) -> Any:
        """What `question` answers in a process of its own."""
        reading, writing = os.pipe()

        def answer() -> None:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(question(), pipe)

        pid = self.process(answer)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        assert ended(pid) == 0, "a question was not answered"
        return pickle.loads(said)
