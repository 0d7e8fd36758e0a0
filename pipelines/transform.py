"""dbt as a process of its own: no secret, no network, no telemetry, its artefacts in the run-time folder.

A process a build (`cold`), or one that stays and keeps its imports and the parsed project (warm.WarmDbt, for the resident loop).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import data_tests, files, paths
from .failpoints import failpoint
from .refusals import Refused, discreet

#: Runs dbt with these arguments, gives its lines as they come, and returns its exit code.
Runner = Callable[[list[str]], Generator[str, None, int]]
_RESULTS, _BEFORE = "run_results.json", "run_results.before.json"
_OWN = "openlance_own"
#: How the line begins that counts the data tests which were asked without dbt.
TESTED = "Data tests: "


@dataclass(frozen=True)
class Selection:
    """Names of the nodes to build with the tests that touch them, and of those that must stay as they are."""

    nodes: tuple[str, ...]
    held: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        chosen = ["--select", *self.nodes] if self.nodes else []
        return [*chosen, *(["--exclude", *self.held] if self.held else [])]


def environment() -> dict[str, str]:
    """What dbt's process sees."""
    quiet = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1", "DBT_NO_VERSION_CHECK": "1", "DBT_USE_COLORS": "false"}
    # what dbt says is kept by whoever runs it; its own log of each statement costs a fifth of a small build
    return {
        **os.environ,
        **quiet,
        "DBT_LOG_LEVEL_FILE": "none",
        "OPENLANCE_WAREHOUSE": str(paths.warehouse()),
        "OPENLANCE_VAR": str(paths.var()),
        "PYTHONUNBUFFERED": "1",
    }


def arguments_of(*arguments: str, target: Path | None = None) -> list[str]:
    """dbt's arguments with our project, profile and artefact folder."""
    project, artefacts = str(paths.dbt_project()), str(target or paths.dbt_target())
    folders = ["--project-dir", project, "--profiles-dir", project, "--target-path", artefacts, "--log-path", artefacts]
    return ["--no-version-check", *arguments, *folders]


def command(*arguments: str, target: Path | None = None) -> list[str]:
    """The command line of dbt with our project, profile and artefact folder, to be run in the project's root."""
    return [sys.executable, "-m", "pipelines.warm", *arguments_of(*arguments, target=target)]


class BuildFailed(Refused):
    """dbt ended with an error; `log` has all it said."""

    def __init__(self, code: int, log: Path, told: list[str]) -> None:
        lines = [discreet(line) for line in told]
        super().__init__(f"dbt ended with code {code}; all it said is in {log}" + "".join(f"\n  {line}" for line in lines))


def failed(done: subprocess.CompletedProcess[str], log: Path) -> BuildFailed:
    """What to raise for a dbt that ended with an error; all it said is kept in `log`."""
    said = done.stdout + done.stderr
    log.write_text(said, encoding="utf-8")
    return BuildFailed(done.returncode, log, said.splitlines()[-12:])


def cold(arguments: list[str]) -> Generator[str, None, int]:
    """dbt in a process of its own, which ends with the build; killed when its reader gives up."""
    process = subprocess.Popen(
        command(*arguments), env=environment(), cwd=paths.REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        for line in process.stdout or ():
            failpoint("dbt.running", process.pid)
            yield line.rstrip()
    except BaseException:
        process.kill()
        raise
    finally:
        code = process.wait()
    return code


def build(*, full_refresh: bool = False, retry: bool = False, selection: Selection | None = None, runner: Runner = cold) -> Iterator[str]:
    """Run `dbt build` (or `dbt retry`, which continues where the last one stopped), giving its lines as they come.

    Raises BuildFailed when a model or a blocking test fails, or the process is killed. The results of an earlier run are put
    aside first, so that a publish can never mistake them for this one's; a retry and a build of a `selection` put those of the
    nodes they did not touch beside their own.
    """
    target = paths.dbt_target()
    target.mkdir(parents=True, exist_ok=True)
    paths.warehouse().parent.mkdir(parents=True, exist_ok=True)
    # what a build that was cut short left is worth nothing: the results of the one before it are still put aside
    before = _results(_BEFORE) or results()
    if not retry and (target / _RESULTS).is_file():
        if (target / _BEFORE).is_file():
            (target / _RESULTS).unlink()
        else:
            (target / _RESULTS).replace(target / _BEFORE)
    arguments = (
        ["retry"] if retry else ["build", *(["--full-refresh"] if full_refresh else []), *(selection.arguments() if selection else [])]
    )
    tests = None
    if selection and selection.nodes:
        # built anew: by code that the queries of before may not know
        tests = None if full_refresh else _tests(before, selection)
        # what unit tests prove does not depend on data: a build of everything ran them
        arguments += ["--exclude-resource-type", "unit_test", *(["test"] if tests is not None else [])]
    log, said = target / "build.log", []
    with log.open("w", encoding="utf-8") as keep, contextlib.closing(_lines(arguments, tests, runner)) as lines:
        while True:
            try:
                line = next(lines)
            except StopIteration as ended:
                code = ended.value
                break
            keep.write(line + "\n")
            said.append(line)
            yield line
    _complete(before if retry or selection else {})
    (target / _BEFORE).unlink(missing_ok=True)
    if code:
        raise BuildFailed(code, log, [line for line in said if "Error" in line or "FAIL" in line or "ERROR" in line][-12:])


def parse(target: Path) -> Path:
    """Parse the project without touching a database; returns the path of the manifest made in `target`. Raises BuildFailed."""
    target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command("parse", target=target), env=environment(), cwd=paths.REPO, capture_output=True, text=True, check=False)
    if done.returncode:
        raise failed(done, target / "parse.log")
    return target / "manifest.json"


