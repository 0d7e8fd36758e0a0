"""Rows of MySQL as one string of bytes each, and those strings as columns.

A driver makes an object of every value. A line makes one of every row, and its fields lie at places that are known or told, so that
thousands of lines become exact columns by a few moves of memory. In this order it holds

- numbers as doubles, two in each point of a LINESTRING, which keeps them in eight bytes each: writing its doubles as text costs a server more
  than reading the whole row. Whole numbers below 2⁵³ pass through a double exactly. Here lie also the lengths of the texts, days as the number
  that their digits make (20260131), and instants as two: the number of their digits (20260131235958), and the microseconds of their minute;
- hashes, which are always as long;
- the texts, in UTF-8;
- decimals as text, with commas between them.

A chunk with a whole number from 2⁵³ on is for its reader to read value by value; the lines that come `next` write that column among the decimals.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .contracts import Contract
from .types import Type, dashed
from .wire import Packed

#: How a server gives the bytes of a LINESTRING, and how many come before its doubles. MySQL's standard form, and MariaDB's own, which it need not copy.
STANDARD, OWN = ("ST_AsBinary(LINESTRING({}))", 9), ("LINESTRING({})", 13)
#: What comes right before the number of points.
_POINTS = bytes.fromhex("0102000000")
_EXACT = 1 << 53
_HASH = 64
_LONGEST = (1 << 31) - 1
#: Rows whose numbers are put in columns at once: so many that they stay in the processor's own memory meanwhile.
_BLOCK = 2048


class Lines:
    """The lines of one table: how MySQL makes them (`sql`) and what they hold.

    `utf8`: columns whose texts the server keeps in UTF-8, and need not convert. `wide`: whole numbers that a double may not hold.
    """

    def __init__(
        self, contract: Contract, utf8: Collection[str] = (), form: tuple[str, int] = STANDARD, wide: frozenset[str] = frozenset()
    ) -> None:
        self.contract = contract
        #: The lines that later chunks are to be read in, once this one could not tell a number.
        self.next: Lines | None = None
        self._made_of = (contract, utf8, form)
        self._wide = wide
        # A number nobody can know beforehand stands for NULL.
        self._null = (1 + secrets.randbits(52) / (1 << 52)) * 2.0**-900
        kinds = {name: column.type for name, column in contract.columns.items()}
        self._hashed = [name for name, kind in kinds.items() if kind.family == "hashed"]
        self._texts = [name for name, kind in kinds.items() if kind.arrow == pa.string() and kind.family != "hashed"]
        self._tail = [name for name, kind in kinds.items() if kind.family == "decimal" or name in wide]
        apart = {*self._hashed, *self._texts, *self._tail}
        # The stamp first and the key next: what a chunk ends with is asked of its last line.
        first = {contract.stamp: 0, contract.key: 1}
        self._numbers = sorted((name for name in kinds if name not in apart), key=lambda name: first.get(name, 2))

        read = {name: kind.read_mysql(f"`{name}`") for name, kind in kinds.items()}
        for name in self._texts:
            if name not in utf8:
                read[name] = f"CONVERT({read[name]} USING utf8mb4)"
        null, slots = repr(self._null), []
        for name in self._numbers:
            # Beside a double what stands for NULL, days and instants would become text.
            digits = f"{read[name]} + 0e0" if kinds[name].family in ("timestamp", "date") else read[name]
            slots.append(self._or(name, digits, null) if contract.columns[name].nullable else read[name])
            if kinds[name].family == "timestamp":
                slots.append(self._or(name, f"EXTRACT(SECOND_MICROSECOND FROM {read[name]})", "0"))
        slots += [self._or(name, f"LENGTH({read[name]})", null) for name in self._texts]
        self._slots = len(slots)
        # Two points at least make a line.
        slots += ["0"] * (max(len(slots) + len(slots) % 2, 4) - len(slots))
        point, self._before = form
        fields = [point.format(", ".join(f"POINT({x}, {y})" for x, y in zip(slots[::2], slots[1::2], strict=True)))]
        fields += [self._or(name, read[name], f"'{' ' * _HASH}'") for name in self._hashed]
        # Bytes among bytes: a server that has to bring characters and bytes together does it one by one. (CAST … AS BINARY copies them.)
        fields += [f"CONVERT({self._or(name, read[name], repr(''))} USING binary)" for name in self._texts]
        fields.append(", ',', ".join(self._or(name, read[name], repr("")) for name in self._tail))
        self.sql = f"CONCAT({', '.join(filter(None, fields))})"
        #: Bytes that each line has, and from which place on.
        self.mark = _POINTS + struct.pack("<I", len(slots) // 2), self._before - len(_POINTS) - 4
        self._width = self._before + 8 * len(slots)

    def _or(self, name: str, read: str, other: str) -> str:
        return f"IFNULL({read}, {other})" if self.contract.columns[name].nullable else read

    def stamp_and_key(self, line: bytes) -> tuple[str, str] | None:
        """The row's stamp and key as the database writes them; None when the key cannot be told."""
        digits, micros, figure = struct.unpack_from("<ddd", line, self._before)
        minute, second = int(digits // 100), micros / 1_000_000
        if abs(digits - minute * 100 - second) >= 1:
            return None
        told = f"{minute:012d}"
        stamp = f"{told[:4]}-{told[4:6]}-{told[6:8]} {told[8:10]}:{told[10:]}:{int(second):02d}.{int(micros) % 1_000_000:06d}"
        key = self.contract.key
        if key in self._wide:
            table = self.table(Packed.of([line]))
            return None if table is None else (stamp, str(table[key][0].as_py()))
        return (stamp, str(int(figure))) if abs(figure) < _EXACT else None

    def table(self, lines: Packed) -> pa.Table | None:
        """The rows of `lines`, in the contract's exact types and in their order; None when some value cannot be told."""
        text, (mark, place) = lines.text, self.mark
        if len(text) > _LONGEST:
            return None
        ends = lines.ends
        starts = np.concatenate([np.zeros(1, ends.dtype), ends[:-1]])
        if bytes(memoryview(text)[place : place + len(mark)]) != mark or (ends - starts).min() < self._width:
            return None
        data = pa.py_buffer(text)
        doubles = self._doubles(data, starts)
        split = len(doubles) - len(self._texts)
        try:
            columns = self._figures(iter(doubles[:split])) | self._strings(data, starts + self._width, ends, doubles[split:])
        except pa.ArrowInvalid:
            return None
        return pa.table({name: columns[name] for name in self.contract.columns})

    def _figures(self, doubles: Iterator[np.ndarray]) -> dict[str, pa.Array]:
        """The columns that travel as doubles. Raises ArrowInvalid when some value cannot be told."""
        found, beyond = {}, set()
        for name in self._numbers:
            kind, figures = self.contract.columns[name].type, next(doubles)
            there = figures != self._null if self.contract.columns[name].nullable else None
            if kind.family == "timestamp":
                found[name] = _instants(figures, next(doubles), there)
            elif kind.family == "date":
                found[name] = _days(figures, there)
            elif kind.family != "double" and not (figures.max() < _EXACT and figures.min() > -_EXACT):
                beyond.add(name)
            else:
                found[name] = _numbers(figures, there, kind)
        if beyond:
            self.next = Lines(*self._made_of, self._wide | beyond)
            raise pa.ArrowInvalid("a double may not hold it")
        return found

    def _strings(self, data: pa.Buffer, at: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> dict[str, pa.Array]:
        """The columns that travel as bytes, from `at` to the `ends`. Raises ArrowInvalid when some value cannot be told."""
        if len(lengths) and not (lengths.min() >= 0 and lengths.max() <= len(data)):
            raise pa.ArrowInvalid("not a length")
        # that of NULL is no length: nothing
        wide = [*[_HASH] * len(self._hashed), *lengths.astype(np.int64)]
        parts = len(wide) + bool(self._tail)
        places = np.empty((len(at), parts + 1), np.int32)
        for number, width in enumerate(wide):
            places[:, number] = at
            at = at + width
        if self._tail:
            places[:, -2] = at
        elif not np.array_equal(at, ends):
            raise pa.ArrowInvalid("not as long as its fields")
        places[:, -1] = ends
        if at.max() > len(data):
            raise pa.ArrowInvalid("not as long as its fields")
        pieces = _cut(data, places, range(parts))
        columns, found = self.contract.columns, {}
        for name, piece in zip(self._hashed, pieces, strict=False):
            found[name] = _where(_bytes(piece)[_offsets(piece)[:-1]] != ord(" ") if columns[name].nullable else None, piece)
        for name, length, piece in zip(self._texts, lengths, pieces[len(self._hashed) :], strict=False):
            text = _where(length != self._null if columns[name].nullable else None, piece)
            found[name] = dashed(text) if columns[name].type.family == "uuid" else text
        for name, piece in zip(self._tail, _split(pieces[-1], len(self._tail)) if self._tail else [], strict=True):
            text = _where(np.diff(_offsets(piece)) > 0 if columns[name].nullable else None, piece)
            found[name] = text.cast(columns[name].type.arrow)
        return found

    def _doubles(self, text: pa.Buffer, starts: np.ndarray) -> np.ndarray:
        """The numbers of the lines, those of one place in all lines beside each other."""
        found = np.empty((self._slots, len(starts)))
        anywhere = np.ndarray((len(text) - self._width + 1,), np.dtype((np.void, self._width)), text, strides=(1,))
        for begin in range(0, len(starts), _BLOCK):
            some = anywhere[starts[begin : begin + _BLOCK]]
            found[:, begin : begin + len(some)] = np.ndarray((self._slots, len(some)), "<f8", some, self._before, (8, self._width))
        return found


def _offsets(texts: pa.StringArray) -> np.ndarray:
    return np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1)


def _bytes(texts: pa.StringArray) -> np.ndarray:
    return np.frombuffer(texts.buffers()[2], np.uint8)


def _where(there: np.ndarray | None, texts: pa.StringArray) -> pa.StringArray:
    return texts if there is None else pa.StringArray.from_buffers(len(texts), *texts.buffers()[1:], _bits(there))


def _bits(there: np.ndarray | None) -> pa.Buffer | None:
    return None if there is None or there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))


