"""The runner's promises: ports, crashes, Ctrl-C, private servers, patches that still fit."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import environment, services, suites
from infra.local.measure import read_mutant
from infra.local.processes import choose_port
from infra.local.suites import Outcome, Suite, close

REPO = Path(__file__).resolve().parents[2]


def run_script(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=REPO, capture_output=True, text=True, timeout=60, check=False)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        taken = held.getsockname()[1]
        chosen = choose_port(taken, set())
        assert chosen != taken
        with socket.socket() as other:
            other.bind(("127.0.0.1", chosen))


def test_a_port_given_to_another_server_of_the_house_is_not_given_twice() -> None:
    free = services.free_port()
    assert choose_port(free, set()) == free
    assert choose_port(free, {free}) != free


CRASH = """
import sys
from pathlib import Path
from infra.local.processes import Supervisor, Crashed
s = Supervisor(Path(sys.argv[1]))
server = s.start("unlucky", [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], env={}, cwd=Path("."))
try:
    s.wait_for(server, "http://127.0.0.1:9/", seconds=20)
except Crashed as e:
    print(e)
    raise SystemExit(1)
"""


def test_a_server_that_crashes_while_starting_is_reported_with_its_last_words(tmp_path: Path) -> None:
    done = run_script(CRASH, str(tmp_path))
    assert done.returncode == 1
    assert "unlucky ended with code 3" in done.stdout
    assert "the reason" in done.stdout


WATCH = """
import sys
from pathlib import Path
from infra.local.processes import Supervisor
s = Supervisor(Path(sys.argv[1]))
child = "import subprocess,sys,signal; p = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']); print(p.pid, flush=True); signal.pause()"
server = s.start("parent", [sys.executable, "-c", child], env={}, cwd=Path("."))
while not server.log.read_text().strip():
    assert server.process.poll() is None
try:
    print(server.process.pid, server.log.read_text().strip(), flush=True)
    code = s.watch()
except KeyboardInterrupt:  # it came before the watch began
    code = 0
s.stop()
print("stopped", code, flush=True)
"""


def test_ctrl_c_ends_every_process_that_was_started_and_their_children(tmp_path: Path) -> None:
    runner = subprocess.Popen([sys.executable, "-c", WATCH, str(tmp_path)], cwd=REPO, stdout=subprocess.PIPE, text=True)
    assert runner.stdout is not None
    pids = [int(p) for p in runner.stdout.readline().split()]
    assert len(pids) == 2
    assert all(alive(p) for p in pids)
    runner.send_signal(signal.SIGINT)
    assert runner.stdout.read().strip() == "stopped 0"
    assert runner.wait(timeout=30) == 0
    assert not any(alive(p) for p in pids)


DIES = """
import sys
from pathlib import Path
from infra.local.processes import Supervisor
s = Supervisor(Path(sys.argv[1]))
server = s.start("short-lived", [sys.executable, "-c", "print('so long')"], env={}, cwd=Path("."))
server.process.wait()
print(len(s.crashed()), len(s.crashed()))
"""


def test_a_server_that_ends_later_is_told_once(tmp_path: Path) -> None:
    done = run_script(DIES, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "short-lived ended by itself with code 0" in done.stdout
    assert "so long" in done.stdout
    assert done.stdout.strip().endswith("1 0")


@pytest.mark.skipif(services.find_redis() is None, reason="no Redis on this machine (apt-get install redis-server)")
def test_the_private_redis_is_found_again_and_ended_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    address = services.start_redis(first)
    try:
        assert services.start_redis(first) == address
        services.start_redis(second)
        assert services.stop(second) == ["redis-server"]
        assert services.running(first) == ["redis-server"]
    finally:
        assert services.stop(first) == ["redis-server"]
        services.stop(second)
    assert services.running(first) == []


@pytest.mark.skipif(services.find_mariadbd() is None, reason="no MariaDB on this machine (apt-get install mariadb-server)")
def test_the_private_mariadb_leaves_the_temporary_tables_of_other_servers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that starts sweeps its folder of temporary files: in a shared one it would take the tables of running statements from others."""
    shared = tmp_path / "shared"
    shared.mkdir()
    others = shared / "#sql-temptable-1-1-1.MAI"
    others.touch()
    monkeypatch.setenv("TMPDIR", str(shared))
    try:
        services.start_mariadb(tmp_path / "house", durable=False)
        assert others.exists()
    finally:
        assert services.stop(tmp_path / "house") == ["mariadbd"]


