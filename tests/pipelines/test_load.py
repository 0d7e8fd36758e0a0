"""The first load and the lines it reads: any text arrives as it is, and what differs from the source's checksum is not believed."""

from __future__ import annotations

import dataclasses
import shutil
import struct
import threading
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import paths
from pipelines.extract import lines as lines_
from pipelines.extract import load, sources
from pipelines.extract.contracts import Contract
from pipelines.extract.lines import OWN, STANDARD, Lines
from pipelines.extract.log import Log
from pipelines.extract.wire import Packed

from .conftest import Source


def text_of(value: str) -> str:
    return "CONVERT(0x" + value.encode().hex() + " USING utf8mb4)" if value else "''"


_NASTY = [
    "",
    "\x02",
    "NULL",
    "\\N",
    "a\nb",
    "a\r\nb",
    "\r",
    "\n",
    "\x1e",
    "\x1d",
    "\x1f",
    "a\x1fb\x1ec\nd",
    "\x00",
    "\u2028",
    "'\"\\,\t",
    "🦉",
    " x ",
]


@pytest.mark.parametrize("chunk", [2, 50_000])
def test_any_text_arrives_as_it_is_first_and_later(source: Source, chunk: int) -> None:
    for value in _NASTY:
        source.sql(f"INSERT INTO other (note) VALUES ({text_of(value)})")
    source.sql("INSERT INTO other (note) VALUES (NULL)")
    source.run(chunk=chunk)
    assert source.state("other", "id, note") == source.rows("other", "id, note") == [*enumerate([*_NASTY, None], 1)]

    source.sql("UPDATE other SET note = CONCAT('again', note)")
    source.run(chunk=chunk)
    assert source.state("other", "id, note") == source.rows("other", "id, note")
    assert sum(done.repaired for done in source.run(reconcile=True).tables) == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(notes=st.lists(st.one_of(st.none(), st.text(st.sampled_from('ab\n\r\x1d, \x1f\x02\\"é🦉'), max_size=6)), min_size=1, max_size=9))
@pytest.mark.parametrize("form", [OWN, STANDARD])
@pytest.mark.parametrize("utf8", [(), ("note",)])
def test_lines_give_back_every_text(source: Source, notes: list[str | None], form: tuple[str, int], utf8: tuple[str, ...]) -> None:
    source.sql("DELETE FROM other")
    for note in notes:
        source.sql(f"INSERT INTO other (note) VALUES ({'NULL' if note is None else text_of(note)})")
    table = read_lines(source, Lines(contract_of(source, "other"), utf8, form), "other")
    assert table is not None
    assert table["note"].to_pylist() == notes
    assert [(key,) for key in table["id"].to_pylist()] == source.rows("other", "id")


def read_lines(source: Source, lines: Lines, table: str) -> pa.Table | None:
    with sources.connect() as database, database.snapshot() as snapshot:
        connection = snapshot._connection  # type: ignore[attr-defined]
        connection.query(f"SELECT {lines.sql} FROM {table} ORDER BY id")
        return lines.table(Packed.of([line for (line,) in connection.store_result().fetch_row(maxrows=0)]))


def contract_of(source: Source, table: str) -> Contract:
    return next(contract for contract in source.contracts() if contract.table == table)


_EDGES = [0, 1, -1, 2**53 - 1, 1 - 2**53, 2**53, 2**53 + 1, -(2**53), -(2**53) - 1, 2**63 - 1, -(2**63)]


