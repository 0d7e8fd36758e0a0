"""What one run finds of one table: rows that differ from the log's current state, and keys that are gone."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from .contracts import Contract
from .log import current, log_columns, select
from .sources import Snapshot
from .types import row_text_duckdb

#: Keys a reconciled block; keys of a block that holds all of them.
BLOCK, WHOLE = 10_000, 1 << 62
#: Rows of each way to differ that are named; columns of one row; blocks that still differ in which rows are looked for.
NAMED, NAMED_COLUMNS, SEARCHED = 20, 5, 5
CHANGED, MISSING, GONE = "value differs", "missing in the log", "missing at the source"


@dataclass(frozen=True)
class Unlike:
    """A row by which log and source differ: its key, in which way, and the columns whose values differ. No value is in it."""

    key: int
    how: str
    columns: tuple[str, ...] = ()


@dataclass
class Differences:
    """Rows by which a table's log differed from the source: how many in each way, and the first `NAMED` of each by their keys."""

    counts: Counter[str] = field(default_factory=Counter)
    named: list[Unlike] = field(default_factory=list)

    def add(self, how: str, count: int, rows: Iterable[Unlike]) -> None:
        """`rows`: some or all of the `count`, the least keys first."""
        self.counts[how] += count
        room = NAMED - sum(row.how == how for row in self.named)
        self.named += list(rows)[:room]

    @property
    def total(self) -> int:
        return self.counts.total()

    def __str__(self) -> str:
        """In words: ways, counts, keys and columns, those of equal columns together."""
        told = []
        for how in (CHANGED, MISSING, GONE):
            rows = sorted((row for row in self.named if row.how == how), key=lambda row: row.columns)
            if not rows:
                continue
            each = []
            for columns, some in groupby(rows, key=lambda row: row.columns):
                more = f" and {len(columns) - NAMED_COLUMNS} more columns" if len(columns) > NAMED_COLUMNS else ""
                within = f"{', '.join(columns[:NAMED_COLUMNS])}{more}: " if columns else ""
                each.append(within + ", ".join(str(row.key) for row in some))
            rest = self.counts[how] - len(rows)
            told.append(f"{self.counts[how]} {how} ({'; '.join(each)}{f'; and {rest} more' if rest else ''})")
        return ", ".join(told)


class DriftError(RuntimeError):
    """The log still differs from the source after the repair, in the rows `unlike` as far as they are known."""

    def __init__(self, message: str, unlike: Differences | None = None) -> None:
        self.unlike = unlike or Differences()
        super().__init__(f"{message}: {unlike}" if self.unlike.total else message)