def _numbers(figures: np.ndarray, there: np.ndarray | None, kind: Type) -> pa.Array:
    """Raises ArrowInvalid when a number does not fit."""
    if kind.family == "double":
        return pa.Array.from_buffers(pa.float64(), len(figures), [_bits(there), pa.py_buffer(figures.copy())])
    whole = pa.Array.from_buffers(pa.int64(), len(figures), [_bits(there), pa.py_buffer(figures.astype(np.int64))])
    return whole.cast(pa.int8()).cast(pa.bool_()) if kind.family == "boolean" else whole.cast(kind.arrow)


# --------------------------------------------------------------------------- days and instants, by their digits

#: Less than any day or minute, also both together.
_NEVER = -(1 << 40)
_YEARS = (np.arange(10_001) - 1970).astype("M8[Y]").astype("M8[D]").astype(np.int64)
#: Days since the year began, by month and day; those of a leap year come second.
_SINCE = np.full((2, 10_000), _NEVER)
for _leap, _year in enumerate((2023, 2024)):
    for _number in range(365 + _leap):
        _day = date(_year, 1, 1) + timedelta(_number)
        _SINCE[_leap, _day.month * 100 + _day.day] = _number
_LEAPS = np.where(np.diff(_YEARS) == 366, _SINCE.shape[1], 0)
_MINUTES = np.full(10_000, _NEVER)
_MINUTES[np.add.outer(np.arange(24) * 100, np.arange(60)).ravel()] = np.arange(24 * 60)


