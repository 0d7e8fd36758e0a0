"""A fault outside the program ends each command with one sentence and exit code 2: no traceback, nothing changed, no secret told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.loop import ResidentLoop
from pipelines.scale_out import missing
from pipelines.settings import Loop, SettingsError

from .conftest import REPO

#: Each command of the platform, and whether it needs the operational database.
COMMANDS = {
    "run": True,
    "loop --rounds 1": False,
    "extract.run": True,
    "extract.run --table jobs_job": True,
    "extract.compact": False,
    "extract.contracts check": True,
    "erase": True,
    "publish": False,
    "publish rollback": False,
    "quality list": False,
    "source_checks": False,
    "scale_out": True,
    "docs": False,
    "trace metric applications": False,
    "marts_reader.fetch": False,
}


def asked(command: str, folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """One command on an empty platform, and on no database unless one is named."""
    taken = (
        "OPENLANCE_SQLITE",
        "OPENLANCE_WAREHOUSE",
        "OPENLANCE_CONTRACTS",
        "OPENLANCE_DB_NAME",
        "OPENLANCE_DB_SOCKET",
        "OPENLANCE_PLATFORM_ENV",
    )
    env = {name: value for name, value in os.environ.items() if name not in taken} | {"OPENLANCE_VAR": str(folder)} | changes
    return subprocess.run(
        [sys.executable, "-m", *f"pipelines.{command}".split()], cwd=REPO, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """What it said when it ended as it should."""
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "Traceback" not in said
    return said


def test_every_command_is_here() -> None:
    found = {path for path in (REPO / "pipelines").rglob("*.py") if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")}
    names = {".".join(path.relative_to(REPO / "pipelines").with_suffix("").parts).removesuffix(".__main__") for path in found}
    # processes of dbt and Spark, which only commands start
    assert names - {"warm", "scale_out.session", "source_checks.dbt_over_tls"} == {command.split()[0] for command in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_typo_in_the_settings_ends_every_command(command: str, tmp_path: Path) -> None:
    said = refused(asked(command, tmp_path, OPENLANCE_PLATFORM__LOOP__INTERVALL_SECONDS="5"))
    assert "embedded.toml with the variables OPENLANCE_PLATFORM__…: loop.intervall_seconds: Extra inputs are not permitted" in said
    assert len(said.strip().splitlines()) == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["rolback", "--help"])
def test_publish_does_nothing_for_a_word_that_it_does_not_know(words: str, tmp_path: Path) -> None:
    done = asked(f"publish {words}", tmp_path)
    assert (done.returncode, "rollback" in done.stdout + done.stderr) == (0 if words == "--help" else 2, True)
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_is_none_ends_a_command(tmp_path: Path) -> None:
    assert "OPENLANCE_PLATFORM_ENV names 'prod'; there are embedded, production," in refused(
        asked("run", tmp_path, OPENLANCE_PLATFORM_ENV="prod")
    )


@pytest.mark.parametrize("command", [command for command, needs in COMMANDS.items() if needs])
def test_a_database_that_cannot_be_reached_is_named(command: str, tmp_path: Path) -> None:
    pytest.importorskip("MySQLdb", reason="mysqlclient is not installed")
    if command == "scale_out" and (lacking := missing()):
        pytest.skip(lacking)
    named = {"OPENLANCE_DB_SOCKET": "/tmp/none.sock", "OPENLANCE_DB_NAME": "market", "OPENLANCE_DB_USER": "reader"}
    said = refused(asked(command, tmp_path, **named, OPENLANCE_DB_PASSWORD="a secret of ours"))
    assert "the database 'market' at /tmp/none.sock cannot be reached as 'reader': " in said
    assert "OPENLANCE_DB_SOCKET" in said and "a secret" not in said


def test_a_host_is_named_with_its_port_and_a_port_must_be_a_number(tmp_path: Path) -> None:
    pytest.importorskip("MySQLdb", reason="mysqlclient is not installed")
    away = {"OPENLANCE_DB_NAME": "market", "OPENLANCE_DB_HOST": "127.0.0.1", "OPENLANCE_DB_PORT": "9"}
    assert "at 127.0.0.1:9 cannot be reached" in refused(asked("extract.run", tmp_path, **away))
    assert "OPENLANCE_DB_PORT is 'x', and no number" in refused(asked("extract.run", tmp_path, **(away | {"OPENLANCE_DB_PORT": "x"})))


def test_the_loop_tries_an_unreachable_database_again(tmp_path: Path) -> None:
    pytest.importorskip("MySQLdb", reason="mysqlclient is not installed")
    done = asked("loop --rounds 2 --interval 0.1", tmp_path, OPENLANCE_DB_SOCKET="/tmp/none.sock", OPENLANCE_DB_NAME="market")
    assert done.returncode == 1
    [told] = done.stderr.splitlines()
    assert told.startswith("WARNING round failed: SourceError: the database … at /tmp/none.sock cannot be reached"), (
        "once, and no traceback"
    )
    assert done.stdout.count("SourceError: the database 'market' at /tmp/none.sock cannot be reached") == 2


def test_settings_that_went_wrong_end_a_loop_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    monkeypatch.delenv("OPENLANCE_PLATFORM_ENV", raising=False)
    resident = ResidentLoop(Loop())
    monkeypatch.setenv("OPENLANCE_PLATFORM__LOPP__INTERVAL_SECONDS", "5")
    with pytest.raises(SettingsError, match="lopp: Extra inputs"):
        resident.run(2)


@pytest.mark.parametrize("keys", ["1-5", "5:1", "5", "1:", "a:b"])
def test_keys_that_are_none_are_told_how_to_be_written(keys: str, tmp_path: Path) -> None:
    said = refused(asked(f"extract.run --table item --keys {keys}", tmp_path))
    assert f"'{keys}' names no keys: FIRST:PAST, such as 1:50000" in said
