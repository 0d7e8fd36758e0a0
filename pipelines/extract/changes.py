"""What one run finds of one table: rows that differ from the log's current state, and keys that are gone."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from .contracts import Contract
from .log import current, log_columns
from .sources import Snapshot
from .types import row_text_duckdb

#: Keys a reconciled block.
BLOCK = 10_000


class DriftError(RuntimeError):
    """The log still differs from the source after the repair."""


def work_connection(folder: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database for one run, which spills to `folder` and knows CRC32."""
    db = duckdb.connect(config={"temp_directory": str(folder / "spill"), "memory_limit": "2GB", "preserve_insertion_order": "false"})
    db.execute("SET TimeZone = 'UTC'")

    def crc32(texts: pa.Array) -> pa.Array:
        return pa.array([zlib.crc32(text) for text in texts.cast(pa.binary()).to_pylist()], pa.int64())

    db.create_function("crc32", crc32, ["VARCHAR"], "BIGINT", type=PythonUDFType.ARROW)
    return db


class Changes:
    """The changes of one table, gathered in the tables `seen` and `staged` of the work connection."""

    def __init__(self, db: duckdb.DuckDBPyConnection, contract: Contract, log_files: list[Path]) -> None:
        self._db, self._contract, self._files = db, contract, log_files
        self._key = f'"{contract.key}"'
        self._names = ", ".join(f'"{name}"' for name in contract.columns)
        kinds = log_columns(contract)
        declared = ", ".join(f'"{name}" {kinds[name]}' for name in contract.columns)
        db.execute(f"CREATE OR REPLACE TEMP TABLE seen ({declared})")
        db.execute(f"CREATE OR REPLACE TEMP TABLE staged ({declared}, _op VARCHAR)")

    def read(self, chunks: Iterator[pa.Table]) -> int:
        """Take rows of the source; those equal to what the log holds are left out. Returns how many were read."""
        count = 0
        self._db.execute("DELETE FROM seen")
        for chunk in chunks:
            self._db.register("chunk", chunk)
            self._db.execute(f"INSERT INTO seen SELECT {self._names} FROM chunk")
            self._db.unregister("chunk")
            count += chunk.num_rows
        self._stage_seen()
        return count

    def _stage_seen(self) -> None:
        self._db.execute(
            f"CREATE OR REPLACE TEMP TABLE different AS SELECT {self._names} FROM seen"
            f" EXCEPT SELECT {self._names} FROM ({self._state(f'{self._key} IN (SELECT {self._key} FROM seen)')})"
        )
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
        rows = self._db.execute(f"SELECT {self._key} FROM ({self._state(f'{self._key} IN ({among})')})").fetchall()
        return [row[0] for row in rows]

    def unseen(self) -> list[int]:
        """Keys that live, but were not among the rows read last: gone, when all rows were read."""
        rows = self._db.execute(
            f"SELECT {self._key} FROM ({self._state()}) WHERE {self._key} NOT IN (SELECT {self._key} FROM seen)"
        ).fetchall()
        return [row[0] for row in rows]

    def _checksums(self, relation: str) -> dict[int, tuple[int, int]]:
        rows = self._db.execute(
            f"SELECT {self._key} // {BLOCK}, count(*), sum(crc32({row_text_duckdb(self._contract.types)}))::HUGEINT FROM ({relation}) GROUP BY 1"
        ).fetchall()
        return {block: (count, crc) for block, count, crc in rows}

    def reconcile(self, snapshot: Snapshot) -> int:
        """Compare every key block with the source, read differing ones again; returns how many rows that mended.

        Afterwards the log, with what is staged, equals the snapshot, or DriftError is raised.
        """
        measured = snapshot.checksums(self._contract, BLOCK)
        source = self._checksums("SELECT * FROM seen") if measured is None else {block: (count, crc) for block, count, crc in measured}
        mended, differing = 0, self._differing(source)
        for block in sorted(differing):
            first, past = block * BLOCK, (block + 1) * BLOCK
            self.read(snapshot.block(self._contract, first, past))
            changed = self._one("SELECT count(*) FROM different")
            here = f"SELECT {self._key} FROM ({self._state(f'{self._key} >= {first} AND {self._key} < {past}')})"
            gone = self.bury(self.living(f"{here} EXCEPT SELECT {self._key} FROM seen"))
            mended += changed + gone
        if differing and (left := self._differing(source)):
            raise DriftError(f"{self._contract.table}: {len(left)} key blocks differ from the source after they were read again")
        return mended

    def _differing(self, source: dict[int, tuple[int, int]]) -> set[int]:
        held = self._checksums(self._state())
        return {block for block in source.keys() | held.keys() if source.get(block) != held.get(block)}

    def counts(self) -> tuple[int, int]:
        """(rows written, rows deleted) that are staged."""
        return self._one("SELECT count(*) FROM staged WHERE _op = 'u'"), self._one("SELECT count(*) FROM staged WHERE _op = 'd'")

    def _one(self, sql: str) -> int:
        row = self._db.execute(sql).fetchone()
        return int(row[0]) if row else 0
