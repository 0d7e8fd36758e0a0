"""Erase from the platform whom the product has erased: raw files, marts, published files, and so every later training set.

    python -m pipelines.erase [--again]

Every round does it (rounds.extracted, rounds.published): this is one round that reads everything, for whoever cannot wait or wants to be told.
The work file is made anew out of the log (a database file keeps what was deleted in pages that it has not used again), what Spark built of the
log of before is removed, and so are publications of before: there is no way back to them. Copies of batches that were set aside go too, and score
bundles with features of before, but the one that is served: it goes once a newer one is loaded. A crash leaves the accounts due, and the next round
goes on. Models that learnt from a person's rows forget them when they are next trained; the registry keeps only the newest (ml.matching.registry).

Exit codes: 0 nothing is due any more; 1 somebody waits (a table is stopped or set aside); 2 something could not be erased (the message says what).
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from collections.abc import Collection

from . import files, paths, refusals, scale_out
from .extract import erasure
from .extract.contracts import Contract, load_all
from .extract.log import Log, expose
from .failpoints import failpoint
from .publish import bundles, forget_earlier
from .quality import alerts, waiting_tables
from .quality.quarantine import forget_copies


def begin(contracts: list[Contract], *, behind: Collection[str] = (), again: bool = False) -> list[erasure.Due]:
    """Take whoever is due out of the raw log, and throw the work file away; returns who that was. Call it under the round's lock.

    What is built and published from then on tells nothing of them; `finish` is to be called after it. Nobody is taken out while the log is
    `behind` in any table: what it holds as present there may not be blank yet, and what is made of that table stands still, so that a work file
    made anew would lack it and nothing could be published. `again`: also those taken out before.
    """
    found = erasure.due(contracts, again=again)
    if late := sorted(behind):
        if found:
            why = f"{len(found)} closed accounts wait to be erased until the log has caught up with {', '.join(late)}"
            alerts.tell("erasure waits", [alerts.fault(late[0], "erasure", why, rows=len(found))])
        return []
    if found:
        erasure.erase_raw([one.user_id for one in found], contracts)
        failpoint("erase.after_raw")
        forget_work()
        forget_copies(contract.table for contract in contracts if contract.people)
        expose(Log(paths.raw()), contracts, paths.warehouse())
        erasure.record(found)
    return found


def forget_made_of(tables: Collection[str]) -> None:
    """Columns of these tables leave the log: what was made of it, or set aside, goes before them. Call it under the round's lock."""
    forget_work()
    forget_copies(tables)


def finish() -> int:
    """New marts are published: those of before go, and it is noted that nothing is left. Returns of how many people; call it under the lock."""
    failpoint("erase.before_forgetting")
    waiting = erasure.unfinished()
    if waiting:
        forget_earlier()
        erasure.record_finished(waiting)
    forget_scores()
    return len(waiting)


def forget_scores() -> str:
    """Remove score bundles of publications from before the last erasure; returns the version of one that has to stay because it is served, or ""."""
    moment = erasure.last()
    return bundles.forget_before(moment) if moment else ""


def scores_left(version: str) -> str:
    """What to tell of such a version."""
    return (
        f"the scores that are served, {version}, are of before an erasure: export newer ones (python -m ml.matching.export) and load them"
        " (manage.py load_bundle matching); the next publication, or python -m pipelines.erase, then removes these"
    )


def forget_work() -> None:
    """Remove the work file and what belongs to it, what dbt said of its builds (it quotes rows), and all that Spark made: whoever wants the models
    there builds them anew."""
    scale_out.forget()
    shutil.rmtree(paths.dbt_target(), ignore_errors=True)
    work = paths.warehouse()
    for path in work.parent.glob(f"{work.name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.erase", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--again", action="store_true", help="also those who were erased before: should the product have been late with a part"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.CRITICAL)
    return refusals.command(lambda: _round(again=options.again), prefix="not erased")


def _round(*, again: bool) -> int:
    from . import rounds

    rounds.extracted(reconcile=True)
    if again:
        with files.lock(paths.round_lock(), wait_seconds=rounds.PATIENCE_SECONDS):
            begin(load_all(), behind=waiting_tables(), again=True)
    people = len(erasure.unfinished())
    if people:
        rounds.built()
        rounds.published()
    sys.stdout.write(f"{people} closed accounts erased from raw files, marts and publications\n")
    if version := forget_scores():
        sys.stdout.write(f"{scores_left(version)}\n")
    return 1 if erasure.due(load_all()) else 0


if __name__ == "__main__":
    sys.exit(main())