@pytest.mark.parametrize("chunk", [2, 50_000])
def test_whole_numbers_beyond_a_double_arrive_exactly_and_later_chunks_read_them_as_lines(
    source: Source, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    for amount in _EDGES:
        source.sql(f"INSERT INTO item (name, amount) VALUES ('x', {amount})")
    by_value: list[str] = []
    rows = sources._MySQLSnapshot._rows
    monkeypatch.setattr(sources._MySQLSnapshot, "_rows", lambda self, contract, rest: by_value.append(rest) or rows(self, contract, rest))
    assert not source.run(chunk=chunk).stopped
    assert [amount for (amount,) in source.state("item", "amount")] == _EDGES
    assert 1 <= len(by_value) <= 4 and (chunk > 2 or len(by_value) < len(_EDGES) // 2), "one, and those that were under way"


def test_keys_beyond_a_double_are_followed_in_their_order(source: Source) -> None:
    keys = [2**53 - 1, *(2**53 + number for number in range(9)), 2**63 - 1]
    for key in keys:
        source.sql(f"INSERT INTO item (id, name) VALUES ({key}, 'x')")
    assert not source.run(chunk=2).stopped
    assert [key for (key,) in source.state("item", "id")] == keys
    source.sql("UPDATE item SET amount = 5")
    source.run(chunk=3)
    assert source.state() == source.rows()


_LOOKS = [0.0, -0.0, 0.1, 1e300, -1.7976931348623157e308, 2.2250738585072014e-308, 5e-324, 1 / 3, None]


def test_doubles_decimals_and_days_arrive_to_the_last_bit(source: Source) -> None:
    (source.folder / "contracts" / "figures.toml").write_text(
        'table = "figures"\nkey = "id"\nstamp = "updated_at"\npersonal_data = false\n[columns]\n'
        'id = { type = "bigint", nullable = false }\nupdated_at = { type = "timestamp", nullable = false }\n'
        'look = { type = "double", nullable = true }\none = { type = "decimal(20,4)", nullable = true }\n'
        'two = { type = "decimal(30,0)", nullable = true }\nseen = { type = "timestamp", nullable = true }\n'
        'name = { type = "varchar(9)", nullable = true }\n'
    )
    source.sql(
        "CREATE TABLE figures (id BIGINT PRIMARY KEY, updated_at DATETIME(6) NOT NULL, look DOUBLE, one DECIMAL(20,4), two DECIMAL(30,0),"
        " seen DATETIME(6), name VARCHAR(9) CHARACTER SET latin1)"
    )
    exact = [None, "-1234567890123456.7891", "0.0001", "123456789012345678901234567890"]
    for key, look in enumerate(_LOOKS):
        one, two = (exact[(key + more) % 3] for more in (0, 1))
        whole = exact[3] if key % 2 else None
        source.sql(
            f"INSERT INTO figures VALUES ({key}, '2026-01-01', {'NULL' if look is None else repr(look)}, {one or 'NULL'}, {whole or 'NULL'},"
            f" {'NULL' if two is None else repr('0999-12-31 23:59:59.999999')}, {'NULL' if look is None else repr('Ã©,')})"
        )
    assert not source.run().stopped
    kept = source.state("figures", "look, one, two, seen, name")
    assert kept == source.rows("figures", "look, one, two, seen, name")
    assert [look and look.hex() for look, *_ in kept] == [look and look.hex() for look in _LOOKS]


@pytest.mark.parametrize("form", [OWN, STANDARD])
def test_days_and_instants_that_are_none_are_not_told(source: Source, form: tuple[str, int]) -> None:
    """A server told to keep them holds days that no calendar has; to make others of them would be silent."""
    (source.folder / "contracts" / "days.toml").write_text(
        'table = "days"\nkey = "id"\nstamp = "updated_at"\npersonal_data = false\n[columns]\nid = { type = "bigint", nullable = false }\n'
        'updated_at = { type = "timestamp", nullable = false }\nday = { type = "date", nullable = true }\n'
        'seen = { type = "timestamp", nullable = true }\n'
    )
    source.sql("CREATE TABLE days (id BIGINT PRIMARY KEY, updated_at DATETIME(6) NOT NULL, day DATE, seen DATETIME(6))")
    good = [date(1, 1, 1), date(1900, 2, 28), date(2000, 2, 29), date(2024, 2, 29), date(9999, 12, 31)]
    lines = Lines(contract_of(source, "days"), (), form)
    for key, day in enumerate(good):
        source.sql(f"INSERT INTO days VALUES ({key}, '2026-01-01 23:59:59.999999', '{day}', '{day} 23:59:59.999999')")
    source.sql("INSERT INTO days VALUES (99, '1969-12-31 23:59:59.999999', NULL, NULL)")
    table = read_lines(source, lines, "days")
    assert table is not None
    assert table["day"].to_pylist() == [*good, None]
    assert table["seen"].to_pylist() == [*[datetime(day.year, day.month, day.day, 23, 59, 59, 999_999) for day in good], None]
    assert table["updated_at"].to_pylist() == [datetime(2026, 1, 1, 23, 59, 59, 999_999)] * len(good) + [
        datetime(1969, 12, 31, 23, 59, 59, 999_999)
    ]
    for none in ("2026-02-31", "1900-02-29", "2026-00-01", "2026-01-00", "0000-00-00"):
        for column in ("day", "seen", "updated_at"):
            source.sql("SET sql_mode = 'ALLOW_INVALID_DATES'")
            source.sql("DELETE FROM days")
            source.sql("INSERT INTO days VALUES (1, '2026-01-01', NULL, NULL)")
            assert read_lines(source, lines, "days") is not None
            source.sql(f"UPDATE days SET {column} = '{none}'")
            assert read_lines(source, lines, "days") is None, (none, column)


_MINUTE = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999))


