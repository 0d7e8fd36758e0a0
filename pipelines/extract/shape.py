"""What the log's files hold is what the contracts take: what a contract takes no more leaves the log, its history too.

A table's files are written anew when they have a column that its contract leaves out now, or in the clear one that it hashes now. Every version
of a row stays, without those columns; what is hashed comes back with the comparison that follows. One manifest makes the new files count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from .changes import work_connection
from .contracts import Contract
from .log import META, CorruptError, Log, Manifest, current, log_columns, select
from .types import HASHED


def shape(contract: Contract) -> dict[str, str]:
    """Column → type, as the manifest notes what a table's files hold."""
    return {name: str(column.type) for name, column in contract.columns.items()}


def keep_to(contracts: Iterable[Contract], log: Log, manifest: Manifest, forget: Callable[[list[str]], None]) -> None:
    """Write anew the files that hold more than their contract takes, and commit; before that `forget` is told which tables they are.

    A table whose contract changed in any way is to be compared with the source. Call it under the lock. Raises CorruptError, and nothing is
    changed, when the rows would change otherwise.
    """
    staged: dict[str, Path] = {}
    for contract in contracts:
        entry = manifest.tables.get(contract.table)
        if entry is None or entry.columns == shape(contract):
            continue
        held = log.paths(manifest, contract.table)
        there = _columns(held) if entry.columns is None else entry.columns
        clear = {name for name, column in contract.columns.items() if column.type == HASHED and there.get(name, str(HASHED)) != str(HASHED)}
        if clear or there.keys() - contract.columns.keys() - META.keys():
            log.keep()
            staged |= _written(log, contract, held, clear)
            entry.files.clear()
        if entry.columns is not None or contract.table in staged:
            entry.compared = None
        entry.columns = shape(contract)
    if staged:
        manifest.run_seq += 1
        forget(sorted(staged))
        log.commit(manifest, staged)
        log.clean(manifest)


def _columns(held: list[Path]) -> dict[str, str]:
    """What files of which nothing is noted hold; of their hashed columns it is believed that they always were."""
    names = {name for path in held for name in pq.read_schema(path).names}
    return dict.fromkeys(names, str(HASHED))


def _written(log: Log, contract: Contract, held: list[Path], clear: set[str]) -> dict[str, Path]:
    columns = log_columns(contract)
    kept = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' if name in clear else f'"{name}"' for name, kind in columns.items())
    with work_connection(log.staging) as db:
        before = _rest(db, current(held, contract), clear)
        written = log.stage(db, contract.table, f"SELECT {kept} FROM ({select(held, columns)})", order=f'"{contract.key}", _run_seq')
        after = [written[0]] if written else []
        if before != _rest(db, current(after, contract), clear):
            raise CorruptError(f"{contract.table}: the state of its keys would change; nothing was changed")
    return {contract.table: after[0]} if after else {}


def _rest(db: duckdb.DuckDBPyConnection, relation: str, without: set[str]) -> object:
    """Count and checksum of rows but for some of their columns."""
    named = ", ".join(f'"{name}"' for name in sorted(without))
    columns = f"* EXCLUDE ({named})" if named else "*"
    return db.execute(f"SELECT count(*), coalesce(sum(hash(r)::HUGEINT), 0) FROM (SELECT {columns} FROM ({relation})) r").fetchone()