def test_a_pid_file_of_a_stranger_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "redis.pid").write_text(str(os.getpid()))
    assert services.running(tmp_path) == []
    assert services.stop(tmp_path) == []


def test_an_unsupported_python_is_told_with_the_command_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(environment.Missing, match=r"3\.11.*apt-get install"):
        environment.check_python()


def test_the_summary_fails_on_a_failure_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = Outcome("one", passed=3), Outcome("two", passed=1, failed=1)
    assert close([good]) == 0
    assert close([good, bad]) == 1
    assert close([]) == 1
    assert "4 passed, 1 failed, 0 skipped" in capsys.readouterr().out.splitlines()


_WAITS = """
import os, time
from pathlib import Path

def test_the_other_is_at_work_too():
    here = Path(__file__).parent
    (here / os.environ["LANE"]).touch()
    deadline = time.monotonic() + 60
    while not ((here.parent / "one" / "0").exists() and (here.parent / "two" / "1").exists()) and not (
        (here.parent / "one" / "1").exists() and (here.parent / "two" / "0").exists()
    ):
        assert time.monotonic() < deadline, "nobody came"
        time.sleep(0.05)
"""
_FAILS = "def test_that_fails():\n    assert False\n"


def test_suites_of_one_process_run_side_by_side_each_in_a_lane_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(suites, "HOME", tmp_path)
    for name, text in {"one": _WAITS, "two": _WAITS, "three": _FAILS, "four": _FAILS}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / f"test_{name}.py").write_text(text)
    chosen = [Suite(name, (str(tmp_path / name),), all_cores=name == "four") for name in ("one", "two", "three", "four")]
    ended = suites.run_suites(chosen, [{**os.environ, "LANE": "0"}, {**os.environ, "LANE": "1"}], {})
    assert [(o.name, o.passed, o.failed) for o in ended] == [("one", 1, 0), ("two", 1, 0), ("three", 0, 1), ("four", 0, 1)]
    lines = capfd.readouterr().out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(("one │ ", "two │ ")))
    assert any("test_that_fails" in line and not line.startswith("three │ ") for line in lines[:first]), (
        "what takes all cores ran before, alone"
    )
    assert any(line.startswith("three │ ") and "test_that_fails" in line for line in lines[first:])


def test_a_suite_that_did_not_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    close([Outcome("one", passed=1), Outcome("two", ran=False, reason="MariaDB is not installed")])
    assert "NOT RUN: MariaDB is not installed" in capsys.readouterr().out


def test_every_mutant_names_its_tests_and_still_fits_the_code() -> None:
    patches = sorted((REPO / "tests" / "mutants").glob("*.patch"))
    assert len(patches) >= 16
    for patch in patches:
        mutant = read_mutant(patch)
        for test in mutant.tests:
            file, *_, name = test.split("::")
            assert f"def {name}(" in (REPO / file).read_text(), f"{patch.name} names {test}, which is not there"
        changed = {line.split("/", 1)[1] for line in patch.read_text().splitlines() if line.startswith("+++ b/")}
        assert changed, f"{patch.name} changes nothing"
        assert not [path for path in changed if path.startswith("tests/")], f"{patch.name} changes a test"
        fits = subprocess.run(["git", "apply", "--check", str(patch)], cwd=REPO, capture_output=True, text=True, check=False)
        assert fits.returncode == 0, f"{patch.name}: {fits.stderr}"
        schema = any("/migrations/" in path or path.endswith("triggers.py") for path in changed)
        assert mutant.fresh_db == schema, (
            f"{patch.name}: `# fresh-db: yes` is for mutants of the schema and its triggers, and only for them"
        )


def test_a_mutant_without_its_head_lines_is_refused(tmp_path: Path) -> None:
    patch = tmp_path / "nameless.patch"
    patch.write_text("# what: nothing in particular\ndiff --git a/x b/x\n")
    with pytest.raises(ValueError, match="needs head lines"):
        read_mutant(patch)