@settings(deadline=None)
@given(
    st.lists(_MINUTE, min_size=1, max_size=9), st.sampled_from(["cut off", "as exactly as a double has it", "rounded within the minute"])
)
def test_instants_are_told_whether_a_server_cuts_seconds_off_or_rounds_them(instants: list[datetime], seconds: str) -> None:
    micros = [float(at.second * 1_000_000 + at.microsecond) for at in instants]
    minutes = [int(at.strftime("%Y%m%d%H%M").zfill(12)) * 100 for at in instants]
    make = {
        "cut off": lambda minute, micro: float(minute + micro // 1_000_000),
        "as exactly as a double has it": lambda minute, micro: minute + micro // 1_000_000 + micro % 1_000_000 / 1_000_000,
        "rounded within the minute": lambda minute, micro: float(minute + min(round(micro / 1_000_000), 60)),
    }[seconds]
    digits = np.array([make(minute, micro) for minute, micro in zip(minutes, micros, strict=True)])
    assert lines_._instants(digits, np.array(micros), None).to_pylist() == instants


def test_instant_that_a_server_rounded_into_the_next_minute_is_not_told() -> None:
    with pytest.raises(pa.ArrowInvalid):
        lines_._instants(np.array([20260201000000.0]), np.array([59_999_999.0]), None)
    for digits, micros in (
        (20260131236000.0, 0.0),
        (20260131240000.0, 0.0),
        (20260131000000.0, 6e7),
        (20260131000000.0, -1.0),
        (1e300, 0.0),
    ):
        with pytest.raises(pa.ArrowInvalid):
            lines_._instants(np.array([digits]), np.array([micros]), None)


def test_last_line_of_a_chunk_tells_its_stamp_as_the_database_writes_it(source: Source) -> None:
    lines = Lines(contract_of(source, "item"), (), OWN)
    for stamp in ("2026-01-31 23:59:59.999999", "2026-01-31 00:00:00.000001", "0999-12-31 00:10:00.100000"):
        source.sql(f"REPLACE INTO item (id, name, updated_at) VALUES (7, 'x', '{stamp}')")
        with sources.connect() as database, database.snapshot() as snapshot:
            connection = snapshot._connection  # type: ignore[attr-defined]
            connection.query(f"SELECT {lines.sql} FROM item")
            [(line,)] = connection.store_result().fetch_row(maxrows=0)
        assert lines.stamp_and_key(line) == (stamp, "7")
        if stamp.endswith("23:59:59.999999"):
            carried = bytearray(line)
            struct.pack_into("<d", carried, OWN[1], 20260201000000.0)
            assert lines.stamp_and_key(bytes(carried)) is None


def test_text_that_ends_within_a_character_is_not_told(source: Source) -> None:
    """Both texts together are UTF-8, and neither is one."""
    source.sql("INSERT INTO item (name) VALUES ('aé')")
    lines = Lines(contract_of(source, "item"), ("name",), OWN)
    with sources.connect() as database, database.snapshot() as snapshot:
        connection = snapshot._connection  # type: ignore[attr-defined]
        connection.query(f"SELECT {lines.sql} FROM item")
        [(line,)] = connection.store_result().fetch_row(maxrows=0)
    at = line.index("aé".encode())
    whole, cut = lines.table(Packed.of([line])), "aé".encode()[:2]
    assert whole is not None
    assert whole["name"].to_pylist() == ["aé"]
    length = line.rindex(struct.pack("<d", 3.0), 0, at)
    parts = [line[:length] + struct.pack("<d", float(size)) + line[length + 8 : at] for size in (2, 1)]
    broken = Packed.of([parts[0] + cut + line[at + 3 :], parts[1] + "é".encode()[1:] + line[at + 3 :]])
    assert lines.table(broken) is None


def test_first_load_is_in_the_order_of_keys_and_followed_by_its_changes(source: Source) -> None:
    source.sql("INSERT INTO item (id, name, amount, updated_at) SELECT 7 * seq, CONCAT('n', seq), seq, '2026-01-01' FROM seq_1_to_1000")
    first = source.run(chunk=64, reconcile=True)
    assert [(done.table, done.rows, done.repaired) for done in first.tables if done.rows] == [("item", 1000, 0)]
    assert source.warehouse("SELECT id FROM raw.item") == source.rows(columns="id")
    source.sql("UPDATE item SET amount = -1 WHERE id IN (7, 700)")
    source.delete(14)
    second = source.run(chunk=64)
    assert [(done.rows, done.deletes) for done in second.tables if done.table == "item"] == [(2, 1)]
    assert source.state() == source.rows()


def test_longer_rows_make_chunks_of_fewer(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "FIRST", 10)
    monkeypatch.setattr(sources, "CHUNK_BYTES", 20_000)
    source.sql("INSERT INTO other (note) SELECT REPEAT('x', IF(seq > 300, 5000, 50)) FROM seq_1_to_420")
    asked: list[int] = []
    fetch = sources._MySQLSnapshot._fetch

    def counted(self: Any, lines: Any, rest: str) -> Any:
        got = fetch(self, lines, rest)
        if lines.contract.table == "other":
            asked.append(int(rest.rpartition(" ")[2]))
        return got

    monkeypatch.setattr(sources._MySQLSnapshot, "_fetch", counted)
    source.run(chunk=300)
    assert source.state("other", "id, note") == source.rows("other", "id, note")
    assert asked[0] == 10
    assert 100 < asked[1] < 300
    assert 1 <= min(asked[2:]) < 10


def test_first_load_whose_chunks_lack_the_sources_checksum_is_compared_by_blocks(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a text had changed on its way: what was read is not what the source says it sent."""
    source.sql("INSERT INTO item (name) VALUES ('a'), ('b')")
    original = sources._MySQLSnapshot._fetch

    def garbled(self: Any, lines: Any, rest: str) -> Any:
        got = original(self, lines, rest)
        return dataclasses.replace(got, lines=Packed.of([bytes(line).replace(b"a", b"z") for line in got.lines.pack().each()]))

    with monkeypatch.context() as patch:
        patch.setattr(sources._MySQLSnapshot, "_fetch", garbled)
        report = source.run()
    assert [done.stopped for done in report.stopped] == ["item: 1 key blocks of the first load differ from the source"]
    assert source.state() == []
    source.run()
    assert source.names() == ["a", "b"]


@pytest.mark.parametrize("chains", [True, False])
def test_checksum_of_the_source_is_compared_with_the_lines_received(source: Source, monkeypatch: pytest.MonkeyPatch, chains: bool) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a'), ('b'), ('c')")
    seen: list[bool] = []
    monkeypatch.setattr(load, "_compare", lambda db, snapshot, contract, path: seen.append(snapshot.verified))
    monkeypatch.setattr(sources.MySQLSource, "_chains", lambda self: chains)
    source.run()
    assert seen == [], "the source's checksum is that of the lines"

    shutil.rmtree(paths.raw())
    monkeypatch.setattr(sources, "crc32", lambda line: 1)
    source.run()
    assert seen == [False]


def test_file_that_reads_back_differently_is_not_believed(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if one value had changed between the memory and the disk."""
    source.sql("INSERT INTO item (name, amount) VALUES ('a', 1), ('b', 2)")
    write = load.pq.ParquetWriter.write_table

    def garbled(self: Any, table: pa.Table, **how: Any) -> None:
        place = table.schema.get_field_index("name")
        names = pa.array(["a", "c"]) if len(table) == 2 else table["name"]
        write(self, table.set_column(place, "name", names), **how)

    with monkeypatch.context() as patch:
        patch.setattr(load.pq.ParquetWriter, "write_table", garbled)
        report = source.run()
    [stopped] = [done for done in report.stopped if done.table == "item"]
    assert "what was written reads back differently" in stopped.stopped
    assert source.state() == []
    source.run()
    assert source.names() == ["a", "b"]


_ROWS = st.lists(st.tuples(st.sampled_from([None, -1, 0, 2]), st.sampled_from([None, "", "a", "aé", "\x00"])), max_size=6)


def _columns(rows: list[tuple[int | None, str | None]]) -> pa.Table:
    figures, texts = [figure for figure, _ in rows], [text for _, text in rows]
    return pa.table(
        {
            "flag": pa.array([None if one is None else one > 0 for one in figures], pa.bool_()),
            "small": pa.array(figures, pa.int8()),
            "exact": pa.array(figures, pa.decimal128(20, 4)),
            "text": pa.array(texts, pa.string()),
        }
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ROWS, _ROWS, st.integers(0, 6))
def test_digests_are_equal_for_equal_columns_however_they_lie_and_else_differ(rows: list[Any], others: list[Any], cut: int) -> None:
    table, other = _columns(rows), _columns(others)
    pieces = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    longer = pa.concat_tables([other, table, other]).combine_chunks()
    assert load.digest(table) == load.digest(pieces) == load.digest(longer.slice(len(other), len(table)))
    assert (load.digest(table) == load.digest(other)) == table.equals(other)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.bool_(), pa.int8(), pa.int32(), pa.date32(), pa.timestamp("us"), pa.float64(), pa.decimal128(20, 4)]
)
def test_digests_do_not_depend_on_what_lies_below_a_null(kind: pa.DataType) -> None:
    text = pa.array(["1", "0", "1", "1"])
    figures = text if kind == pa.string() else text.cast(pa.int32()).cast(pa.int64() if pa.types.is_timestamp(kind) else pa.int32())
    full = figures.cast(kind)
    some = pa.py_buffer(bytes([0b0101]))
    hidden = pa.Array.from_buffers(kind, 4, [some, *full.buffers()[1:]])
    clean = pa.array([one if number % 2 == 0 else None for number, one in enumerate(full.to_pylist())], kind)
    assert hidden.equals(clean)
    assert load.digest(pa.table({"a": hidden})) == load.digest(pa.table({"a": clean}))
    assert load.digest(pa.table({"a": hidden})) != load.digest(pa.table({"a": full}))
    assert load.digest(pa.table({"a": hidden.slice(1)})) == load.digest(pa.table({"a": clean.slice(1)}))


