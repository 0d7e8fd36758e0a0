"""Compaction and retention of the raw log.

    python -m pipelines.extract.compact [--table TABLE]

A table's files become one, in the order of its keys. Every version of a row stays, unless the table's contract sets `history_days`: then what
a newer version, or the deletion, replaced longer ago than that is folded away, and `raw/_folds` records what was (table, cutoff, versions,
keys that are forgotten altogether, rows before and after). The state of every key that lives is the same before and after, or nothing is
changed. One manifest makes the new files count: a crash anywhere leaves the old ones or the new ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from .. import files, paths, refusals
from ..failpoints import failpoint
from ..rows import insert
from .changes import work_connection
from .contracts import Contract, load_all
from .log import CorruptError, Entry, Log, current, expose, log_columns, select, utc

FOLDS = "_folds"
FOLDS_COLUMNS = {
    "run_seq": "BIGINT",
    "table": "VARCHAR",
    "cutoff": "TIMESTAMP",
    "versions": "BIGINT",
    "keys_forgotten": "BIGINT",
    "rows_before": "BIGINT",
    "rows_after": "BIGINT",
    "at": "TIMESTAMP",
}


@dataclass(frozen=True)
class Compacted:
    """What became of one table: files and rows before and after, and how many keys are forgotten altogether."""

    table: str
    files: int
    rows_before: int
    rows_after: int
    keys_forgotten: int


def compact(*, contracts: list[Contract] | None = None, tables: Iterable[str] = (), now: datetime | None = None) -> list[Compacted]:
    """Compact these tables, or all. Raises files.Busy when an extraction is at work, CorruptError when a state would change."""
    contracts = load_all() if contracts is None else contracts
    chosen = [contract for contract in contracts if not tables or contract.table in set(tables)]
    at = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    log = Log(paths.raw())
    with log.lock():
        manifest = log.manifest()
        log.clean(manifest)
        db = work_connection(log.staging)
        manifest.run_seq += 1
        staged: dict[str, Path] = {}
        done, folds = [], []
        for contract in chosen:
            log.keep()
            entry, held = manifest.tables.get(contract.table, Entry()), log.paths(manifest, contract.table)
            cutoff = None if contract.history_days is None else at - timedelta(days=contract.history_days)
            if len(held) < 2 and (cutoff is None or not _folded(db, contract, held, cutoff)):
                continue
            found, path = _compact(db, log, contract, held, cutoff)
            done.append(found)
            if found.rows_after != found.rows_before:
                lost = found.rows_before - found.rows_after
                folds.append(
                    (manifest.run_seq, contract.table, cutoff, lost, found.keys_forgotten, found.rows_before, found.rows_after, at)
                )
            entry.files.clear()
            if path:
                staged[contract.table] = path
            failpoint("compact.between_tables")
        if folds:
            db.execute("CREATE TEMP TABLE folds (" + ", ".join(f'"{name}" {kind}' for name, kind in FOLDS_COLUMNS.items()) + ")")
            insert(db, "folds", folds)
            if written := log.stage(db, FOLDS, "SELECT * FROM folds"):
                staged[FOLDS] = written[0]
        db.close()
        if done:
            log.commit(manifest, staged)
            expose(log, contracts, paths.warehouse())
            log.clean(manifest)
    return done


def _kept(held: list[Path], contract: Contract, cutoff: datetime | None) -> str:
    """SQL of the rows that stay: those not yet replaced at the cutoff, unless the last word then was a deletion."""
    rows = select(held, log_columns(contract))
    if cutoff is None:
        return rows
    columns = ", ".join(f'"{name}"' for name in log_columns(contract))
    return (
        f'SELECT {columns} FROM (SELECT *, lead(_known_at) OVER (PARTITION BY "{contract.key}" ORDER BY _run_seq) AS replaced_at FROM ({rows}))'
        f" WHERE replaced_at > {utc(cutoff)} OR (replaced_at IS NULL AND (_op = 'u' OR _known_at > {utc(cutoff)}))"
    )


def _folded(db: duckdb.DuckDBPyConnection, contract: Contract, held: list[Path], cutoff: datetime) -> int:
    rows, kept = select(held, log_columns(contract)), _kept(held, contract, cutoff)
    return _one(db, f"SELECT (SELECT count(*) FROM ({rows})) - (SELECT count(*) FROM ({kept}))")


def _compact(
    db: duckdb.DuckDBPyConnection, log: Log, contract: Contract, held: list[Path], cutoff: datetime | None
) -> tuple[Compacted, Path | None]:
    key = f'"{contract.key}"'
    rows = select(held, log_columns(contract))
    written = log.stage(db, contract.table, f"SELECT * FROM ({_kept(held, contract, cutoff)}) ORDER BY {key}, _run_seq")
    after = [written[0]] if written else []
    if living_state(db, held, contract) != living_state(db, after, contract):
        raise CorruptError(f"{contract.table}: the state of its keys would change by compaction; nothing was changed")
    counts = f"SELECT count(DISTINCT {key}) FROM "
    forgotten = _one(db, f"{counts} ({rows})") - _one(db, f"{counts} ({select(after, log_columns(contract))})")
    before = _one(db, f"SELECT count(*) FROM ({rows})")
    return Compacted(contract.table, len(held), before, written[1] if written else 0, forgotten), written[0] if written else None


def living_state(db: duckdb.DuckDBPyConnection, held: list[Path], contract: Contract) -> tuple[int, int]:
    """(rows, checksum) of the keys that live."""
    found = db.execute(
        f"SELECT count(*), coalesce(sum(hash(r)::HUGEINT), 0) FROM (SELECT * FROM ({current(held, contract)}) WHERE _op = 'u') r"
    ).fetchone()
    return (int(found[0]), int(found[1])) if found else (0, 0)


def _one(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = db.execute(sql).fetchone()
    return int(row[0]) if row else 0


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.extract.compact", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--table", action="append", default=[], help="only this one (may be repeated)")
    options = parser.parse_args(arguments)
    return refusals.command(lambda: _act(options.table), prefix="not compacted")


def _act(tables: list[str]) -> int:
    # Between rounds: a build must not lose the files that it reads.
    with files.lock(paths.round_lock(), wait_seconds=300):
        done = compact(tables=tables)
    for table in done:
        sys.stdout.write(
            f"{table.table:28} {table.files:>4} files into one, {table.rows_before - table.rows_after} of {table.rows_before} rows folded,"
            f" {table.keys_forgotten} keys forgotten\n"
        )
    sys.stdout.write(f"{len(done)} tables compacted\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