def work_connection(folder: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database for one run, which spills to `folder` and knows CRC32."""
    db = duckdb.connect(config={"temp_directory": str(folder / "spill"), "memory_limit": "2GB", "preserve_insertion_order": "false"})
    db.execute("SET TimeZone = 'UTC'")

    def crc32(texts: pa.Array) -> pa.Array:
        return pa.array(map(zlib.crc32, texts.cast(pa.binary()).to_pylist()), pa.int64())

    db.create_function("crc32", crc32, ["VARCHAR"], "BIGINT", type=PythonUDFType.ARROW)
    return db


def block_checksums(db: duckdb.DuckDBPyConnection, contract: Contract, relation: str) -> dict[int, tuple[int, int]]:
    """Block → (rows, sum of the rows' CRC32) of the SQL `relation`; the same figures as the source's for the same rows."""
    rows = db.execute(
        f'SELECT "{contract.key}" // {BLOCK}, count(*), sum(crc32({row_text_duckdb(contract.types)}))::HUGEINT FROM ({relation}) GROUP BY 1'
    ).fetchall()
    return {block: (count, crc) for block, count, crc in rows}


def source_checksums(snapshot: Snapshot, contract: Contract) -> dict[int, tuple[int, int]] | None:
    """Block → (rows, sum of the rows' CRC32) in the source; None when every row was read anyway."""
    measured = snapshot.checksums(contract, BLOCK)
    return None if measured is None else {block: (count, crc) for block, count, crc in measured}


class Changes:
    """The changes of one table, gathered in the tables `seen` and `staged` of the work connection."""

    def __init__(self, db: duckdb.DuckDBPyConnection, contract: Contract, log_files: list[Path]) -> None:
        self._db, self._contract, self._files = db, contract, log_files
        self._key = f'"{contract.key}"'
        self._names = ", ".join(f'"{name}"' for name in contract.columns)
        #: Rows that differed from the source though neither stamp nor tombstone told of it.
        self.unlike = Differences()
        kinds = log_columns(contract)
        declared = ", ".join(f'"{name}" {kinds[name]}' for name in contract.columns)
        db.execute(f"CREATE OR REPLACE TEMP TABLE seen ({declared})")
        db.execute(f"CREATE OR REPLACE TEMP TABLE staged ({declared}, _op VARCHAR)")

    def read(self, chunks: Iterator[pa.Table], low: str | None = None) -> int:
        """Take rows of the source; those equal to what the log holds are left out. Returns how many were read.

        With `low`, all of them are stamped at or after it.
        """
        if low is not None and not self._one("SELECT count(*) FROM staged"):
            return self._stage_newer(chunks, low)
        count = self._see(chunks)
        self._compare_seen()
        self._stage_different()
        return count

    def _see(self, chunks: Iterator[pa.Table]) -> int:
        self._db.execute("DELETE FROM seen")
        return self._insert(chunks, f"INSERT INTO seen SELECT {self._names} FROM chunk")

    def _insert(self, chunks: Iterator[pa.Table], sql: str) -> int:
        count = 0
        for chunk in chunks:
            self._db.register("chunk", chunk)
            self._db.execute(sql)
            self._db.unregister("chunk")
            count += chunk.num_rows
        return count

    def _compare_seen(self) -> str:
        """Put the rows of `seen` that the log does not hold into `different`; returns the condition of the keys that were looked at."""
        first, last = self._db.execute(f"SELECT min({self._key}), max({self._key}) FROM seen").fetchone() or (None, None)
        # Bounds in figures: a file is skipped by them, not by the set of keys.
        there = "false" if first is None else f"{self._key} BETWEEN {first} AND {last} AND {self._key} IN (SELECT {self._key} FROM seen)"
        self._db.execute(
            f"CREATE OR REPLACE TEMP TABLE different AS SELECT {self._names} FROM seen EXCEPT SELECT {self._names} FROM ({self._state(there)})"
        )
        return there

    def _mend(self, chunks: Iterator[pa.Table]) -> int:
        """As read, of rows that no stamp told of: those that differ are noted. Returns how many they are."""
        self._see(chunks)
        there = self._compare_seen()
        changed = self._one("SELECT count(*) FROM different")
        if changed:
            self._note_different(there)
        self._stage_different()
        return changed

    def _note_different(self, there: str) -> None:
        """How the rows of `different`, not staged yet, differ from what the log has in their place."""
        key = self._key
        columns = ", ".join(f'CASE WHEN d."{name}" IS DISTINCT FROM l."{name}" THEN \'{name}\' END' for name in self._contract.columns)
        rows = self._db.execute(
            f"SELECT l.{key} IS NULL AS missing, d.{key}, list_filter([{columns}], c -> c IS NOT NULL), count(*) OVER (PARTITION BY missing)"
            f" FROM different d LEFT JOIN ({self._state(there)}) l ON d.{key} = l.{key}"
            f" QUALIFY row_number() OVER (PARTITION BY missing ORDER BY d.{key}) <= {NAMED} ORDER BY 1, 2"
        ).fetchall()
        for missing, some in groupby(rows, key=lambda row: row[0]):
            found, how = list(some), MISSING if missing else CHANGED
            self.unlike.add(how, found[0][3], [Unlike(row[1], how, () if missing else tuple(row[2])) for row in found])

    def _bury_unnoticed(self, keys: list[int]) -> int:
        """Tombstones for `keys`, which live, noted as missing at the source; returns how many."""
        self.unlike.add(GONE, len(keys), [Unlike(key, GONE) for key in sorted(keys)[:NAMED]])
        return self.bury(keys)

    def _stage_newer(self, chunks: Iterator[pa.Table], low: str) -> int:
        """As _stage_seen, without looking at what the log holds of every key: a row equal to one that was read has its stamp.

        So it is enough to look at the log's rows stamped since; and that the one found equal is the latest of its key.
        """
        key, names = self._key, self._names
        newer = f"\"{self._contract.stamp}\" >= TIMESTAMP '{low}'"
        # Most often there are none, and what arrives is what is new.
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE newer AS {current(self._files, self._contract, newer)}")
        count = self._insert(chunks, f"INSERT INTO staged SELECT {names}, 'u' FROM chunk")
        if not self._one("SELECT count(*) FROM newer"):
            return count
        self._db.execute(
            f"CREATE OR REPLACE TEMP TABLE equal AS SELECT n.{key}, n._run_seq FROM newer n JOIN"
            f" (SELECT {names} FROM staged INTERSECT SELECT {names} FROM newer WHERE _op = 'u') USING ({key})"
        )
        [(oldest,)] = self._db.execute("SELECT min(_run_seq) FROM equal").fetchall()
        if oldest is not None:
            self._db.execute(
                f"DELETE FROM equal WHERE {key} IN (SELECT l.{key} FROM ({select(self._files, log_columns(self._contract))}) l"
                f" JOIN equal e ON l.{key} = e.{key} AND l._run_seq > e._run_seq WHERE l._run_seq > {oldest})"
            )
        self._db.execute(f"DELETE FROM staged WHERE {key} IN (SELECT {key} FROM equal)")
        return count

    def _stage_different(self) -> None:
        self._db.execute(f"DELETE FROM staged WHERE {self._key} IN (SELECT {self._key} FROM different)")
        self._db.execute(f"INSERT INTO staged SELECT {self._names}, 'u' FROM different")

    def _state(self, where: str = "true") -> str:
        """SQL of the rows that live once `staged` is applied."""
        key, names = self._key, self._names
        return (
            f"SELECT {names} FROM ({current(self._files, self._contract, where)}) WHERE _op = 'u' AND {key} NOT IN (SELECT {key} FROM staged)"
            f" UNION ALL SELECT {names} FROM staged WHERE _op = 'u' AND {where}"
        )

    def bury(self, keys: list[int]) -> int:
        """Tombstones for those of `keys` that live; returns how many."""
        if not keys:
            return 0
        self._db.register("gone", pa.table({"key": pa.array(keys, pa.int64())}))
        chosen = f"{self._key} IN (SELECT key FROM gone)"
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE buried AS SELECT {self._names} FROM ({self._state(chosen)})")
        self._db.execute(f"DELETE FROM staged WHERE {chosen}")
        self._db.execute(f"INSERT INTO staged SELECT {self._names}, 'd' FROM buried")
        self._db.unregister("gone")
        return self._one("SELECT count(*) FROM buried")

    def living(self, among: str) -> list[int]:
        """Keys that live and are among those the SQL `among` gives."""
        bounds = self._db.execute(f"SELECT min(k), max(k) FROM ({among}) a(k)").fetchone()
        if not bounds or bounds[0] is None:
            return []
        there = f"{self._key} BETWEEN {bounds[0]} AND {bounds[1]} AND {self._key} IN ({among})"
        rows = self._db.execute(f"SELECT {self._key} FROM ({self._state(there)})").fetchall()
        return [row[0] for row in rows]

    def unseen(self) -> list[int]:
        """Keys that live, but were not among the rows read last: gone, when all rows were read."""
        rows = self._db.execute(
            f"SELECT {self._key} FROM ({self._state()}) WHERE {self._key} NOT IN (SELECT {self._key} FROM seen)"
        ).fetchall()
        return [row[0] for row in rows]

    def reread(self, snapshot: Snapshot, first: int, past: int) -> int:
        """Read the rows with first ≤ key < past again, whatever their stamps say; returns how many that mended."""
        changed = self._mend(snapshot.block(self._contract, first, past))
        here = f"SELECT {self._key} FROM ({self._state(f'{self._key} >= {first} AND {self._key} < {past}')})"
        return changed + self._bury_unnoticed(self.living(f"{here} EXCEPT SELECT {self._key} FROM seen"))

    def prove(self, snapshot: Snapshot) -> tuple[int, int, int]:
        """Read every row and compare; returns (rows, the source's checksum of all of them, how many that mended).

        Afterwards the log, with what is staged, has the rows and the checksum of the source, or DriftError is raised.
        """
        mended = self._mend(snapshot.changed(self._contract, None))
        mended += self._bury_unnoticed(self.unseen())
        measured = snapshot.checksums(self._contract, WHOLE)
        blocks = (
            block_checksums(self._db, self._contract, "SELECT * FROM seen").values() if measured is None else [row[1:] for row in measured]
        )
        source = sum(count for count, _ in blocks), sum(crc for _, crc in blocks)
        held = block_checksums(self._db, self._contract, self._state()).values()
        if source != (sum(count for count, _ in held), sum(crc for _, crc in held)):
            each = source_checksums(snapshot, self._contract) or block_checksums(self._db, self._contract, "SELECT * FROM seen")
            left = self._still_unlike(snapshot, self._differing(each))
            raise DriftError(f"{self._contract.table}: the log differs from the source after all rows were read again", left)
        return *source, mended

    def reconcile(self, snapshot: Snapshot) -> int:
        """Compare every key block with the source, read differing ones again; returns how many rows that mended.

        Afterwards the log, with what is staged, equals the snapshot, or DriftError is raised.
        """
        measured = source_checksums(snapshot, self._contract)
        source = block_checksums(self._db, self._contract, "SELECT * FROM seen") if measured is None else measured
        mended, differing = 0, self._differing(source)
        for block in sorted(differing):
            mended += self.reread(snapshot, block * BLOCK, (block + 1) * BLOCK)
        if differing and (left := self._differing(source)):
            told = f"{self._contract.table}: {len(left)} key blocks differ from the source after they were read again"
            raise DriftError(told, self._still_unlike(snapshot, left))
        return mended

    def _still_unlike(self, snapshot: Snapshot, blocks: set[int]) -> Differences:
        """The rows of the first of these blocks of which source and log make different checksums, though their values were read again."""
        found = Differences()
        for block in sorted(blocks)[:SEARCHED]:
            first, past = block * BLOCK, (block + 1) * BLOCK
            source = snapshot.row_checksums(self._contract, first, past)
            if source is None:
                break
            here = f"{self._key} >= {first} AND {self._key} < {past}"
            text = row_text_duckdb(self._contract.types)
            held = dict(self._db.execute(f"SELECT {self._key}, crc32({text}) FROM ({self._state(here)})").fetchall())
            both = source.keys() & held.keys()
            for how, keys in (
                (CHANGED, {key for key in both if source[key] != held[key]}),
                (MISSING, source.keys() - held.keys()),
                (GONE, held.keys() - source.keys()),
            ):
                found.add(how, len(keys), [Unlike(key, how) for key in sorted(keys)[:NAMED]])
        return found

    def _differing(self, source: dict[int, tuple[int, int]]) -> set[int]:
        held = block_checksums(self._db, self._contract, self._state())
        return {block for block in source.keys() | held.keys() if source.get(block) != held.get(block)}

    def counts(self) -> tuple[int, int]:
        """(rows written, rows deleted) that are staged."""
        return self._one("SELECT count(*) FROM staged WHERE _op = 'u'"), self._one("SELECT count(*) FROM staged WHERE _op = 'd'")

    def _one(self, sql: str) -> int:
        row = self._db.execute(sql).fetchone()
        return int(row[0]) if row else 0