def test_numbers_are_packed_lightly_and_texts_well(source: Source) -> None:
    source.sql("INSERT INTO other (note) SELECT MD5(seq) FROM seq_1_to_200")
    source.run()
    [name] = Log(paths.raw()).manifest().tables["other"].files
    held = pq.read_metadata(paths.raw() / name).row_group(0)
    codecs = {held.column(number).path_in_schema: held.column(number).compression for number in range(held.num_columns)}
    assert codecs["note"] == "ZSTD"
    assert {codec for column, codec in codecs.items() if column != "note"} == {"SNAPPY"}


def test_row_put_back_as_it_was_is_not_taken_for_the_row_the_log_once_held(source: Source) -> None:
    stamps = ("2037-01-01", "2036-01-01", "2037-01-01")
    for amount, stamp in zip((1, 2, 1), stamps, strict=True):
        source.sql(f"REPLACE INTO item (id, name, amount, updated_at) VALUES (1, 'x', {amount}, '{stamp}')")
        source.run()
    assert source.state() == source.rows()
    assert [amount for (amount,) in source.warehouse("SELECT amount FROM raw.item ORDER BY _run_seq")] == [1, 2, 1]
    source.run()
    assert len(source.warehouse("SELECT * FROM raw.item")) == 3


def test_big_file_is_not_written_again_for_small_ones(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.extract.log.MERGE_ABOVE", 4)
    source.sql("INSERT INTO item (name, updated_at) SELECT MD5(seq), '2026-01-01' FROM seq_1_to_3000")
    source.run()
    [big] = Log(paths.raw()).manifest().tables["item"].files
    for number in range(9):
        source.sql(f"UPDATE item SET amount = {number} WHERE id = {number + 1}")
        source.run()
        held = Log(paths.raw()).manifest().tables["item"].files
        assert held[0] == big and len(held) <= 4
    assert source.state() == source.rows()
    assert len(source.warehouse("SELECT * FROM raw.item")) == 3009


def test_files_lie_by_day_and_the_day_is_no_column(source: Source) -> None:
    source.sql("INSERT INTO item (name) VALUES ('a')")
    source.run()
    [name] = Log(paths.raw()).manifest().tables["item"].files
    table, day, file = name.split("/")
    assert (table, day[:9], file) == ("item", "run_date=", "00000001.parquet")
    assert "run_date" not in [column for column, *_ in source.warehouse("DESCRIBE raw.item")]


def test_items_are_made_ahead_up_to_a_depth_and_no_more_once_dropped() -> None:
    made: list[int] = []
    enough = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            if len(made) == 4:
                enough.set()
            yield number

    items = sources.ahead(numbers(), depth=2)
    assert next(items) == 0
    assert enough.wait(10), "one is asked for, two wait, one is in hand"
    items.close()
    assert len(made) <= 5
    assert not any(thread.name == "extract-ahead" for thread in threading.enumerate())


def test_what_fails_ahead_is_raised_where_the_items_are_asked_for() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    items = sources.ahead(broken())
    assert next(items) == 1
    with pytest.raises(OSError, match="gone"):
        next(items)
