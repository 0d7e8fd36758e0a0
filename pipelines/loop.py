"""The resident loop: extract → build what changed → audit → publish, again and again in one process.

    python -m pipelines.loop [--interval SECONDS] [--rounds N]

A round begins `interval` seconds after the last began, or at once when that took longer. Nothing changed: nothing is built or published.
Once an hour the round compares every key block with the source, once a week it reads every row and proves the log, once a day the log is
compacted (settings: loop.reconcile_seconds, prove_seconds, compact_seconds; when, stands in `work/chores.json`). A failed round is tried again after twice as long as the one before,
up to a limit; what was committed stays, and readers keep the publication they have. SIGTERM and SIGINT end it at the next safe point,
within seconds; killed, it leaves whole states only, and goes on from them when it is started again.
Each round is a line on the output and one in `work/rounds.jsonl`, from which Dagster knows of it and of what its checks found. Alerts are
lines on stderr.

Exit codes: 0 asked to stop, or all of `--rounds` went well; 1 some of them did not; 2 another loop is at work, or the settings are wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from . import chores, files, outcomes, paths, rounds, transform
from .extract.run import Report
from .publish.lineage import AUDIENCES
from .quality import alerts, incidents
from .refusals import REFUSALS, Asked, discreet
from .settings import Loop as Settings
from .settings import SettingsError, load
from .warm import WarmDbt

#: Lines that stay in the log of rounds.
KEPT_ROUNDS = 2000
#: A round without changes is told that rarely.
TELL_IDLE_SECONDS = 60.0


class Stopped(Asked):
    """Somebody asked the loop to end."""


@dataclass
class Round:
    """What one round did. `state` is published, idle or failed; seconds by step."""

    number: int
    began: str
    state: str = "failed"
    run_seq: int = 0
    rows: int = 0
    tables: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    reconciled: bool = False
    #: Whether every row was read and compared, and tables that differed.
    proved: bool = False
    unlike: list[str] = field(default_factory=list)
    compacted: int = 0
    affected: int = 0
    nodes: int = 0
    publish_id: str = ""
    #: Tables that were looked at and are worth telling of: those that brought rows, failed or failed before; all when compared.
    checked: list[str] = field(default_factory=list)
    #: Tables of which every key block, or row, was compared with the source.
    compared: list[str] = field(default_factory=list)
    #: Nodes that were made, and those that a test looked at.
    models: list[str] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    #: Audiences whose files were compared with the marts.
    equal_to: list[str] = field(default_factory=list)
    #: Check (contract, drift, batch, proof, tests, equal_to_marts) → table, node or audience → what was found.
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    message: str = ""

    @property
    def line(self) -> str:
        """One line for people."""
        steps = " ".join(f"{name} {seconds:.1f}" for name, seconds in self.seconds.items())
        told = f"{self.began[11:19]} round {self.number} {self.state}: {self.rows} rows of {len(self.tables)} tables"
        if self.reconciled:
            told += ", compared with the source"
        if self.proved:
            told += ", every row proven" if not self.unlike else f", proof differed: {'; '.join(self.unlike)}"
        if self.compacted:
            told += f", {self.compacted} tables compacted"
        if self.state == "published":
            told += f" · {self.affected} of {self.nodes} models · publication {self.publish_id}"
        if self.stopped:
            told += f" · stopped: {'; '.join(self.stopped)}"
        if unlike := self.failed.get("equal_to_marts"):
            told += f" · readers see otherwise than the marts: {'; '.join(line for lines in unlike.values() for line in lines)}"
        return f"{told} · {sum(self.seconds.values()):.1f} s ({steps})" + (f"\n  {self.message}" if self.message else "")


class ResidentLoop:
    """The loop itself. `stop` may be called from a signal handler or another thread."""

    def __init__(self, settings: Settings, tell: Callable[[str], None] = print) -> None:
        self._settings, self._tell = settings, tell
        self._stopping = threading.Event()
        self._dbt = WarmDbt()
        self._number = last_number()
        self._failures = 0
        self._reconciled_at = 0.0
        self._unpublished = True
        #: Whether a comparison of the published files is owed.
        self._uncompared = False
        self._unwell: set[str] = set()
        self._told_idle = 0.0

    def stop(self) -> None:
        """Ask for the end; it comes at the next safe point."""
        self._stopping.set()

    def run(self, limit: int | None = None) -> int:
        """Rounds until `stop`, or `limit` of them; returns how many failed."""
        failed = done = 0
        try:
            while limit is None or done < limit:
                began = time.monotonic()
                result = self.round()
                done += 1
                failed += result.state == "failed"
                if limit is None or done < limit:
                    self._wait(began)
        except Stopped:
            self._tell(f"{_now()[11:19]} asked to stop: stopped after {done} rounds")
        finally:
            self._dbt.close()
        return failed

    def round(self) -> Round:
        """One round. Raises Stopped; every other failure is in the result."""
        self._check("")
        self._number += 1
        result = Round(self._number, _now())
        try:
            self._steps(result)
            self._failures = 0
        except (Stopped, SettingsError):
            raise
        except Exception as failure:
            # whatever went wrong, the source's being away included: the loop is there to try again
            result.message = f"{type(failure).__name__}: {failure}"
            result.state = "failed"
            self._failures += 1
            outcomes.tell_failure(failure)
        remember(result)
        idle = result.state == "idle"
        if not idle or time.monotonic() - self._told_idle >= TELL_IDLE_SECONDS:
            self._told_idle = time.monotonic()
            self._tell(result.line)
        return result

    def _steps(self, result: Round) -> None:
        due = time.monotonic() - self._reconciled_at >= self._settings.reconcile_seconds or not self._reconciled_at
        prove = chores.due(chores.PROVE, self._settings.prove_seconds)
        with _timed(result, "extract"):
            report = rounds.extracted(reconcile=due and not prove, prove=prove, progress=self._check)
        result.reconciled = due and not prove
        self._note(result, report)
        if prove:
            result.proved, result.unlike = True, chores.tell(report)
            if odd := {table.table: discreet(why) for table in report.tables if (why := chores.unlike(table))}:
                result.failed["proof"] = odd
            chores.mark(chores.PROVE)
        if chores.due(chores.COMPACT, self._settings.compact_seconds):
            with _timed(result, "compact"):
                result.compacted = len(rounds.compacted())
            chores.mark(chores.COMPACT)
        if due:
            self._reconciled_at = time.monotonic()
        self._uncompared = self._uncompared or due or prove
        self._check("")
        with _timed(result, "build"):
            nothing = self._build(result)
        self._check("")
        if nothing and not self._unpublished:
            result.state = "idle"
            incidents.went_well()
        else:
            # until the publication stands, also a round that builds nothing owes one
            self._unpublished = True
            with _timed(result, "publish"):
                done = rounds.published(progress=self._check)
            self._unpublished = False
            result.publish_id, result.state = done.publish_id, "published"
        if self._uncompared:
            with _timed(result, "compare"):
                self._compare(result)

    def _note(self, result: Round, report: Report) -> None:
        """What the extraction did, and what its checks say."""
        result.run_seq = report.run_seq
        result.tables = [table.table for table in report.tables if table.rows + table.deletes]
        result.rows = sum(table.rows + table.deletes for table in report.tables)
        result.stopped = [table.stopped for table in report.stopped]
        result.compared = [table.table for table in report.tables if table.compared == report.at and not table.stopped]
        result.failed |= outcomes.of_tables(report)
        unwell = {table.table for table in report.stopped}
        result.checked = sorted({*result.tables, *result.compared, *unwell, *self._unwell})
        self._unwell = unwell

    def _build(self, result: Round) -> bool:
        """Build what changed; returns whether there was nothing to build. What a failed build did is noted too."""
        try:
            build = rounds.built(only_affected=True, runner=self._dbt, progress=self._check)
        except transform.BuildFailed:
            self._note_build(result)
            raise
        result.affected, result.nodes = build.work.affected, build.work.nodes
        if not build.work.nothing:
            self._note_build(result)
        return build.work.nothing

    def _note_build(self, result: Round) -> None:
        done = outcomes.of_build()
        result.models, result.tested = done.models, done.tested
        if done.failed:
            result.failed["tests"] = done.failed

    def _compare(self, result: Round) -> None:
        """What readers see against the marts. A difference fails no round: nothing is mended by trying again."""
        self._uncompared = False
        unlike = rounds.compared()
        if unlike is None:
            self._uncompared = True
            return
        result.equal_to = list(AUDIENCES)
        if unlike:
            result.failed["equal_to_marts"] = outcomes.by_audience(unlike)

    def _check(self, detail: str) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _wait(self, began: float) -> None:
        pause = self._settings.interval_seconds
        if self._failures:
            pause = min(pause * 2**self._failures, self._settings.longest_pause_seconds)
        self._stopping.wait(max(0.0, began + pause - time.monotonic()))
        self._check("")


@contextmanager
def _timed(result: Round, step: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        result.seconds[step] = round(time.monotonic() - began, 3)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def log_path() -> Path:
    """The rounds' log: one JSON object a line, the newest last."""
    return paths.var() / "work" / "rounds.jsonl"


