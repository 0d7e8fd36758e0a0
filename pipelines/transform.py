"""dbt as a process of its own: no secret, no network, no telemetry, its artefacts in the run-time folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import files, paths
from .failpoints import failpoint


def environment() -> dict[str, str]:
    """What dbt's process sees."""
    quiet = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1", "DBT_NO_VERSION_CHECK": "1", "DBT_USE_COLORS": "false"}
    return {
        **os.environ,
        **quiet,
        "OPENLANCE_WAREHOUSE": str(paths.warehouse()),
        "OPENLANCE_VAR": str(paths.var()),
        "PYTHONUNBUFFERED": "1",
    }


def command(*arguments: str, target: Path | None = None) -> list[str]:
    """The command line of dbt with our project, profile and artefact folder."""
    project, artefacts = str(paths.dbt_project()), str(target or paths.dbt_target())
    dbt = Path(sys.executable).with_name("dbt")
    folders = ["--project-dir", project, "--profiles-dir", project, "--target-path", artefacts, "--log-path", artefacts]
    return [str(dbt), "--no-version-check", *arguments, *folders]


class BuildFailed(RuntimeError):
    """dbt ended with an error; `log` has all it said."""

    def __init__(self, code: int, log: Path, told: list[str]) -> None:
        super().__init__(f"dbt ended with code {code}; all it said is in {log}" + "".join(f"\n  {line}" for line in told))


def build(*, full_refresh: bool = False, retry: bool = False) -> Iterator[str]:
    """Run `dbt build` (or `dbt retry`, which continues where the last one stopped), giving its lines as they come.

    Raises BuildFailed when a model or a blocking test fails, or the process is killed. The artefacts of an earlier run are
    removed first, so that a publish can never mistake them for this one's.
    """
    target = paths.dbt_target()
    target.mkdir(parents=True, exist_ok=True)
    paths.warehouse().parent.mkdir(parents=True, exist_ok=True)
    before = results() if retry else {}
    if not retry:
        (target / "run_results.json").unlink(missing_ok=True)
    arguments = ["retry"] if retry else ["build", *(["--full-refresh"] if full_refresh else [])]
    log, said = target / "build.log", []
    with log.open("w", encoding="utf-8") as keep:
        process = subprocess.Popen(
            command(*arguments), env=environment(), cwd=paths.REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            for line in process.stdout or ():
                keep.write(line)
                said.append(line.rstrip())
                failpoint("dbt.running", process.pid)
                yield line.rstrip()
        finally:
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.kill()
            code = process.wait()
    if retry:
        _complete(before)
    if code:
        raise BuildFailed(code, log, [line for line in said if "Error" in line or "FAIL" in line or "ERROR" in line][-12:])


def parse(target: Path) -> Path:
    """Parse the project without touching a database; returns the path of the manifest made in `target`. Raises BuildFailed."""
    target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command("parse", target=target), env=environment(), cwd=paths.REPO, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(done.returncode, target / "dbt.log", (done.stdout + done.stderr).splitlines()[-12:])
    return target / "manifest.json"


def results() -> dict[str, dict[str, Any]]:
    """The last build's results by dbt's unique id; empty when there is none."""
    stored = files.read_json(paths.dbt_target() / "run_results.json") or {"results": []}
    return {result["unique_id"]: result for result in stored["results"]}


def _complete(before: dict[str, dict[str, Any]]) -> None:
    """A retry reports only what it ran again: keep the earlier results of the rest beside them."""
    path = paths.dbt_target() / "run_results.json"
    stored = files.read_json(path)
    if stored:
        stored["results"] = list({**before, **{result["unique_id"]: result for result in stored["results"]}}.values())
        files.write_json(path, stored)
