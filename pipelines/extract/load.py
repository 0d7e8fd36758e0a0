"""The first load of a table: from the source's chunks straight into the file, with nothing in the log to compare them with."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .. import files
from .changes import DriftError, block_checksums, source_checksums
from .checksum import crc32
from .contracts import Contract
from .log import CorruptError
from .sources import Snapshot, schema

#: Rows a group of the file: what a reader skips or reads at once.
GROUP, GROUP_BYTES = 100_000, 128 << 20
#: Threads that read the file back.
READERS = 2
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
    rows, written = 0, []
    writer: pq.ParquetWriter | None = None
    try:
        for group in _groups(snapshot.changed(contract, None, chunk)):
            if writer is None:
                writer = _writer(path, whole, group)
            count = group.num_rows
            full = pa.Table.from_arrays([*group.columns, *_meta(count, run_seq, known_at)], schema=whole)
            rows += count
            written.append(digest(full))
            writer.write_table(full, row_group_size=count)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        return 0
    with ThreadPoolExecutor(READERS + 1) as readers:
        kept = readers.submit(files.sync, path)
        found = list(readers.map(lambda number: _read_back(path, number), range(len(written))))
        kept.result()
    if found != written or pq.read_metadata(path).num_rows != rows:
        raise CorruptError(f"{path}: what was written reads back differently")
    if not snapshot.verified:
        _compare(db, snapshot, contract, path)
    return rows


def digest(table: pa.Table) -> list[int]:
    """Three CRC32 of each column: which rows have a value (0 when all have one), the values (of texts: their lengths), the texts' bytes.

    The same for equal columns, however they lie in memory.
    """
    return [crc for column in table.columns for crc in _digest(column)]


def _digest(column: pa.ChunkedArray) -> tuple[int, int, int]:
    there = values = text = 0
    for array in column.chunks:
        some = np.frombuffer(_plain(pc.is_valid(array)), np.uint8) if array.null_count else None
        if column.null_count:
            there = crc32(np.ones(len(array), np.uint8) if some is None else some, there)
        if pa.types.is_string(array.type):
            lengths, bytes_of = _text(array, some)
            values, text = crc32(lengths, values), crc32(bytes_of, text)
        else:
            values = crc32(_plain(array) if some is None else _figures(array) * some[:, None], values)
    return there, values, text


def _text(array: pa.StringArray, some: np.ndarray | None) -> tuple[np.ndarray, pa.Buffer]:
    """How long each text is, 0 for NULL, and the bytes of all together. What lies below a NULL is nobody's."""
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int32, len(array) + 1, array.offset * 4) if offsets else np.zeros(1, np.int32)
    lengths = np.diff(ends)
    if some is not None and lengths[some == 0].any():
        return lengths * some, _text(array.drop_null(), None)[1]
    return lengths, data.slice(int(ends[0]), int(ends[-1] - ends[0])) if data else pa.py_buffer(b"")


def _figures(array: pa.Array) -> np.ndarray:
    """The bytes of values of one width as numbers, those of each value in a row."""
    plain = _plain(array)
    width = min(len(plain) // len(array), 8)
    return np.frombuffer(plain, f"u{width}").reshape(len(array), -1)


def _plain(array: pa.Array) -> pa.Buffer:
    """The bytes of values of one width."""
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    width = array.type.bit_width // 8
    return array.buffers()[1].slice(array.offset * width, len(array) * width)


def _read_back(path: Path, group: int) -> list[int]:
    """A column at a time: what one took is there for the next, and the processor still has it at hand when its checksums are made."""
    with pq.ParquetFile(path) as file:
        return [crc for name in file.schema_arrow.names for crc in digest(file.read_row_group(group, columns=[name], use_threads=False))]


def _writer(path: Path, whole: pa.Schema, group: pa.Table) -> pq.ParquetWriter:
    words = [field.name for field in whole if pa.types.is_string(field.type) and _repeats(group, field.name)]
    # Bounds of texts help no reader: nobody looks for a range of them.
    bounded = [field.name for field in whole if not pa.types.is_string(field.type)]
    few = [*words, *_META.names]
    # As differences, whole numbers and instants leave the compression less to do, and the file is smaller; DuckDB, Spark and Polars read it.
    steps = {field.name: "DELTA_BINARY_PACKED" for field in whole if field.name not in few and _in_steps(field.type)}
    # Texts are what zstd makes smaller; of numbers, which are differences or as good as random, Snappy leaves as much.
    codecs = {name: "snappy" if name in few or name in bounded else "zstd" for name in whole.names}
    return pq.ParquetWriter(path, whole, compression=codecs, use_dictionary=few, column_encoding=steps, write_statistics=bounded)


def _in_steps(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_temporal(kind))


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
    """Chunks put together into groups of at least GROUP rows or GROUP_BYTES."""
    held: list[pa.Table] = []
    for chunk in chunks:
        held.append(chunk)
        if sum(table.num_rows for table in held) >= GROUP or sum(table.nbytes for table in held) >= GROUP_BYTES:
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


def _compare(db: duckdb.DuckDBPyConnection, snapshot: Snapshot, contract: Contract, path: Path) -> None:
    source = source_checksums(snapshot, contract)
    if source is None:
        return
    held = block_checksums(db, contract, f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)")
    if differ := sum(source.get(block) != held.get(block) for block in source.keys() | held.keys()):
        raise DriftError(f"{contract.table}: {differ} key blocks of the first load differ from the source")
