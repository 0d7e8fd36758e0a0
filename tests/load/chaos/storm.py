"""The faults of the chaos bench: rounds of tellers at work, of whom some are killed, some are cut off, and the server is killed under all of them.

A fault counts as interrupting when the process was inside an act at that moment: by its journal and its pipe for a kill; by the error that this very
act then got for a cut and for the server's death; always for the gateway's, whose calls are parts of acts.
"""

from __future__ import annotations

import os
import random
import re
import select
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.webapp.races.bank import Bank, ended

from . import deals, tellers
from .tellers import Post, Teller, read_journal

CLERK = 9
#: how long a fault waits for the step at which it is to strike
PATIENCE = 3.0


@dataclass
class Tally:
    """What a run came to."""

    faults: Counter[str] = field(default_factory=Counter)
    interrupting: Counter[str] = field(default_factory=Counter)
    acts: int = 0
    refused: int = 0
    broken: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return sum(self.interrupting.values()) / max(1, sum(self.faults.values()))

    @property
    def violations(self) -> int:
        return len(self.broken)

    @property
    def wrong(self) -> int:
        """Whatever the checks found."""
        return self.violations + len(self.lost) + len(self.doubled)

    def fault(self, kind: str, interrupts: bool) -> None:
        self.faults[kind] += 1
        self.interrupting[kind] += interrupts


class Worker:
    """One process at work, and how far it said it is."""

    def __init__(self, bank: Bank, post: Post, folder: Path) -> None:
        self.post, self.journal = post, folder / f"lane{post.lane}.journal"
        self.read, writing = os.pipe()

        def act() -> None:
            teller = Teller(post, self.journal, writing)
            teller.serve() if post.lane == CLERK else teller.work()

        self.pid = bank.process(act)
        os.close(writing)
        self._rest = b""
        self.line: str | None = None
        self.act: str | None = None
        self.last, self.errors = "", list[str]()

    @property
    def inside(self) -> bool:
        """In an act, and not waiting to try it again."""
        return self.act is not None and self.last != "E"

    def hear(self, tally: Tally) -> bool:
        """Read what it says; False at its end."""
        said = os.read(self.read, 65536)
        *lines, self._rest = (self._rest + said).split(b"\n")
        for line in lines:
            mark, _, what = line.decode().partition(" ")
            self.last = mark
            if mark == "N":
                self.line = what
            elif mark == "B":
                self.act = what
            elif mark in "DRX":
                self.act = None
            elif mark == "E" and self.act is not None and int(what) in tellers.GONE:
                self.errors.append(self.act)
            elif mark == "F":
                tally.fault(f"gateway {what.split()[0]}", self.act is not None)
        return bool(said)


