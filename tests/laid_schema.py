"""The test database's schema, migrated once and then laid from a dump.

Running all migrations on MariaDB takes most of a minute, and each suite and each of its workers has a database of its own. The first one of a state of the
code leaves a dump under var/test/schema; the others load it, and Django's `migrate` then finds everything applied. What post_migrate lays
(triggers, permissions) it lays as ever. --reuse-db uses the database that is there, --create-db makes it anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
FOLDER = REPO / "var" / "test" / "schema"


def dump_file() -> Path:
    """Where the dump of the present code's schema lies: migrations of ours and of the packages, and the SQL that ours run."""
    total = hashlib.sha256()
    ours = [p for p in (REPO / "webapp" / "marketplace").rglob("*") if p.suffix in (".py", ".sql", ".toml", ".json", ".csv", ".tsv")]
    for file in sorted([*ours, *(REPO / "requirements").glob("*.txt"), REPO / "webapp" / "config" / "settings" / "test.py"]):
        total.update(str(file).encode() + file.read_bytes())
    return FOLDER / f"{total.hexdigest()[:24]}.sql"


class Laid:
    """The database of some settings, laid from the dump when there is one. Without one the others wait until `hand_on` has left it."""

    def __init__(self, settings: dict[str, Any], *, reused: bool) -> None:
        self._settings = settings
        self._name = settings["TEST"].get("NAME") or f"test_{settings['NAME']}"
        self._lock: Any = None
        self.done = False
        mariadb = settings["ENGINE"] == "marketplace.core.mysql"
        if reused or not mariadb or not all(shutil.which(name) for name in ("mariadb", "mariadb-dump")):
            return
        FOLDER.mkdir(parents=True, exist_ok=True)
        self._lock = (FOLDER / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._dump = dump_file()
        if self._dump.is_file():
            self._load()
            self._release()

    def hand_on(self) -> None:
        """Leave the dump of a database that was migrated just now; those of older code go."""
        if self._lock is None:
            return
        made = self._dump.with_suffix(f".{os.getpid()}")
        with made.open("wb") as out:
            self._run("mariadb-dump", "--single-transaction", "--skip-comments", "--hex-blob", "--triggers", self._name, stdout=out)
        for old in FOLDER.glob("*.sql"):
            old.unlink()
        made.replace(self._dump)
        self._release()

    def _load(self) -> None:
        anew = f"DROP DATABASE IF EXISTS `{self._name}`; CREATE DATABASE `{self._name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;"
        self._run("mariadb", "--execute", anew)
        with self._dump.open("rb") as content:
            self._run("mariadb", self._name, stdin=content)
        self.done = True

    def _release(self) -> None:
        self._lock.close()
        self._lock = None

    def _run(self, program: str, *arguments: str, **streams: Any) -> None:
        socket = self._settings["OPTIONS"].get("unix_socket")
        there = ["--socket", socket] if socket else ["--host", self._settings["HOST"], "--port", str(self._settings["PORT"])]
        command = [program, "--no-defaults", *there, "--user", self._settings["USER"], "--default-character-set=utf8mb4", *arguments]
        env = {**os.environ, "MYSQL_PWD": self._settings["PASSWORD"]}
        done = subprocess.run(command, env=env, stderr=subprocess.PIPE, check=False, **streams)
        assert done.returncode == 0, f"{program} ended with {done.returncode}: {done.stderr.decode()}"
