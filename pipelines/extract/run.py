"""One run of the extraction. The command (`python -m pipelines.extract.run`) is pipelines.extraction: it reads as a round does."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import duckdb
import pyarrow as pa

from .. import paths
from ..failpoints import failpoint
from ..refusals import Refused, discreet
from ..rows import insert
from . import sources
from .changes import Changes, Differences, DriftError, work_connection
from .contracts import Contract, ContractError, compare, load_all
from .load import first_load
from .log import (
    BLOCKS,
    FINDINGS,
    INCIDENTS,
    OWN,
    ROWS,
    RUNS,
    RUNS_COLUMNS,
    CorruptError,
    Entry,
    Log,
    Manifest,
    current,
    expose,
    log_columns,
    select,
    utc,
)
from .shape import keep_to, shape
from .watermark import STUCK, high_mark, mark, text

logger = logging.getLogger(__name__)
TOMBSTONES = "core_deletedrow"
#: Keys from the first up to and without the second.
Span = tuple[int, int]
NO_KEYS: Span = (0, 0)
#: The check that found rows which differ from the source.
DRIFT = "drift"


class Reach(NamedTuple):
    """How far a run looked at a table. `beyond`: rows may be in the batch of which neither a stamp since the mark nor a tombstone tells, so that
    a run that goes by these alone does not see them again; `compared`: every row was compared with the source.
    """

    beyond: bool = False
    compared: bool = False


class Gate(Protocol):
    """Looks at what a run is about to write to the log (pipelines.quality has one)."""

    def inspect(
        self,
        db: duckdb.DuckDBPyConnection,
        contract: Contract,
        history: str,
        runs: str,
        counts: tuple[int, int],
        run_seq: int,
        at: datetime,
        reach: Reach,
    ) -> str:
        """ "" when the table `staged` may enter the log, else why it may not: the table then keeps its mark. `history`, `runs`: SQL of the log."""

    def findings(self) -> list[tuple[Any, ...]]:
        """What was odd in this run: (table, check, column, severity, value, threshold, rows, message)."""

    def incidents(self) -> list[tuple[Any, ...]]:
        """What failed in earlier rounds and the log does not have yet: INCIDENTS_COLUMNS but for the run and its instant."""

    def committed(self) -> None:
        """What was let in, and what was told, is in the log."""


class NoContract(Refused, ValueError):
    """A table is asked for that no contract names."""


class SetAside(RuntimeError):
    """The gate kept a batch out of the log."""


@dataclass
class TableResult:
    """What a run did to one table. `rows` and `deletes` went into the log; `repaired` of them only reconciliation found.

    `held`: stopped by the gate, not by a fault.
    """

    table: str
    low: str | None = None
    rows: int = 0
    deletes: int = 0
    repaired: int = 0
    drift: int = 0
    #: The rows that `repaired` counts; of a table with `drift`, those that still differ.
    unlike: Differences = field(default_factory=Differences)
    seconds: float = 0.0
    #: When every row of the table was last compared with the source.
    compared: datetime | None = None
    #: After a proof: (rows, checksum) of the whole table, the same in source and log.
    proof: tuple[int, int] | None = None
    stopped: str = ""
    held: bool = False


@dataclass
class Report:
    """One run: the tables, and what somebody should look at."""

    run_seq: int
    high: datetime
    #: When the run looked at the source, by the source's clock (UTC).
    at: datetime
    tables: list[TableResult] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def stopped(self) -> list[TableResult]:
        return [result for result in self.tables if result.stopped]


def extract(
    *,
    contracts: list[Contract] | None = None,
    full_refresh: bool = False,
    reconcile: bool | timedelta = True,
    prove: bool = False,
    reread: Mapping[str, Span | None] | None = None,
    chunk: int = sources.CHUNK,
    gate: Gate | None = None,
    progress: Callable[[str], None] = lambda table: None,
    forget: Callable[[list[str]], None] = lambda tables: None,
) -> Report:
    """Bring the raw log up to the source's present state and show it in the work file.

    After it, every row that was committed before the run's snapshot is in the log, except in tables the report calls stopped;
    rows committed later are in a later run's. Tables of `reread` are read again whatever their stamps say: their keys within the span, or all.
    `reconcile` compares every key block with the source: of all tables, of none, or of those whose last comparison is that old.
    With `prove` every row of every table is compared. Before columns leave the log that contracts take no more (shape.keep_to), `forget` is told
    of their tables: what was made of the log before has them too. Raises NoContract for a table that has none, files.Busy when another extraction is at work.
    """
    contracts = load_all() if contracts is None else contracts
    if unknown := sorted(set(reread or ()) - {contract.table for contract in contracts}):
        raise NoContract(f"no contract for {', '.join(unknown)}")
    log = Log(paths.raw())
    with log.lock(), sources.connect() as source:
        manifest = log.manifest()
        log.clean(manifest)
        found = {contract.table: compare(contract, source.columns(contract.table), typed=source.typed) for contract in contracts}
        # what cannot be read keeps what it has: the columns that come instead are not there yet
        keep_to([contract for contract in contracts if not found[contract.table].violations], log, manifest, forget)
        look = source.look()
        failpoint("extract.after_look")
        with source.snapshot() as snapshot:
            high, remembered = high_mark(look, manifest.look)
            manifest.run_seq += 1
            manifest.look = remembered
            report = Report(
                manifest.run_seq, high, look.t0, warnings=[warning for comparison in found.values() for warning in comparison.warnings]
            )
            if look.t0 - look.oldest > STUCK:
                report.warnings.append(
                    f"a transaction has been open since {text(look.oldest)} (UTC): the marks wait for it, so each run reads again from there;"
                    " nothing is lost. Find it in information_schema.innodb_trx"
                )
            run = _Run(
                log, manifest, snapshot, source.typed, look.t0, text(high), full_refresh, reconcile, chunk, gate, prove, reread or {}
            )
            for contract in contracts:
                progress(contract.table)
                log.keep()
                report.tables.append(run.table(contract, found[contract.table].violations))
        run.finish(report)
        if gate:
            gate.committed()
        expose(log, contracts, paths.warehouse())
        log.clean(manifest)
    for warning in report.warnings:
        logger.warning("%s", warning)
    return report


@dataclass
class _Run:
    log: Log
    manifest: Manifest
    snapshot: sources.Snapshot
    incremental: bool
    t0: datetime
    high: str
    full_refresh: bool
    reconcile: bool | timedelta
    chunk: int
    gate: Gate | None = None
    prove: bool = False
    reread: Mapping[str, Span | None] = field(default_factory=dict)
    staged: dict[str, Path] = field(default_factory=dict)
    #: Tables of which rows were deleted, ever.
    buried: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.db = work_connection(self.log.staging)
        self.db.execute("CREATE TEMP TABLE tombstones (table_name VARCHAR, row_id BIGINT)")

    def table(self, contract: Contract, violations: list[str]) -> TableResult:
        """Read one table into a staged file; a stopped table leaves its mark and its files as they were."""
        began = time.monotonic()
        entry = self.manifest.tables.setdefault(contract.table, Entry())
        result = TableResult(contract.table, low=entry.low)
        try:
            if violations:
                raise ContractError("; ".join(violations))
            self._read(contract, entry, result)
        except (ContractError, DriftError, CorruptError, pa.ArrowException, duckdb.ConversionException) as stop:
            # what could not be converted is quoted: the run's own record would keep it
            told = discreet(str(stop)) if isinstance(stop, pa.ArrowException | duckdb.Error) else str(stop)
            result.stopped = f"{contract.table}: {told}" if contract.table not in told else told
            entry.stopped = True
            if isinstance(stop, DriftError):
                result.drift, result.unlike = 1, stop.unlike
                entry.differs = ROWS if self.prove or entry.differs == ROWS else BLOCKS
            logger.error("stopped: %s", result.stopped)
        except SetAside as kept_out:
            result.stopped, result.held, result.rows, result.deletes, result.repaired = f"{contract.table}: {kept_out}", True, 0, 0, 0
        result.seconds = time.monotonic() - began
        return result

    def _read(self, contract: Contract, entry: Entry, result: TableResult) -> None:
        held = self.log.paths(self.manifest, contract.table)
        if self.incremental and entry.low is None and not held:
            path = self._load(contract, result)
        else:
            path = self._follow(contract, entry, held, result)
        if path:
            self.staged[contract.table] = path
        if contract.table == TOMBSTONES:
            alive = current([*held, *([path] if path else [])], contract)
            self.db.execute(f"INSERT INTO tombstones SELECT table_name, row_id FROM ({alive}) WHERE _op = 'u'")
            self.buried = {table for (table,) in self.db.execute("SELECT DISTINCT table_name FROM tombstones").fetchall()}
        entry.low = self.high if entry.low is None else max(entry.low, self.high)
        entry.stopped = False
        if result.compared:
            entry.compared, entry.differs = text(result.compared), ""
        elif entry.compared:
            result.compared = mark(entry.compared)
        entry.columns = shape(contract)

    def _is_due(self, entry: Entry) -> bool:
        """Whether the table is to be compared with the source. One that differed stays due in each run, whoever asks for it; so is one never compared."""
        if entry.differs or entry.compared is None:
            # a proof is more than that
            return not self._is_to_prove(entry)
        if not isinstance(self.reconcile, timedelta):
            return self.reconcile
        return not self.incremental or abs(self.t0 - mark(entry.compared)) >= self.reconcile

    def _is_to_prove(self, entry: Entry) -> bool:
        """Whether every row is to be compared: where that is asked for, or was what found a difference."""
        return self.prove or entry.differs == ROWS

    def _load(self, contract: Contract, result: TableResult) -> Path | None:
        """The first time: every row as it is. Nothing is left to reconcile, since the source's checksums were compared."""
        path = self.log.staged_path(contract.table)
        result.rows = first_load(self.db, self.snapshot, contract, path, self.manifest.run_seq, self.t0, self.chunk)
        result.compared = self.t0
        return path if result.rows else None

    def _follow(self, contract: Contract, entry: Entry, held: list[Path], result: TableResult) -> Path | None:
        """What changed since the mark, and what was deleted."""
        again = self.reread.get(contract.table, NO_KEYS)
        whole = self.full_refresh or not self.incremental or again is None
        low = None if whole else entry.low
        due, prove = self._is_due(entry), self._is_to_prove(entry)
        chunks = self.snapshot.changed(contract, low, self.chunk)
        if not (whole or due or prove or again != NO_KEYS or contract.table in self.buried):
            first = next(chunks, None)
            if first is None:
                return self._nothing(contract, held)
            chunks = itertools.chain([first], chunks)
        changes = Changes(self.db, contract, held)
        changes.read(chunks, low)
        if whole:
            changes.bury(changes.unseen())
        else:
            dead = changes.living(f"SELECT row_id FROM tombstones WHERE table_name = '{contract.table}'")
            changes.bury(sorted(set(dead) - self.snapshot.existing(contract, dead)))
        if again is not None:
            for first in range(*again, sources.SPAN):
                result.repaired += changes.reread(self.snapshot, first, min(first + sources.SPAN, again[1]))
        if due:
            result.repaired += changes.reconcile(self.snapshot)
        if prove:
            rows, checksum, mended = changes.prove(self.snapshot)
            result.proof, result.repaired = (rows, checksum), result.repaired + mended
        reach = Reach(beyond=whole or result.repaired > 0, compared=whole or due or prove)
        if reach.compared:
            result.compared = self.t0
        result.rows, result.deletes = changes.counts()
        self._inspect(contract, held, (result.rows, result.deletes), reach)
        result.unlike = changes.unlike
        query = f"SELECT *, {self.manifest.run_seq}::BIGINT AS _run_seq, {utc(self.t0)} AS _known_at FROM staged"
        written = self.log.stage(self.db, contract.table, query, order=f'"{contract.key}"')
        return self.log.merge(self.db, self.manifest, contract.table, written[0] if written else None, log_columns(contract))

    def _nothing(self, contract: Contract, held: list[Path]) -> Path | None:
        """What remains to be done for a table of which no row is stamped since the mark, and none was ever deleted."""
        self._inspect(contract, held, (0, 0), Reach())
        return self.log.merge(self.db, self.manifest, contract.table, None, log_columns(contract))

    def _inspect(self, contract: Contract, held: list[Path], counts: tuple[int, int], reach: Reach) -> None:
        """Let the gate look at what is staged. Raises SetAside."""
        # tombstones are let through: without them the deletes of every other table would wait
        if self.gate and contract.table != TOMBSTONES:
            history, runs = select(held, log_columns(contract)), select(self.log.paths(self.manifest, RUNS), RUNS_COLUMNS)
            if why := self.gate.inspect(self.db, contract, history, runs, counts, self.manifest.run_seq, self.t0, reach):
                raise SetAside(why)

    def finish(self, report: Report) -> None:
        """Write the run's own record and commit everything with one manifest."""
        for table in self.manifest.tables.keys() - {done.table for done in report.tables}:
            # no contract asks for it any more: nobody waits for it
            self.manifest.tables[table].stopped = False
        rows = [
            (
                report.run_seq,
                done.table,
                done.low and mark(done.low),
                report.high,
                done.rows,
                done.deletes,
                done.repaired,
                # also of a table that could not be compared again
                int(bool(self.manifest.tables[done.table].differs)),
                round(done.seconds, 3),
                "quarantined" if done.held else "stopped" if done.stopped else "read",
                done.stopped or None,
                self.t0,
            )
            for done in report.tables
        ]
        mended = [done for done in report.tables if done.repaired and not done.stopped]
        odd = [(done.table, DRIFT, "", "warn", done.repaired, 0, done.repaired, str(done.unlike)) for done in mended]
        odd += self.gate.findings() if self.gate else []
        self._own(RUNS, rows)
        self._own(FINDINGS, [(report.run_seq, *finding, self.t0) for finding in odd])
        self._own(INCIDENTS, [(report.run_seq, *incident, self.t0) for incident in (self.gate.incidents() if self.gate else [])])
        self.log.commit(self.manifest, self.staged)
        self.db.close()

    def _own(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Stage rows of a table that the platform keeps about itself."""
        if not rows:
            return
        columns = OWN[table]
        self.db.execute(f"CREATE TEMP TABLE {table} (" + ", ".join(f'"{name}" {kind}' for name, kind in columns.items()) + ")")
        insert(self.db, table, rows)
        written = self.log.stage(self.db, table, f"SELECT * FROM {table}")
        path = self.log.merge(self.db, self.manifest, table, written[0] if written else None, columns)
        if path:
            self.staged[table] = path


if __name__ == "__main__":
    # the command goes the way of rounds, of which this package knows nothing
    from ..extraction import main

    sys.exit(main())