class Storm:
    """Rounds on one bank. `locks` off is the control."""

    def __init__(
        self, bank: Bank, folder: Path, *, seed: int, lanes: int, locks: bool, tell: Callable[[str], None], durable: bool = False
    ) -> None:
        self.bank, self.folder, self.seed, self.lanes, self.locks, self.tell = bank, folder, seed, lanes, locks, tell
        self.durable = durable
        self.tally = Tally()
        self.workers: dict[int, Worker] = {}

    # --- hearing
    def pump(self, seconds: float = 0.0) -> None:
        """Hear everybody for so long, at least once."""
        end = time.monotonic() + seconds
        while True:
            by_pipe = {w.read: w for w in self.workers.values()}
            ready, _, _ = select.select(list(by_pipe), [], [], max(0.0, min(0.02, end - time.monotonic())))
            for pipe in ready:
                if not by_pipe[pipe].hear(self.tally):
                    raise RuntimeError(f"the process of lane {by_pipe[pipe].post.lane} is gone by itself")
            if time.monotonic() >= end:
                return

    def until(self, there: Callable[[], bool]) -> bool:
        """Hear everybody until it is so; False when patience ends."""
        end = time.monotonic() + PATIENCE
        while not there():
            if time.monotonic() > end:
                return False
            self.pump(0.001)
        return True

    # --- faults
    def kill_one(self, dice: random.Random) -> None:
        """At the step of its act that the dice say, and so many steps later."""
        worker = self.workers[dice.choice(list(self.workers))]
        mark = dice.choices("BWCAGg", (1, 6, 4, 3, 2, 2))[0]
        self.until(lambda: worker.inside and worker.last == mark)
        os.kill(worker.pid, signal.SIGKILL)
        assert ended(worker.pid) == -signal.SIGKILL
        while worker.hear(self.tally):
            pass
        os.close(worker.read)
        open_act = worker.inside
        if worker.post.lane != CLERK:
            open_act = open_act and "I" in list(read_journal(worker.journal).values())
        self.tally.fault("process killed", open_act)
        self.post(worker.post.lane, worker.post.incarnation + 1)

    def cut_one(self, dice: random.Random) -> None:
        """The server ends the connection of one that is writing in a transaction."""
        worker = self.workers[dice.choice(list(self.workers))]
        self.until(lambda: worker.inside and worker.last in "WC" and worker.line is not None)
        act, before = worker.act, len(worker.errors)
        try:
            with self.bank.connect().cursor() as cursor:
                cursor.execute(f"KILL CONNECTION {int(worker.line or 0)}")
        except Exception as e:  # it is gone by itself meanwhile: no fault was done
            if "Unknown thread" in str(e):
                return
            raise
        self.until(lambda: len(worker.errors) > before or worker.act != act)
        self.tally.fault("connection cut", act is not None and worker.errors[before:].count(act) > 0)

    def kill_the_server(self) -> None:
        """While at least two are writing; it starts again at once."""
        self.until(lambda: sum(w.inside and w.last in "WCA" for w in self.workers.values()) >= 2)
        acts = {lane: w.act for lane, w in self.workers.items() if w.inside}
        before = {lane: len(w.errors) for lane, w in self.workers.items()}
        self.bank.kill()
        self.pump(0.05)
        self.bank.start(durable=self.durable)
        self.pump(0.05)
        hit = [lane for lane, act in acts.items() if act in self.workers[lane].errors[before[lane] :]]
        self.tally.fault("server killed", bool(hit))

    # --- rounds
    def post(self, lane: int, incarnation: int = 0) -> None:
        self.workers[lane] = Worker(self.bank, Post(lane=lane, incarnation=incarnation, **self.about), self.here)

    def round(self, n: int, *, kills: int, cuts: int, server: bool = True, seconds: float = 0.0) -> None:
        """Work under faults, then recovery and every check."""
        dice = random.Random(f"{self.seed}:storm:{n}")
        self.here = self.folder / f"round{n}"
        self.here.mkdir(parents=True)
        own, shared = 60, 40
        lanes = range(1, self.lanes + 1)
        numbers = [n * deals.ROUND + lane * deals.LANE + i for lane in lanes for i in range(own)]
        numbers += [n * deals.ROUND + deals.SHARED * deals.LANE + i for i in range(shared)]
        self.bank.run(lambda: deals.lay(numbers, seed=self.seed))
        self.about = {"seed": self.seed, "round": n, "locks": self.locks, "began": time.time(), "shared": shared, "own": own}
        self.workers = {}
        try:
            for lane in (*lanes, CLERK):
                self.post(lane)
            self.pump(0.15)
            faults = [self.kill_one] * kills + [self.cut_one] * cuts
            dice.shuffle(faults)
            for fault in faults:
                fault(dice)
                self.pump(dice.uniform(0.0, 0.05))
            self.pump(seconds)
            if server:
                self.kill_the_server()
                self.pump(0.1)
        finally:
            self.close()
        self.check(n)

    def close(self) -> None:
        """Let everybody end their act and go."""
        (self.here / "stop").touch()
        for worker in self.workers.values():
            while worker.hear(self.tally):
                pass
            os.close(worker.read)
            if (code := ended(worker.pid)) != 0:
                raise RuntimeError(f"lane {worker.post.lane} ended with {code}")

    # --- checks
    def check(self, n: int) -> None:
        """What must be so before recovery, the recovery, and what must be so after it."""
        journals = [read_journal(self.here / f"lane{lane}.journal") for lane in range(1, self.lanes + 1)]
        seed, locks = self.seed, self.locks
        begun = [key for journal in journals for key in journal]
        acknowledged = {key for journal in journals for key, mark in journal.items() if mark == "D"}

        def books() -> dict[str, deals.Left]:
            found = deals.Books(seed, begun)
            return {key: found.left(key) for key in found.keys}

        before = self.bank.ask(books)
        wrong = set(self.bank.ask(lambda: tellers.broken(locks)))
        lost = {key for key in acknowledged if 0 in before[key][0].values()}
        said = self.bank.ask(lambda: tellers.replay(seed, locks, journals))
        after = self.bank.ask(books)
        wrong |= set(self.bank.ask(lambda: tellers.broken(locks) + tellers.differs_from_the_gateway()))
        wrong |= {f"{key} failed" for marks in (*journals, said) for key, mark in marks.items() if mark == "X"}
        doubled = set()
        for key, left in after.items():
            counts = [*left[0].values(), *left[1].values()]
            refused = deals.rivals(seed, key) and said[key] == "R"
            if not refused and said[key] == "R":
                wrong.add(f"{key} was refused")
            if any(c > 1 for c in counts):
                doubled.add(f"{key} {left}")
            elif any(counts) if refused else 0 in counts:
                lost.add(f"{key} {left}")
        seen = {re.sub(r" \(.*", "", w) for w in wrong}
        self.tally.acts += len(begun)
        self.tally.refused += sum(mark == "R" for mark in said.values())
        self.tally.broken += sorted(wrong - set(self.tally.broken))
        self.tally.lost += sorted(lost)
        self.tally.doubled += sorted(doubled)
        t = self.tally
        self.tell(
            f"round {n}: {sum(t.faults.values())} faults, {t.share:.0%} interrupting, {t.acts} acts; "
            f"{t.violations} violations, {len(t.lost)} lost, {len(t.doubled)} doubled"
            + (f"; {', '.join(sorted(seen))[:300]}" if seen else "")
        )
