"""One round: extract → raw views → dbt build → audit → publish → score.

    python -m pipelines.run [--full-refresh] [--reconcile]

What changed since the last round is read and the models below it are built; all of them when the project changed. Every row is compared
with the source in tables where that is due (an hour after the last time; the setting loop.reconcile_seconds), or in all with --reconcile.
Exit codes: 0 published, and every table was read; 1 published, but some table was stopped by its contract or by drift (named in the
output); 2 nothing was published: readers keep the publication they had.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from . import erase, outcomes, paths, refusals, rounds
from .extract.run import Report
from .publish import Publication
from .quality import alerts
from .settings import load
from .warm import WarmDbt

console = Console(highlight=False, soft_wrap=True)


def in_red(told: str) -> None:
    """What a command that is refused says."""
    console.print(told, style="red", markup=False)


@contextmanager
def stage(title: str) -> Iterator[_Stage]:
    """A line that shows what is at work, and at the end what was done and the seconds it took."""
    began = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        at_work = _Stage(progress, title)
        try:
            yield at_work
        except BaseException:
            console.print(f"✗ {title} ({time.monotonic() - began:.1f} s)", style="red")
            raise
    console.print(f"✓ {title}: {at_work.result} ({time.monotonic() - began:.1f} s)")


class _Stage:
    def __init__(self, progress: Progress, title: str) -> None:
        self._progress, self._title = progress, title
        self._task = progress.add_task(title)
        self.result = "done"

    def at(self, detail: str) -> None:
        """Show what is at work now."""
        self._progress.update(self._task, description=f"{self._title}: {detail[:100]}")


def round_of_pipeline(*, full_refresh: bool = False, reconcile: bool = False) -> int:
    """Run one round; returns the exit code."""
    with closing(WarmDbt()) as dbt:
        # dbt makes itself ready while the source is read
        dbt.start()
        return _round(dbt, full_refresh=full_refresh, reconcile=reconcile)


def _round(dbt: WarmDbt, *, full_refresh: bool, reconcile: bool) -> int:
    began = time.monotonic()
    with stage("Extract") as now:
        due = reconcile or timedelta(seconds=load().loop.reconcile_seconds)
        report = rounds.extracted(full_refresh=full_refresh, reconcile=due, progress=now.at)
        now.result = (
            f"{sum(t.rows for t in report.tables)} rows, {sum(t.deletes for t in report.tables)} deletes of {len(report.tables)} tables"
        )
    with stage("Build marts (dbt)") as now:
        build = rounds.built(full_refresh=full_refresh, only_affected=not full_refresh, runner=dbt, progress=now.at)
        now.result = f"{build.work.affected} of {build.work.nodes} nodes, {build.summary}" if build.work.nodes else build.summary
    with stage("Audit and publish") as now:
        done = rounds.published(progress=now.at)
        now.result = f"{len(done.rows)} models, {done.written} parts written, {done.reused} unchanged"
    if any(table.compared == report.at for table in report.tables):
        for difference in rounds.compared() or ():
            console.print(f"✗ readers see otherwise than the marts: {difference.line}", style="red")
    score()
    if version := erase.forget_scores():
        console.print(f"! {erase.scores_left(version)}", style="yellow")
    summary(report, done, time.monotonic() - began)
    return 1 if report.stopped else 0


def score() -> None:
    """Export the champion's scores on the new publication. Without a champion a line says so; a failed export leaves the old scores."""
    from importlib.util import find_spec

    store = paths.var() / "mlflow" / "mlflow.db"
    if not store.is_file():
        console.print("– Score: skipped, no model was trained yet (make train)")
        return
    if find_spec("ml.matching.export") is None:
        console.print("– Score: skipped, the models' code is not installed here")
        return
    with stage("Score") as now:
        ended = subprocess.run(
            [sys.executable, "-m", "ml.matching.export"], cwd=paths.REPO, env=dict(os.environ), capture_output=True, text=True, check=False
        )
        told = (ended.stdout if ended.returncode == 0 else ended.stderr).strip().splitlines()
        now.result = (
            (told or ["done"])[-1]
            if ended.returncode == 0
            else f"kept the old scores, the export ended with {ended.returncode}: {(told or [''])[-1]}"
        )


def summary(report: Report, done: Publication, seconds: float) -> None:
    """Rows, seconds, drift, publish id; and what needs somebody."""
    for warning in report.warnings:
        console.print(f"! {warning}", style="yellow")
    for stopped in report.stopped:
        console.print(f"✗ stopped: {stopped.stopped}", style="red")
    rows, drift = sum(t.rows + t.deletes for t in report.tables), sum(t.drift for t in report.tables)
    repaired = sum(t.repaired for t in report.tables)
    console.print(compared(report))
    console.print(
        f"run {report.run_seq} · {rows} rows extracted ({repaired} of them by reconciliation) · drift {drift} ·"
        f" {sum(done.rows.values())} rows published · {seconds:.1f} s · publish id {done.publish_id}"
    )


def compared(report: Report) -> str:
    """How old the comparison of the tables with the source is."""
    at = [table.compared for table in report.tables if table.compared]
    if not at:
        return "compared with the source: no table yet"
    oldest = min(at)
    now = sum(moment == report.at for moment in at)
    told = f"compared with the source: {now} of {len(report.tables)} tables now"
    return told if now == len(report.tables) else f"{told}, the oldest comparison is {_age(report.at - oldest)} old"


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _told(work: Callable[[], int]) -> int:
    """`work`, whose failure somebody is told of."""
    try:
        return work()
    except Exception as failure:
        outcomes.tell_failure(failure)
        raise


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--full-refresh", action="store_true", help="read every source row again and build everything anew")
    parser.add_argument("--reconcile", action="store_true", help="compare every key block with the source, due or not")
    options = parser.parse_args(arguments)
    alerts.speak()
    return refusals.command(
        lambda: _told(lambda: round_of_pipeline(full_refresh=options.full_refresh, reconcile=options.reconcile)),
        prefix="not published",
        tell=in_red,
    )


if __name__ == "__main__":
    sys.exit(main())
