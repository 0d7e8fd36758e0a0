"""What the storms have in common: writers at work, processes of the pipeline killed at random, a reader of every publication, and the quiet at the end.

A storm brings its writers, the processes it starts, what must hold in every publication, and what must be equal when nobody writes any more.
It is quiet or stamped. In a quiet one some writers change rows and leave no stamp, and each round compares every row with the source, which alone
finds them. In a stamped one all leave a stamp or a tombstone, rounds go by these alone, and no comparison may ever find anything to mend.
All it draws by lot comes from its seed, which brings the same acts again; the moments at which they meet are not the same.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

REPO = Path(__file__).resolve().parents[2]
ROUND = ("-m", "pipelines.run")
ENVIRONMENT = {
    "COLUMNS": "300",
    # what a killed process said is in the log, not in its buffer
    "PYTHONUNBUFFERED": "1",
    # the gate would set aside what a storm does, as it should
    "OPENLANCE_PLATFORM__QUALITY__LEAST_BATCH": "1000000000",
    "OPENLANCE_PLATFORM__QUALITY__LEAST_RUNS": "1000000000",
    # every relation is compared with the source after the storm, and none rests
    "OPENLANCE_PLATFORM__MARTS__TRAINING_SECONDS": "0",
}
#: A round's exit code when it published nothing: a dbt that lost its parent may still hold the work file.
REFUSED = 2
_COMPARED = "OPENLANCE_PLATFORM__LOOP__RECONCILE_SECONDS"
#: What a round was at when it was killed, by the number of stages it had told to be done.
_STAGES = ("in extraction", "in dbt", "in publishing", "after publishing")


@dataclass(kw_only=True)
class Storming(ABC):
    """One storm. `env` is that of the pipeline's processes, `folder` their OPENLANCE_VAR; what is wrong is told in `failures`, and ends the storm."""

    folder: Path
    seed: int
    env: dict[str, str]
    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    #: publication → what it showed
    seen: dict[str, Any] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    #: whether some writers leave no stamp
    quiet: bool = True
    #: seconds that the last whole round took: kills are spread over them
    length: float = 0.0

    # ----------------------------------------------------------------------- what a storm brings

    @abstractmethod
    def write(self, number: int) -> None:
        """One writer, until the storm is over; it leaves no transaction open."""

    @abstractmethod
    def add_columns(self) -> None:
        """A nullable column now and then, until the storm is over."""

    @abstractmethod
    def consistent(self, db: duckdb.DuckDBPyConnection, name: str) -> Any:
        """Look for halves in an open publication; returns what it shows."""

    @abstractmethod
    def compare(self) -> None:
        """Compare source, raw log and marts: nobody writes, and the last round ended well."""

    def blow(self, random_: random.Random) -> None:
        """One process of the pipeline, perhaps killed."""
        killed = random_.uniform(0, 1.1 * self.length) if random_.random() < 0.7 else None
        self.round(kill_after=killed, alone=random_.random() < 0.2)

    # ----------------------------------------------------------------------- the storm

    def rage(self, seconds: float, *, writers: int = 3, kills: int = 1) -> None:
        """Everything at once, for so long and until so many processes were killed; at the end no transaction is open."""
        self.over.clear()
        guarded = [*((self.write, (n,)) for n in range(writers)), (self.add_columns, ()), (self._watch, ())]
        threads = [threading.Thread(target=self._guard, args=(work, *more)) for work, more in guarded]
        random_, began = random.Random(f"{self.name}/kills"), time.monotonic()
        for thread in threads:
            thread.start()
        try:
            self.round()
            while (time.monotonic() < began + seconds or self.killed < kills) and not self.failures:
                self.blow(random_)
        finally:
            self.over.set()
            for thread in threads:
                thread.join()

    def settle(self) -> None:
        """With nobody writing, the next round that ends publishes exactly what the source holds."""
        for _ in range(5):
            if self.round() == 0:
                break
        else:
            self.failures.append(f"no round ends well any more; see {self.folder / 'rounds.log'}")
            return
        self.look()
        # what stays for a rollback is whole, too
        for file in sorted((self.folder / "published" / "staff").glob("marts-*.duckdb")):
            with duckdb.connect(str(file), read_only=True) as db:
                self.consistent(db, file.name)
                self.done["kept publication looked at"] += 1
        self.compare()
        if not self.quiet:
            self._nothing_mended()

    def _nothing_mended(self) -> None:
        with duckdb.connect(str(self.folder / "work" / "warehouse.duckdb"), read_only=True) as work:
            mended = work.execute(
                'SELECT "table", sum(repaired) FROM raw._runs GROUP BY ALL HAVING sum(repaired) > 0 ORDER BY ALL'
            ).fetchall()
        if mended:
            self.failures.append(f"rows that reading by stamps and tombstones had missed: {mended}")

    @property
    def name(self) -> str:
        """What everything drawn by lot comes from."""
        return f"{self.seed}/{'quiet' if self.quiet else 'stamped'}"

    @property
    def killed(self) -> int:
        """Processes that were killed."""
        return sum(count for what, count in self.done.items() if " killed " in what)

    def round(self, *, kill_after: float | None = None, alone: bool = False) -> int:
        """One run of the pipeline; see `command`."""
        return self.command(*ROUND, *(["--reconcile"] if self.quiet else []), kill_after=kill_after, alone=alone)

    def command(self, *arguments: str, kill_after: float | None = None, alone: bool = False, env: dict[str, str] | None = None) -> int:
        """One process, killed after so many seconds with all its children (`alone`: without them); its output is in rounds.log."""
        with (self.folder / "rounds.log").open("a+", errors="replace") as log:
            log.write(f"$ {' '.join(arguments)}\n")
            log.flush()
            told_before, began, whole = log.tell(), time.monotonic(), arguments[: len(ROUND)] == ROUND
            what = arguments[1] if arguments[0] == "-m" else "other process"
            run = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=REPO,
                env=self.env | {_COMPARED: "0.001" if self.quiet else "1000000"} | (env or {}),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = run.wait(kill_after)
                self.done[f"{what} ended with {code}"] += 1
                if whole and code == 0:
                    self.length = time.monotonic() - began
                elif code and not (whole and code == REFUSED):
                    self.failures.append(f"{what} ended with {code}; see {log.name}")
            except subprocess.TimeoutExpired:
                if alone:
                    run.kill()
                else:
                    os.killpg(run.pid, signal.SIGKILL)
                code = run.wait()
                log.seek(told_before)
                where = _STAGES[min(log.read().count("✓"), 3)] if whole else "somewhere"
                self.done[f"{what} killed {where}{', its children left' if alone else ''}"] += 1
            finally:
                if run.poll() is None:  # the storm itself is asked to end
                    os.killpg(run.pid, signal.SIGKILL)
        return code

    # ----------------------------------------------------------------------- readers

    def look(self) -> None:
        """Look at the current publication, once a publication."""
        from pipelines import marts_reader

        with contextlib.suppress(marts_reader.NothingPublished):
            if marts_reader.current(self.folder / "published").publish_id in self.seen:
                return
            with marts_reader.connect(self.folder / "published") as db:
                [(name,)] = db.execute("SELECT publish_id FROM _meta.publish").fetchall()
                self.seen[name] = self.consistent(db, name)

    def _watch(self) -> None:
        while not self.over.wait(0.1):
            self.look()

    def _guard(self, work: Callable[..., None], *more: Any) -> None:
        try:
            work(*more)
        except BaseException as wrong:
            self.failures.append(f"{work.__name__}: {wrong!r}")
            raise

    def story(self) -> str:
        """What happened, in a few lines."""
        acts = ", ".join(f"{count} × {what}" for what, count in sorted(self.done.items()))
        return f"{self.name}: {acts}\n{self.killed} processes killed, {len(self.seen)} publications looked at"


def parser(about: str | None, seconds: float) -> argparse.ArgumentParser:
    """The options that every storm has; `about` is what --help says."""
    options = argparse.ArgumentParser(description=about, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--seconds", type=float, default=seconds)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options.add_argument("--stamped", action="store_true", help="all writers leave stamps or tombstones, and rounds go by these alone")
    return options


def begin(seed: int) -> None:
    """Tell the seed first: a storm that breaks off can be repeated."""
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()


def verdict(storm: Storming, home: Path, well: str) -> int:
    """Tell the story and what is wrong, or that all is `well`; returns the exit code. `home` stays when something is wrong."""
    sys.stdout.write("\n".join([storm.story(), *(storm.failures or [well])]) + "\n")
    if storm.failures:
        return 1
    shutil.rmtree(home)
    return 0