def _instants(digits: np.ndarray, micros: np.ndarray, there: np.ndarray | None) -> pa.Array:
    """`digits` tell the second, with or without what follows it; `micros` are those since the minute began, exactly.

    Raises ArrowInvalid where they are no instant, or not the same one: a server that rounds seconds may round up to the next minute.
    """
    if there is not None:
        digits = np.where(there, digits, 19700101000000.0)
    if not (digits.min() >= 0 and digits.max() < 1e14 and micros.min() >= 0 and micros.max() < 60_000_000):
        raise pa.ArrowInvalid("not an instant")
    minutes = digits.astype(np.int64) // 100
    days = minutes // 10_000
    since = _since_1970(days) * (24 * 60) + _MINUTES[minutes - days * 10_000]
    if since.min() < _NEVER // 2 or np.abs(digits - minutes * 100.0 - micros * 1e-6).max() >= 1:
        raise pa.ArrowInvalid("not an instant")
    found = since * 60_000_000 + micros.astype(np.int64)
    return pa.Array.from_buffers(pa.timestamp("us"), len(found), [_bits(there), pa.py_buffer(found)])


def _days(digits: np.ndarray, there: np.ndarray | None) -> pa.Array:
    """Raises ArrowInvalid where they are no day."""
    if there is not None:
        digits = np.where(there, digits, 19700101.0)
    if not (digits.min() >= 0 and digits.max() < 1e8):
        raise pa.ArrowInvalid("not a day")
    found = _since_1970(digits.astype(np.int64))
    if found.min() < _NEVER // 2:
        raise pa.ArrowInvalid("not a day")
    return pa.Array.from_buffers(pa.date32(), len(found), [_bits(there), pa.py_buffer(found.astype(np.int32))])


