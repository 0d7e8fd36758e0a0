"""The raw change log: append-only Parquet files, and the manifest that says which of them count.

Layout under the root: `manifest.json`, `<table>/run_date=<day>/<run_seq>.parquet`, `.staging/` (work of a run that has not ended).
The day is UTC's, of the run; a file is never changed, and only the manifest's names count, wherever they lie.
Each row is a source row plus `_op` ('u' written, 'd' deleted; a deleted row keeps its last known values), `_run_seq`, `_known_at`
(UTC, when the run looked). The current state of a key is its row with the greatest `_run_seq`.
One run is one manifest: readers see all of it or nothing of it. Files no manifest names are leftovers of killed runs.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from .. import files
from ..failpoints import failpoint
from .contracts import Contract
from .watermark import Remembered

#: A table's files are merged when there are more: a scan opens each of them.
MERGE_ABOVE = 48
#: Count and checksum of the rows of a relation named r.
MEASURE = "count(*), coalesce(sum(hash(r)::HUGEINT), 0)"
RUNS = "_runs"
RUNS_COLUMNS = {
    "run_seq": "BIGINT",
    "table": "VARCHAR",
    "L": "TIMESTAMP",
    "H": "TIMESTAMP",
    "rows": "BIGINT",
    "deletes": "BIGINT",
    "repaired": "BIGINT",
    "drift": "BIGINT",
    "seconds": "DOUBLE",
    "state": "VARCHAR",
    "message": "VARCHAR",
    "known_at": "TIMESTAMP",
}
#: What the gate found odd in a run's batches, kept out or let in.
FINDINGS = "_findings"
FINDINGS_COLUMNS = {
    "run_seq": "BIGINT",
    "table": "VARCHAR",
    "check": "VARCHAR",
    "column": "VARCHAR",
    "severity": "VARCHAR",
    "value": "DOUBLE",
    "threshold": "DOUBLE",
    "rows": "BIGINT",
    "message": "VARCHAR",
    "known_at": "TIMESTAMP",
}
#: Tables that the platform keeps about itself, beside the source's.
OWN = {RUNS: RUNS_COLUMNS, FINDINGS: FINDINGS_COLUMNS}
META = {"_op": "VARCHAR", "_run_seq": "BIGINT", "_known_at": "TIMESTAMP"}


class CorruptError(RuntimeError):
    """A file does not hold what was written to it."""


@dataclass
class Entry:
    """What the manifest holds of one table: the mark up to which it is read, and its files relative to the root."""

    low: str | None = None
    files: list[str] = field(default_factory=list)


@dataclass
class Manifest:
    """The committed state of the log."""

    run_seq: int = 0
    look: Remembered | None = None
    tables: dict[str, Entry] = field(default_factory=dict)


class Log:
    """The log below `root`. Writing needs the lock; reading does not."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.staging = root / ".staging"

    def lock(self) -> Any:
        """Excludes a second extractor. Raises files.Busy."""
        return files.lock(self.root / ".lock")

    def manifest(self) -> Manifest:
        """The last committed manifest, an empty one before the first run."""
        stored = files.read_json(self.root / "manifest.json")
        if stored is None:
            return Manifest()
        tables = {name: Entry(**entry) for name, entry in stored["tables"].items()}
        return Manifest(stored["run_seq"], Remembered.load(stored["look"]), tables)

    def clean(self, manifest: Manifest) -> int:
        """Remove what killed runs left and what was merged; returns how many files that were. Call it under the lock."""
        known = {self.root / name for entry in manifest.tables.values() for name in entry.files}
        orphans = [path for path in self.root.rglob("*.parquet") if path not in known]
        for path in orphans:
            path.unlink()
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir(parents=True)
        return len(orphans)

    def staged_path(self, table: str) -> Path:
        """Where a run writes a table's file before it counts."""
        return self.staging / f"{table}.parquet"

    def stage(self, db: duckdb.DuckDBPyConnection, table: str, query: str) -> tuple[Path, int] | None:
        """Write the rows of `query` to a staged file, read it back and compare; None when there are no rows.

        Raises CorruptError when the file's count or checksum differs from the query's.
        """
        wanted = db.execute(f"SELECT {MEASURE} FROM ({query}) r").fetchone()
        if not wanted or not wanted[0]:
            return None
        path = self.staged_path(table)
        db.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        found = db.execute(f"SELECT {MEASURE} FROM read_parquet('{path}', hive_partitioning = false) r").fetchone()
        if found != wanted:
            raise CorruptError(f"{path}: wrote {wanted[0]} rows, read {found and found[0]} back, or their checksum differs")
        files.sync(path)
        return path, int(wanted[0])

    def commit(self, manifest: Manifest, staged: dict[str, Path]) -> None:
        """Move the staged files into place and make them count, with one write of the manifest."""
        day = f"run_date={datetime.now(UTC):%Y-%m-%d}"
        for table, path in staged.items():
            entry = manifest.tables.setdefault(table, Entry())
            target = self.root / table / day / f"{manifest.run_seq:08d}.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            files.sync(target.parent)
            files.sync(target.parent.parent)
            entry.files.append(str(target.relative_to(self.root)))
            failpoint("extract.between_files")
        files.sync(self.root)
        failpoint("extract.before_manifest")
        files.write_json(
            self.root / "manifest.json",
            {
                "run_seq": manifest.run_seq,
                "look": manifest.look and manifest.look.dump(),
                "tables": {name: {"low": entry.low, "files": entry.files} for name, entry in sorted(manifest.tables.items())},
            },
        )
        failpoint("extract.after_manifest")

    def merge(
        self, db: duckdb.DuckDBPyConnection, manifest: Manifest, table: str, staged: Path | None, columns: dict[str, str]
    ) -> Path | None:
        """With too many files, a staged file that holds the rows of the newer of them too (the manifest then names it in their place).

        A file that is larger than all that came after it together stays as it is: a big table is not written again for small changes.
        """
        entry = manifest.tables.get(table)
        if entry is None or len(entry.files) < MERGE_ABOVE:
            return staged
        paths = [self.root / name for name in entry.files]
        after, first = staged.stat().st_size if staged else 0, len(paths)
        while first and (len(paths) - first < MERGE_ABOVE // 2 or paths[first - 1].stat().st_size <= after):
            first -= 1
            after += paths[first].stat().st_size
        newer = paths[first:]
        if staged:
            # Renamed first: the merged file takes its name.
            newer.append(staged.rename(staged.with_suffix(".part.parquet")))
        merged = self.stage(db, table, select(newer, columns))
        del entry.files[first:]
        return merged[0] if merged else None

    def paths(self, manifest: Manifest, table: str) -> list[Path]:
        """The files that count for a table."""
        return [self.root / name for name in manifest.tables.get(table, Entry()).files]


def log_columns(contract: Contract) -> dict[str, str]:
    """Columns of a table's log with their DuckDB types."""
    return {name: column.type.duckdb for name, column in contract.columns.items()} | META


def select(paths: list[Path], columns: dict[str, str]) -> str:
    """SQL over exactly these files, typed also when there are none; columns a file lacks are NULL."""
    if not paths:
        return "SELECT " + ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns.items()) + " WHERE false"
    listed = ", ".join(f"'{path}'" for path in paths)
    typed = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in columns.items())
    # An empty, typed relation first: it provides the columns that older files do not have.
    return f"SELECT {typed} FROM ({select([], columns)} UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false))"


def current(paths: list[Path], contract: Contract, where: str = "true") -> str:
    """SQL of the latest row of each key that satisfies `where` (over key columns only), deleted ones too."""
    key = contract.key
    return (
        f"SELECT * FROM ({select(paths, log_columns(contract))}) WHERE {where}"
        f' QUALIFY row_number() OVER (PARTITION BY "{key}" ORDER BY _run_seq DESC) = 1'
    )


def expose(log: Log, contracts: list[Contract], warehouse: Path) -> None:
    """Make `raw.<table>` and `raw._runs` in the work file show exactly the committed files, in one transaction."""
    manifest = log.manifest()
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(warehouse)) as db:
        db.execute("BEGIN")
        db.execute("CREATE SCHEMA IF NOT EXISTS raw")
        for contract in contracts:
            db.execute(
                f'CREATE OR REPLACE VIEW raw."{contract.table}" AS {select(log.paths(manifest, contract.table), log_columns(contract))}'
            )
        for table, columns in OWN.items():
            db.execute(f"CREATE OR REPLACE VIEW raw.{table} AS {select(log.paths(manifest, table), columns)}")
        db.execute("COMMIT")


def utc(at: datetime) -> str:
    """An instant as a DuckDB literal."""
    return f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S.%f}'"
