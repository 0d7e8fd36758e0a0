"""What is due more rarely than a comparison: the proof of every row, and the compaction of the log.

Belongs here: when each was last done (for the resident loop: Dagster has its schedules), and what a proof found, told the same way by both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from . import files, outcomes, paths
from .extract.run import Report, TableResult
from .quality import alerts

PROVE, COMPACT = "prove", "compact"


def _path() -> Path:
    return paths.var() / "work" / "chores.json"


def due(chore: str, every_seconds: float, *, now: datetime | None = None) -> bool:
    """Whether it is time again. The first question starts the clock: what was loaded a moment ago was compared with the source then."""
    at, done = now or datetime.now(UTC), files.read_json(_path()) or {}
    if chore not in done:
        mark(chore, now=at)
        return False
    return at - datetime.fromisoformat(done[chore]) >= timedelta(seconds=every_seconds)


def mark(chore: str, *, now: datetime | None = None) -> None:
    """Note that it was done now."""
    files.write_json(_path(), {**(files.read_json(_path()) or {}), chore: (now or datetime.now(UTC)).isoformat()})


def unlike(result: TableResult) -> str:
    """After a proof: how the table's log differed from the source, "" when it did not."""
    if result.proof is None or result.stopped:
        return result.stopped or "was not proven"
    return f"{result.repaired} rows differed from the source, and were read again: {result.unlike}" if result.repaired else ""


def tell(report: Report) -> list[str]:
    """Alert of each table whose log a proof found different, by name and rows; returns the lines. Of a stopped one the run itself told."""
    found = [(result, why) for result in report.tables if (why := unlike(result))]
    for result, why in found:
        if not result.stopped:
            alerts.tell("proof", [alerts.fault(result.table, PROVE, why, rows=result.repaired)], outcomes.named(report, result))
    return [f"{result.table}: {why}" for result, why in found]