def _since_1970(digits: np.ndarray) -> np.ndarray:
    """The number of each day below the year 10000; far below _NEVER's half where there is none."""
    years = digits // 10_000
    return _YEARS[years] + _SINCE.ravel()[digits - years * 10_000 + _LEAPS[years]]


# --------------------------------------------------------------------------- texts


def _cut(data: pa.Buffer, places: np.ndarray, which: Sequence[int]) -> list[pa.StringArray]:
    """Pieces of `data`: for each number in `which`, what lies in each row between that one of its `places` and the next.

    Raises ArrowInvalid when they do not follow each other, or are not UTF-8.
    """
    if not which:
        return []
    rows, each = places.shape
    flat = places.ravel()
    if flat[-1] > len(data) or (flat[1:] < flat[:-1]).any():
        raise pa.ArrowInvalid("pieces overlap")
    # What lies between two rows is a piece as well.
    pieces = pa.BinaryArray.from_buffers(pa.binary(), len(flat) - 1, [None, pa.py_buffer(flat), data])
    order = np.add.outer(np.array(which, np.int32), np.arange(0, len(flat), each, dtype=np.int32)).ravel()
    _, offsets, text = pc.take(pieces, pa.array(order), boundscheck=False).buffers()
    text = text or pa.py_buffer(b"")
    found = [pa.StringArray.from_buffers(rows, offsets.slice(number * rows * 4, (rows + 1) * 4), text) for number in range(len(which))]
    _check(pa.StringArray.from_buffers(len(order), offsets, text))
    return found


def _check(texts: pa.StringArray) -> None:
    """Raises ArrowInvalid when one is not UTF-8: when all of them as one text are not, or when one begins within a character."""
    begins, size = _offsets(texts)[:-1], _offsets(texts)[-1:]
    pa.BinaryArray.from_buffers(pa.binary(), 1, [None, pa.py_buffer(np.append(np.int32(0), size)), texts.buffers()[2]]).cast(pa.string())
    if (_bytes(texts)[begins[: np.searchsorted(begins, size[0])]] & 0xC0 == 0x80).any():
        raise pa.ArrowInvalid("a text begins within a character")


def _split(texts: pa.StringArray, parts: int) -> list[pa.StringArray]:
    """The `parts` of each text, which has a comma between two of them. Raises ArrowInvalid when one has more or less."""
    if parts == 1:
        return [texts]
    rows = _offsets(texts)
    commas = rows[0] + np.flatnonzero(_bytes(texts)[rows[0] : rows[-1]] == ord(","))
    if len(commas) != len(texts) * (parts - 1):
        raise pa.ArrowInvalid("not as many decimals as columns")
    places = np.empty((len(texts), 2 * parts), np.int32)
    places[:, 0], places[:, -1] = rows[:-1], rows[1:]
    places[:, 1:-1:2] = commas.reshape(len(texts), -1)
    places[:, 2::2] = places[:, 1:-1:2] + 1
    return _cut(texts.buffers()[2], places, range(0, 2 * parts - 1, 2))
