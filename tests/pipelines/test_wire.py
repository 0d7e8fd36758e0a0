"""Answers of the server read beside the driver: the same rows as the driver's, or nothing that is believed."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import MySQLdb
import pytest

from pipelines import paths
from pipelines.extract import load, sources, wire

from .conftest import Source

MARK = b"\x01MARK"


@pytest.fixture
def line(source: Source) -> Iterator[tuple[Any, wire.Wire]]:
    with sources.connect() as database, database.snapshot() as snapshot:
        assert snapshot._wire is not None, "a connection by the machine's own socket is neither encrypted nor compressed"  # type: ignore[attr-defined]
        yield snapshot._connection, snapshot._wire  # type: ignore[attr-defined]


def both(line: tuple[Any, wire.Wire], sql: str, at: int = 0) -> tuple[list[bytes], list[bytes]]:
    """The rows by the wire and by the driver, on the same connection."""
    connection, read = line
    got = read.read(sql, MARK, at)
    last = [got.last()] if len(got) else []
    packed = got.pack()
    assert packed is not None
    rows = [bytes(row) for row in packed.each()]
    assert rows[-1:] == last
    driven = sources._received(connection, sql)
    assert driven is not None
    return rows, [bytes(row) for row in driven.each()]


@pytest.mark.parametrize("lengths", [[0], [0, 1, 250, 251, 252, 65_535, 65_536, 70_000], [1 << 20, 3], [(1 << 24) - 100]])
def test_texts_of_every_length_arrive(line: tuple[Any, wire.Wire], lengths: list[int]) -> None:
    rows, driven = both(line, " UNION ALL ".join(f"SELECT REPEAT('x', {length})" for length in lengths))
    assert [len(row) for row in rows] == lengths
    assert rows == driven


def test_an_answer_without_rows_is_one(line: tuple[Any, wire.Wire]) -> None:
    assert both(line, "SELECT id FROM item WHERE id < 0") == ([], [])


@pytest.mark.parametrize("longest", [9, 240, 300])
def test_many_rows_are_found_side_by_side(line: tuple[Any, wire.Wire], monkeypatch: pytest.MonkeyPatch, longest: int) -> None:
    alone: list[int] = []
    one_by_one = wire._one_by_one
    monkeypatch.setattr(wire, "_one_by_one", lambda *of: alone.append(of[2] - of[1]) or one_by_one(*of))
    sql = f"SELECT CONCAT('at', x'{MARK.hex()}', REPEAT(seq MOD 10, seq * 7919 MOD {longest}), seq) FROM seq_1_to_60000"
    rows, driven = both(line, sql, at=2)
    assert len(rows) == 60_000
    assert rows == driven
    assert sum(alone) < 60_000 * longest // 3, "the answer is not followed one by one"


def test_texts_that_look_like_rows_mislead_nobody(line: tuple[Any, wire.Wire]) -> None:
    """Each text holds the head of a packet and the mark where a row has it."""
    head = (1 + len(MARK)).to_bytes(3, "little") + b"\x07" + bytes([len(MARK)]) + MARK
    rows, driven = both(line, f"SELECT CONCAT(REPEAT('a', seq MOD 90), x'{head.hex()}', REPEAT('b', seq MOD 80)) FROM seq_1_to_20000")
    assert len(rows) == 20_000
    assert rows == driven


@pytest.mark.parametrize("text", ["NULL", f"REPEAT('x', {(1 << 24) - 1})"])
def test_what_is_not_told_is_refused_and_the_connection_goes_on(line: tuple[Any, wire.Wire], text: str) -> None:
    for sql in (f"SELECT {text}", f"SELECT 'a' UNION ALL SELECT {text} UNION ALL SELECT 'b'"):
        assert line[1].read(sql, MARK, 0).pack() is None
    assert both(line, "SELECT 1") == ([b"1"], [b"1"])


def test_a_fault_is_raised_also_after_many_rows(line: tuple[Any, wire.Wire]) -> None:
    many = "SELECT IF(t.seq = 30000, (SELECT s.seq FROM seq_1_to_2 s WHERE t.seq > s.seq), t.seq) FROM seq_1_to_40000 t"
    for sql, number in (("SELECT nothing FROM item", 1054), (many, 1242)):
        with pytest.raises(MySQLdb.OperationalError) as fault:
            line[1].read(sql, MARK, 0)
        assert fault.value.args[0] == number
    assert both(line, "SELECT 1") == ([b"1"], [b"1"])


def test_a_connection_that_is_ended_is_told(line: tuple[Any, wire.Wire], source: Source) -> None:
    connection, read = line
    number = connection.thread_id()
    with ThreadPoolExecutor(1) as aside:
        answer = aside.submit(read.read, "SELECT seq, SLEEP(60 * (seq = 3)) FROM seq_1_to_3", MARK, 0)
        at_work = f"SELECT COUNT(*) FROM information_schema.processlist WHERE id = {number} AND info LIKE '%SLEEP(60%'"
        while source.sql(at_work) != [(1,)]:
            assert not answer.done()
        source.sql(f"KILL {number}")
        with pytest.raises(MySQLdb.OperationalError):
            answer.result(timeout=30)


def test_a_server_may_rest_within_an_answer(line: tuple[Any, wire.Wire]) -> None:
    assert line[1].read("SELECT IF(seq MOD 2, seq, SLEEP(0.05)) FROM seq_1_to_5", MARK, 0).pack().text.to_pybytes() == b"10305"  # type: ignore[union-attr]


def packet(number: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "little") + bytes([number & 255]) + content


COLUMN = [packet(1, b"\x01"), packet(2, b"\x03def and so on")]
AFTER = b"\xfe\0\0\2\0"


@pytest.mark.parametrize(
    ("end", "after_columns"),
    [(AFTER, True), (b"\xfe\0\0\2\0\0\0", False), (b"\xfe\0\0\2\0\0\0and what changed in the session", False)],
)
@pytest.mark.parametrize("rows", [0, 1, 300])
def test_every_end_of_an_answer_is_known(end: bytes, after_columns: bool, rows: int) -> None:
    parts = [*COLUMN, *([packet(3, AFTER)] if after_columns else [])]
    first = len(b"".join(parts))
    parts += [packet(len(parts) + 1 + row, b"\x02ab") for row in range(rows)]
    whole = bytearray(b"".join([*parts, packet(len(parts) + 1, end)]))
    found = wire._Chain(MARK, 0).whole(whole, len(whole))
    assert found is not None
    assert found.tolist() == [*range(first, first + 7 * rows + 1, 7)]
    for cut in range(1, len(whole) if rows < 9 else 9):
        assert wire._Chain(MARK, 0).whole(whole, len(whole) - cut) is None


def test_answer_whose_last_packet_has_not_arrived_whole_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_STRIDE", 100)
    rows = [packet(4 + row, bytes([len(MARK) + 30]) + MARK + b"x" * 30) for row in range(300)]
    fault = packet(304, b"\xff\x01\x02#HY000 something long about what went wrong")
    whole = bytearray(b"".join([*COLUMN, packet(3, AFTER), *rows, fault]))
    assert wire._Chain(MARK, 0).whole(whole, len(whole)) is not None
    for cut in range(1, 30):
        assert wire._Chain(MARK, 0).whole(whole, len(whole) - cut) is None


@pytest.mark.parametrize("pieces", [1, 7, 1000, 30_000])
def test_an_answer_is_followed_while_it_arrives(monkeypatch: pytest.MonkeyPatch, line: tuple[Any, wire.Wire], pieces: int) -> None:
    """In pieces of any size, with and without marks by which rows are found, and with texts that look like the head of one."""
    monkeypatch.setattr(wire, "_PIECE", 2000)
    monkeypatch.setattr(wire, "_STRIDE", 100)
    false, about = packet(7, bytes([len(MARK)]) + MARK), 5_000 if pieces == 1 else 30_000
    for size, marked in itertools.product((1, 40, 3000), (1, 2, 5, 1 << 30)):
        texts = [MARK * (n % marked == 0) + bytes([n & 255]) * (n * 7919 % size) + false * (n % 3 == 0) for n in range(about // size + 20)]
        rows = [
            packet(4 + n, bytes([len(t)]) + t if len(t) < 251 else b"\xfc" + len(t).to_bytes(2, "little") + t) for n, t in enumerate(texts)
        ]
        arriving = b"".join([*COLUMN, packet(3, AFTER), *rows, packet(4 + len(rows), AFTER)])
        memory, chain, have = bytearray(len(arriving)), wire._Chain(MARK, 0), 0
        for filled in [*range(pieces, len(arriving), pieces), len(arriving)]:
            memory[have:filled] = arriving[have:filled]
            have = filled
            chain.follow(memory, filled)
            if filled < len(arriving) and filled % 11 == 0:
                assert chain.whole(memory, filled) is None
        found = chain.whole(memory, len(memory))
        assert found is not None
        packed = wire.Sent(line[1], memory, found[:-1]).pack()
        assert packed is not None
        assert [bytes(each) for each in packed.each()] == texts


@pytest.mark.parametrize("missing", [4, 5, 6])
def test_a_packet_that_is_missing_is_noticed(line: tuple[Any, wire.Wire], missing: int) -> None:
    rows = [packet(number, b"\x01a") for number in (4, 5, 6) if number != missing]
    whole = bytearray(b"".join([*COLUMN, packet(3, AFTER), *rows, packet(7, AFTER)]))

    def read() -> None:
        found = wire._Chain(MARK, 0).whole(whole, len(whole))
        assert found is not None
        wire.Sent(line[1], whole, found[:-1]).pack()

    with pytest.raises(MySQLdb.OperationalError):
        read()


def test_where_no_wire_can_be_read_the_driver_brings_the_same(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    source.sql("INSERT INTO item (name, amount) SELECT CONCAT('n', seq), seq FROM seq_1_to_100")
    compared: list[str] = []
    monkeypatch.setattr(load, "_compare", lambda db, snapshot, contract, path: compared.append(contract.table))
    source.run(chunk=30)
    by_wire = source.state()
    shutil.rmtree(paths.raw())
    monkeypatch.setattr(sources, "_wire", lambda connection: contextlib.nullcontext(None))
    source.run(chunk=30)
    assert source.state() == by_wire == source.rows()
    assert compared == []