def artefact(path: Path) -> dict[str, Any] | None:
    """The JSON that dbt left there; None when there is none or dbt was killed while it wrote: it writes its files in place."""
    try:
        found: dict[str, Any] | None = files.read_json(path)
    except json.JSONDecodeError:
        return None
    return found


def results() -> dict[str, dict[str, Any]]:
    """The last build's results by dbt's unique id; empty when there is none."""
    return _results(_RESULTS)


def build_id() -> str:
    """dbt's own id of the build whose results are there; "" when there is none."""
    return str((artefact(paths.dbt_target() / _RESULTS) or {}).get("metadata", {}).get("invocation_id", ""))


def ran() -> dict[str, dict[str, Any]]:
    """Those of the last build's results that it got itself, not taken over from one before it."""
    stored = artefact(paths.dbt_target() / _RESULTS) or {}
    own = set(stored.get(_OWN, ()))
    return {unique_id: result for unique_id, result in results().items() if unique_id in own}


def unfinished() -> bool:
    """Whether a build was begun and not brought to its end, tests included: then its results say nothing."""
    return (paths.dbt_target() / _BEFORE).is_file()


def remembered() -> bool:
    """Whether the results of an earlier build are there to complete those of a part."""
    return any(_results(name) for name in (_RESULTS, _BEFORE))


def _tests(before: dict[str, dict[str, Any]], selection: Selection) -> list[data_tests.Test] | None:
    """The data tests of the selection; None when dbt has to ask them."""
    manifest = artefact(paths.dbt_target() / "manifest.json")
    return data_tests.known(manifest, before, selection.nodes, selection.held) if manifest else None


def _lines(arguments: list[str], tests: list[data_tests.Test] | None, runner: Runner) -> Generator[str, None, int]:
    """What dbt says, then what `tests` find, whose results are put beside dbt's; returns dbt's exit code, or 1 when a test found something."""
    code = yield from runner(arguments)
    path = paths.dbt_target() / _RESULTS
    stored = artefact(path)
    if tests is None or stored is None:
        return code
    passed = 0
    for result in data_tests.run(tests, {node["unique_id"]: node["status"] for node in stored["results"]}):
        stored["results"].append(result)
        passed += result["status"] == "pass"
        if result["status"] in ("fail", "error"):
            code = code or 1
            yield f"{result['status'].upper()} {result['unique_id'].split('.')[2]}: {result['message']}"
    files.write_json(path, stored)
    yield f"{TESTED}{len(tests)}, {passed} of them passed"
    return code


def _results(name: str) -> dict[str, dict[str, Any]]:
    stored = artefact(paths.dbt_target() / name) or {"results": []}
    return {result["unique_id"]: result for result in stored["results"]}


def _complete(before: dict[str, dict[str, Any]]) -> None:
    """A retry or a part reports only what it ran: keep the earlier results of the rest beside them."""
    path = paths.dbt_target() / _RESULTS
    stored = artefact(path)
    if stored:
        stored[_OWN] = [result["unique_id"] for result in stored["results"]]
        stored["results"] = list({**before, **{result["unique_id"]: result for result in stored["results"]}}.values())
        files.write_json(path, stored)
