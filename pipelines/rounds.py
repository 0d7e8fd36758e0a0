"""The steps of a round, for whoever takes them: the one-off command (run), the resident loop (loop), Dagster.

Each step holds the round's lock, so that they may meet on one machine; each leaves something whole for the next, so that a round may
be cut between any two of them. What a step's checks found is told by the step itself, so that everybody who takes it tells the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from . import affected, erase, files, outcomes, paths, transform
from .affected import Work
from .extract import erasure
from .extract.compact import Compacted, compact
from .extract.contracts import load_all
from .extract.run import Report, Span, extract
from .publish import Publication, publish
from .quality import Gate, incidents, waiting_tables
from .quality.published import Difference, settled_differences
from .settings import load
from .transform import Runner, Selection, cold

Progress = Callable[[str], None]
#: How long a step waits for another's to end.
PATIENCE_SECONDS = 300.0


def quiet(detail: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Build:
    """What a build did. `summary` is dbt's own line of counts."""

    work: Work
    summary: str


@outcomes.Step("extract")
def extracted(
    *,
    full_refresh: bool = False,
    reconcile: bool | timedelta = True,
    prove: bool = False,
    reread: Mapping[str, Span | None] | None = None,
    progress: Progress = quiet,
) -> Report:
    """Bring the raw log up to the source, and take out of it whom the product has erased. `reconcile`, `prove`, `reread`: see extract."""
    with files.lock(paths.round_lock(), wait_seconds=PATIENCE_SECONDS):
        gate = Gate(load().quality)
        report = extract(
            full_refresh=full_refresh,
            reconcile=reconcile,
            prove=prove,
            reread=reread,
            gate=gate,
            progress=progress,
            forget=erase.forget_made_of,
        )
        erase.begin(load_all(), behind=waiting_tables())
    outcomes.tell_tables(report)
    return report


@outcomes.Step("compact")
def compacted() -> list[Compacted]:
    """Merge the log's files and fold what is past its days. No build loses files that it reads: they have ended, or wait."""
    with files.lock(paths.round_lock(), wait_seconds=PATIENCE_SECONDS):
        return compact()


@outcomes.Step("build")
def built(
    *,
    full_refresh: bool = False,
    only_affected: bool = False,
    every_run: bool = False,
    retry: bool = False,
    runner: Runner = cold,
    progress: Progress = quiet,
) -> Build:
    """Build the marts, all of them or those that a change reached. Raises transform.BuildFailed; what was built well counts also then.

    `every_run`: also what tells of runs that brought nothing.
    """
    try:
        done = _built(full_refresh, only_affected, every_run, retry, runner, progress)
    except transform.BuildFailed:
        outcomes.tell_build()
        raise
    outcomes.note_built()
    return done


def _built(full_refresh: bool, only_affected: bool, every_run: bool, retry: bool, runner: Runner, progress: Progress) -> Build:
    with files.lock(paths.round_lock(), wait_seconds=PATIENCE_SECONDS):
        work = affected.choose(held=_waiting(), every_run=every_run)
        if work.nothing and only_affected:
            return Build(work, "nothing to build")
        # a whole build leaves out what is made from tables that wait, too
        standing = work.selection.held if work.selection else ()
        selection = work.selection if only_affected else Selection((), standing) if standing else None
        summary = ""
        try:
            whole = full_refresh or work.project_changed
            if whole:
                affected.forget(selection)
            for line in transform.build(full_refresh=whole, retry=retry, selection=selection, runner=runner):
                progress(line)
                if "Done. PASS=" in line:
                    summary = line.split("Done. ", 1)[1]
                elif line.startswith(transform.TESTED):
                    summary += f"; {line[0].lower()}{line[1:]}"
        finally:
            affected.mark(work)
    return Build(work, summary)


@outcomes.Step("publish")
def published(*, progress: Progress = quiet) -> Publication:
    """Audit, write, switch; publications that still tell of somebody erased go. Raises AuditError; readers then keep what they have."""
    with files.lock(paths.round_lock(), wait_seconds=PATIENCE_SECONDS):
        done = publish(held=affected.standing(_waiting()), progress=progress)
        erase.finish()
    incidents.went_well()
    return done


def _waiting() -> list[str]:
    """Tables that wait; none while somebody has left the log and not yet the publications, which nothing of before may outlive."""
    return [] if erasure.unfinished() else waiting_tables()


@outcomes.Step("compare")
def compared() -> list[Difference] | None:
    """Published files against the marts they were made from; None when something was built since. It reads every published row twice."""
    return settled_differences(wait_seconds=PATIENCE_SECONDS)