def remember(result: Round) -> None:
    """Append a round to the log; the oldest lines go when there are too many."""
    path = log_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    told = asdict(result) | {"message": discreet(result.message)}
    with path.open("a", encoding="utf-8") as log:
        log.write(json.dumps(told, ensure_ascii=False) + "\n")
    if result.number % 200 == 0:
        lines = path.read_text(encoding="utf-8").splitlines()
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text("\n".join(lines[-KEPT_ROUNDS:]) + "\n", encoding="utf-8")
        temporary.replace(path)


def past(after: int = 0) -> list[dict[str, Any]]:
    """The logged rounds with a greater number than `after`, oldest first. A line that a killed process left half is passed over."""
    try:
        lines = log_path().read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if told["number"] > after:
            found.append(told)
    return found


def last_number() -> int:
    """The number of the last logged round, 0 before the first."""
    return max((told["number"] for told in past()), default=0)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.loop", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--interval", type=float, help="seconds between the beginnings of two rounds (settings: loop.interval_seconds)")
    parser.add_argument("--rounds", type=int, help="end after so many rounds")
    options = parser.parse_args(arguments)
    alerts.speak()
    settings = load().loop
    if options.interval is not None:
        settings = settings.model_copy(update={"interval_seconds": options.interval})

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    resident = ResidentLoop(settings, tell)

    def asked(number: int, frame: FrameType | None) -> None:
        resident.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    with files.lock(paths.var() / "work" / ".loop.lock"):
        tell(
            f"{_now()[11:19]} loop: a round every {settings.interval_seconds:g} s, compared with the source every {settings.reconcile_seconds:g} s"
        )
        return 1 if resident.run(options.rounds) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except files.Busy as busy:
        sys.stderr.write(f"another loop is at work here: {busy}\n")
        sys.exit(2)
    except REFUSALS as refused:
        sys.stderr.write(f"the loop is over: {refused}\n")
        sys.exit(2)
