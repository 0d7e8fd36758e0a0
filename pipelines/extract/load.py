"""The first load of a table: from the source's chunks straight into the file, with nothing in the log to compare them with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .. import files
from .changes import DriftError, block_checksums, source_checksums
from .contracts import Contract
from .log import MEASURE, CorruptError
from .sources import Snapshot, schema

#: Rows a group of the file: what a reader skips or reads at once.
GROUP = 200_000
_META = pa.schema([("_op", pa.string()), ("_run_seq", pa.int64()), ("_known_at", pa.timestamp("us"))])


def first_load(
    db: duckdb.DuckDBPyConnection, snapshot: Snapshot, contract: Contract, path: Path, run_seq: int, known_at: datetime, chunk: int
) -> int:
    """Write every row of the table to `path`, in the order of keys; returns how many (no file when there are none).

    What arrived is what the source sent, by the source's own checksum of every row; what the file holds is what arrived, by reading it
    back. Where a chunk came without the source's checksum, the file is compared with the source by blocks of keys.
    Raises CorruptError when the file reads back differently, DriftError when it differs from the source.
    """
    whole = pa.schema([*schema(contract), *_META])
    rows, total = 0, 0
    writer: pq.ParquetWriter | None = None
    try:
        for group in _groups(snapshot.changed(contract, None, chunk)):
            if writer is None:
                words = [field.name for field in whole if pa.types.is_string(field.type) and _repeats(group, field.name)]
                writer = pq.ParquetWriter(path, whole, compression="zstd", use_dictionary=[*words, *_META.names])
            count = group.num_rows
            full = pa.Table.from_arrays([*group.columns, *_meta(count, run_seq, known_at)], schema=whole)
            rows, total = rows + count, total + _measure(db, full)
            writer.write_table(full, row_group_size=GROUP)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        return 0
    files.sync(path)
    found = db.execute(f"SELECT {MEASURE} FROM read_parquet('{path}', hive_partitioning = false) r").fetchone()
    if found != (rows, total):
        raise CorruptError(f"{path}: wrote {rows} rows, read {found and found[0]} back, or their checksum differs")
    if not snapshot.verified:
        _compare(db, snapshot, contract, path)
    return rows


def _meta(count: int, run_seq: int, known_at: datetime) -> list[pa.Array]:
    """The columns of _META, from buffers: to make arrays of Python's values would import pandas for a second."""
    micros = (known_at - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001 — the databases' UTC clocks carry no zone
    figures = [
        pa.Array.from_buffers(kind, count, [None, pa.py_buffer(np.full(count, figure, np.int64))])
        for kind, figure in ((pa.int64(), run_seq), (pa.timestamp("us"), micros))
    ]
    offsets = pa.py_buffer(np.arange(count + 1, dtype=np.int32))
    return [pa.Array.from_buffers(pa.string(), count, [None, offsets, pa.py_buffer(b"u" * count)]), *figures]


def _groups(chunks: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Chunks put together into groups of at least GROUP rows."""
    held: list[pa.Table] = []
    for chunk in chunks:
        held.append(chunk)
        if sum(table.num_rows for table in held) >= GROUP:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _repeats(group: pa.Table, name: str) -> bool:
    """Whether a text column holds few different values: a dictionary then makes the file smaller, else only slower."""
    if name not in group.column_names:
        return False
    sample = group[name].slice(0, 10_000)
    return len(sample.unique()) * 10 <= len(sample) + 90


def _measure(db: duckdb.DuckDBPyConnection, table: pa.Table) -> int:
    db.register("group_of_rows", table)
    row = db.execute(f"SELECT {MEASURE} FROM group_of_rows r").fetchone()
    db.unregister("group_of_rows")
    return int(row[1]) if row else 0


def _compare(db: duckdb.DuckDBPyConnection, snapshot: Snapshot, contract: Contract, path: Path) -> None:
    source = source_checksums(snapshot, contract)
    if source is None:
        return
    held = block_checksums(db, contract, f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)")
    if differ := sum(source.get(block) != held.get(block) for block in source.keys() | held.keys()):
        raise DriftError(f"{contract.table}: {differ} key blocks of the first load differ from the source")
