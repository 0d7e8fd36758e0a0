"""The raw change log: append-only Parquet files, and the manifest that says which of them count.

Layout under the root: `manifest.json`, `<table>/run_date=<day>/<run_seq>.parquet`, `.staging/` (work of a run that has not ended).
The day is UTC's, of the run; a file is never changed, and only the manifest's names count, wherever they lie.
With an object store in the settings, manifest and files lie there under the same names (a file's with the writer's token, since two writers
may try one run_seq), and this machine has working copies below `copies/`: whatever reads the log opens files of its own machine.
Each row is a source row plus `_op` ('u' written, 'd' deleted; a deleted row keeps its last known values), `_run_seq`, `_known_at`
(UTC, when the run looked). The current state of a key is its row with the greatest `_run_seq`.
One run is one manifest: readers see all of it or nothing of it. Files no manifest names are leftovers of killed runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from .. import files, store
from ..claim import Claim, said
from ..failpoints import failpoint
from ..refusals import Refused
from .contracts import Contract
from .watermark import Remembered

MANIFEST = "manifest.json"
#: A table's files are merged when there are more: a scan opens each of them.
MERGE_ABOVE = 48
#: A copy from the store that arrives for longer never will.
ABANDONED_SECONDS = 600
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
#: Tests and rounds that failed (pipelines.quality.incidents), as each stood when a run took it along.
INCIDENTS = "_incidents"
INCIDENTS_COLUMNS = {
    "run_seq": "BIGINT",
    "kind": "VARCHAR",
    "name": "VARCHAR",
    "node": "VARCHAR",
    "began_at": "TIMESTAMP",
    "last_at": "TIMESTAMP",
    "ended_at": "TIMESTAMP",
    "times": "BIGINT",
    "row_count": "BIGINT",
    "message": "VARCHAR",
    "well_before_at": "TIMESTAMP",
    "known_at": "TIMESTAMP",
}
#: Tables that the platform keeps about itself, beside the source's.
OWN = {RUNS: RUNS_COLUMNS, FINDINGS: FINDINGS_COLUMNS, INCIDENTS: INCIDENTS_COLUMNS}
#: What was compared: key blocks by count and checksum, or every row.
BLOCKS, ROWS = "blocks", "rows"
META = {"_op": "VARCHAR", "_run_seq": "BIGINT", "_known_at": "TIMESTAMP"}


class CorruptError(Refused):
    """A file does not hold what was written to it."""


@dataclass
class Entry:
    """What the manifest holds of one table: the mark up to which it is read, its files relative to the root, when all its rows were
    last compared with the source, and the columns that the files may hold, with their types (None where that was never noted).

    `stopped`: the newest run could not read it. `differs`: by which comparison (BLOCKS, ROWS) it was last found to differ from the source, until
    the same finds it equal.
    """

    low: str | None = None
    files: list[str] = field(default_factory=list)
    compared: str | None = None
    stopped: bool = False
    differs: str = ""
    columns: dict[str, str] | None = None


@dataclass
class Manifest:
    """The committed state of the log."""

    run_seq: int = 0
    look: Remembered | None = None
    tables: dict[str, Entry] = field(default_factory=dict)


class Log:
    """The log of this run-time folder, or of the store in the settings with this folder's working copies: `root` is where they are opened.

    Writing needs the lock; reading does not. Whatever asks a store may raise store.StoreError.
    """

    def __init__(self, folder: Path) -> None:
        self._home = folder
        self._store = store.below("raw")
        self.root = folder if self._store is None else folder / "copies"
        self.staging = self.root / ".staging"
        self._claim: Claim | None = None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Excludes a second extractor, on a store also another machine's. Raises files.Busy."""
        with files.lock(self._home / ".lock"):
            if self._store is None:
                yield
                return
            claim = Claim(self._store, MANIFEST, self._home)
            claim.take()
            self._claim = claim
            try:
                self._move_in(self._store, claim)
                yield
            finally:
                self._claim = None
                claim.release()

    def keep(self) -> None:
        """Say that the lock's holder is still at work. Raises files.Busy when another machine has taken the log over."""
        if self._claim:
            self._claim.keep()

    def manifest(self) -> Manifest:
        """The last committed manifest, an empty one before the first run."""
        stored = self.read_json(MANIFEST)
        if stored is None:
            return Manifest()
        tables = {name: Entry(**entry) for name, entry in stored["tables"].items()}
        return Manifest(stored["run_seq"], Remembered.load(stored["look"]), tables)

    def read_json(self, name: str) -> Any | None:
        """What is noted under this name beside the files, None when nothing is."""
        return files.read_json(self.root / name) if self._store is None else said(self._store.read(name))

    def merge_json(self, name: str, more: dict[str, Any]) -> None:
        """Add keys to what is noted under this name. Raises files.Busy when another machine did at the same moment."""
        if self._store is None:
            files.write_json(self.root / name, (files.read_json(self.root / name) or {}) | more)
            return
        stored = self._store.read(name)
        told = (said(stored) or {}) | more
        self._store.replace(name, json.dumps(told, ensure_ascii=False, indent=1).encode(), stored.version if stored else None)

    def clean(self, manifest: Manifest) -> int:
        """Remove what killed runs left and what was merged; returns how many files that were. Call it under the lock."""
        names = {name for entry in manifest.tables.values() for name in entry.files}
        known = {self.root / name for name in names}
        orphans = [path for path in self.root.rglob("*.parquet") if path not in known]
        for path in orphans:
            path.unlink()
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        if self._store and self._claim:
            leftovers = self._claim.leftovers
            gone = [name for name in leftovers if name.endswith(".parquet") and name not in names]
            self._store.remove(gone)
            for name in gone:
                del leftovers[name]
            for path in self._arriving().glob("*"):
                if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    path.unlink(missing_ok=True)
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir(parents=True)
        return len(orphans)

    def staged_path(self, table: str) -> Path:
        """Where a run writes a table's file before it counts."""
        return self.staging / f"{table}.parquet"

    def stage(self, db: duckdb.DuckDBPyConnection, table: str, query: str, order: str = "") -> tuple[Path, int] | None:
        """Write the rows of `query`, sorted by `order`, to a staged file, read it back and compare; None when there are no rows.

        Raises CorruptError when the file's count or checksum differs from the query's.
        """
        wanted = db.execute(f"SELECT {MEASURE} FROM ({query}) r").fetchone()
        if not wanted or not wanted[0]:
            return None
        path = self.staged_path(table)
        rows = f"{query} ORDER BY {order}" if order else query
        # Higher levels take longer and make these files no smaller.
        db.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
        found = db.execute(f"SELECT {MEASURE} FROM read_parquet('{path}', hive_partitioning = false) r").fetchone()
        if found != wanted:
            raise CorruptError(f"{path}: wrote {wanted[0]} rows, read {found and found[0]} back, or their checksum differs")
        files.sync(path)
        return path, int(wanted[0])

    def commit(self, manifest: Manifest, staged: dict[str, Path]) -> None:
        """Move the staged files into place and make them count, with one write of the manifest.

        Raises files.Busy, and nothing counts, when another machine has taken the log over.
        """
        day, token = f"run_date={datetime.now(UTC):%Y-%m-%d}", f"-{self._claim.token}" if self._claim else ""
        for table, path in staged.items():
            entry = manifest.tables.setdefault(table, Entry())
            target = self.root / table / day / f"{manifest.run_seq:08d}{token}.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            files.sync(target.parent)
            files.sync(target.parent.parent)
            entry.files.append(str(target.relative_to(self.root)))
            if self._store and self._claim:
                self._claim.keep()
                self._store.put(target, entry.files[-1])
            failpoint("extract.between_files")
        files.sync(self.root)
        failpoint("extract.before_manifest")
        self._write_manifest(
            {
                "run_seq": manifest.run_seq,
                "look": manifest.look and manifest.look.dump(),
                "tables": {name: asdict(entry) for name, entry in sorted(manifest.tables.items())},
            },
        )
        failpoint("extract.after_manifest")

    def _write_manifest(self, content: dict[str, Any]) -> None:
        if self._claim:
            self._claim.write(content)
        else:
            files.write_json(self.root / MANIFEST, content)

    def _move_in(self, place: store.Store, claim: Claim) -> None:
        """The log that this folder had of its own moves to the store, once; a crash on the way repeats it.

        Raises StoreError when the store has another log already.
        """
        here = self._home / MANIFEST
        content = files.read_json(here)
        if content is None:
            return
        if claim.content not in (None, content):
            raise store.StoreError(
                f"{self._home} has a log of its own and {place.address} has another; move one of them away, or set store.address to file"
            )
        names = [name for entry in content["tables"].values() for name in entry["files"]]
        if claim.content is None:
            for name in names:
                claim.keep()
                place.put(self._home / name, name)
            noted = [path for path in self._home.glob("*.json") if path != here]
            for path in noted:
                self.merge_json(path.name, files.read_json(path) or {})
            claim.write(content)
        for name in names:
            if (self._home / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                (self._home / name).replace(self.root / name)
        here.unlink()

    def merge(
        self, db: duckdb.DuckDBPyConnection, manifest: Manifest, table: str, staged: Path | None, columns: dict[str, str]
    ) -> Path | None:
        """With too many files, a staged file that holds the rows of the newer of them too (the manifest then names it in their place).

        A file that is larger than all that came after it together stays as it is: a big table is not written again for small changes.
        """
        entry = manifest.tables.get(table)
        if entry is None or len(entry.files) < MERGE_ABOVE:
            return staged
        paths = self.paths(manifest, table)
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
        """The files that count for a table. From a store, those that this machine has not read yet are copied first."""
        names = manifest.tables.get(table, Entry()).files
        if self._store is not None:
            self._fetch(self._store, [name for name in names if not (self.root / name).is_file()])
        return [self.root / name for name in names]

    def _arriving(self) -> Path:
        return self.root / ".arriving"

    def _fetch(self, place: store.Store, names: list[str]) -> None:
        if not names:
            return
        self._arriving().mkdir(parents=True, exist_ok=True)
        arriving = {name: self._arriving() / f"{os.getpid()}.{number}" for number, name in enumerate(names)}
        place.get(arriving)
        for name, path in arriving.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            path.replace(self.root / name)


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
    wanted = {contract.table: log_columns(contract) for contract in contracts} | OWN
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(warehouse)) as db:
        db.execute("BEGIN")
        db.execute("CREATE SCHEMA IF NOT EXISTS raw")
        # To make a view its files are opened: one that shows the same files as before, by its comment, stays.
        shown = dict(db.execute("SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'raw'").fetchall())
        for table, columns in wanted.items():
            sql = select(log.paths(manifest, table), columns)
            digest = hashlib.sha256(sql.encode()).hexdigest()
            if shown.get(table) != f"files {digest}":
                db.execute(f'CREATE OR REPLACE VIEW raw."{table}" AS {sql}')
                db.execute(f"COMMENT ON VIEW raw.\"{table}\" IS 'files {digest}'")
        db.execute("COMMIT")


def utc(at: datetime) -> str:
    """An instant as a DuckDB literal."""
    return f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S.%f}'"
