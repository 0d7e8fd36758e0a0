"""Rows of MySQL as one string of bytes each, and those strings as columns.

A driver makes an object of every value. A line makes one of every row, and its fields lie at places that are known or told, so that
thousands of lines become exact columns by a few moves of memory. In this order it holds

- what is always written in the same width: instants (the stamp first), days, hashes;
- numbers as doubles, two in each POINT, which keeps them in eight bytes each: writing its doubles as text costs a server more than reading
  the whole row. Whole numbers below 2⁵³ pass through a double exactly. The lengths of the texts lie here too;
- the texts, in UTF-8;
- decimals as text, each ended by a comma.

A chunk with a whole number from 2⁵³ on is for its reader to read value by value; the lines that come `next` write that column among the decimals.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Collection

import numpy as np
import pyarrow as pa

from .contracts import Contract
from .types import Type, dashed
from .wire import Packed

#: How a server gives the bytes of a POINT, and how many come before its two doubles. MySQL's standard form, and MariaDB's own, which it need not copy.
STANDARD, OWN = ("ST_AsBinary(POINT({}, {}))", 5), ("POINT({}, {})", 9)
_DOUBLES = bytes.fromhex("0101000000")
_EXACT = 1 << 53
_WIDTHS = {"timestamp": 26, "date": 10, "hashed": 64}
_LONGEST = (1 << 31) - 1


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
        self._fixed = sorted((name for name, kind in kinds.items() if kind.family in _WIDTHS), key=lambda name: name != contract.stamp)
        self._texts = [name for name, kind in kinds.items() if kind.arrow == pa.string() and kind.family not in _WIDTHS]
        self._tail = [name for name, kind in kinds.items() if kind.family == "decimal" or name in wide]
        apart = {*self._fixed, *self._texts, *self._tail}
        self._numbers = sorted((name for name in kinds if name not in apart), key=lambda name: name != contract.key)

        read = {name: kind.read_mysql(f"`{name}`") for name, kind in kinds.items()}
        for name in self._texts:
            if name not in utf8:
                read[name] = f"CONVERT({read[name]} USING utf8mb4)"
        slots = [self._or(name, read[name], repr(self._null)) for name in self._numbers]
        slots += [self._or(name, f"LENGTH({read[name]})", repr(self._null)) for name in self._texts]
        slots += ["0"] * (len(slots) % 2)
        point, before = form
        fields = [self._or(name, read[name], f"'{' ' * _WIDTHS[kinds[name].family]}'") for name in self._fixed]
        places = [0]
        for name in self._fixed:
            places.append(places[-1] + _WIDTHS[kinds[name].family])
        #: Bytes that each line has, and from which place on.
        self.mark = _DOUBLES, places[-1] + before - len(_DOUBLES)
        doubles = []
        for first, second in zip(slots[::2], slots[1::2], strict=True):
            fields.append(point.format(first, second))
            begin = places[-1] + before
            doubles += [begin, begin + 8]
            places.append(begin + 16)
        # Bytes among bytes: a server that has to bring characters and bytes together does it one by one. (CAST … AS BINARY copies them.)
        fields += [f"CONVERT({self._or(name, read[name], repr(''))} USING binary)" for name in self._texts]
        fields += [f"{self._or(name, read[name], repr(''))}, ','" for name in self._tail]
        self.sql = f"CONCAT({', '.join(fields)})"
        self._width = places[-1]
        self._layout = np.dtype(
            {
                "names": [*(f"f{name}" for name in self._fixed), *(f"d{number}" for number in range(len(doubles)))],
                "formats": [*(f"V{_WIDTHS[kinds[name].family]}" for name in self._fixed), *["<f8"] * len(doubles)],
                "offsets": [*places[: len(self._fixed)], *doubles],
                "itemsize": self._width,
            }
        )

    def _or(self, name: str, read: str, other: str) -> str:
        return f"IFNULL({read}, {other})" if self.contract.columns[name].nullable else read

    def stamp_and_key(self, line: bytes) -> tuple[str, str] | None:
        """The row's stamp and key as the database writes them; None when the key cannot be told."""
        stamp, key = line[: _WIDTHS["timestamp"]].decode(), self.contract.key
        if key in self._wide:
            table = self.table(Packed.of([line]))
            return None if table is None else (stamp, str(table[key][0].as_py()))
        [figure] = struct.unpack_from("<d", line, self._layout.fields["d0"][1])  # type: ignore[index]
        return (stamp, str(int(figure))) if abs(figure) < _EXACT else None

    def table(self, lines: Packed) -> pa.Table | None:
        """The rows of `lines`, in the contract's exact types and in their order; None when some value cannot be told."""
        text = lines.text
        if len(text) > _LONGEST:
            return None
        ends = lines.ends.astype(np.int32)
        starts = np.concatenate([np.zeros(1, np.int32), ends[:-1]])
        if bytes(memoryview(text)[self.mark[1] : self.mark[1] + len(_DOUBLES)]) != _DOUBLES or (ends - starts).min() < self._width:
            return None
        anywhere = np.ndarray((len(text) - self._width + 1,), np.dtype((np.void, self._width)), text, strides=(1,))
        head = anywhere[starts].view(self._layout)
        try:
            columns = self._columns(pa.py_buffer(text), head, starts + self._width, ends)
        except pa.ArrowInvalid:
            return None
        return columns and pa.table({name: columns[name] for name in self.contract.columns})

    def _columns(self, text: pa.Buffer, head: np.ndarray, at: np.ndarray, ends: np.ndarray) -> dict[str, pa.Array] | None:
        kinds, found, count = self.contract.types, {}, len(at)
        for name in self._fixed:
            field = np.ascontiguousarray(head[f"f{name}"])
            width = field.dtype.itemsize
            there = field.view(np.uint8)[::width] != ord(" ") if self.contract.columns[name].nullable else None
            offsets = np.arange(0, width * count + 1, width, dtype=np.int32)
            array = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(field), _bits(there))
            found[name] = array if kinds[name].family == "hashed" else array.cast(kinds[name].arrow)
        doubles = [head[f"d{number}"] for number in range(len(self._numbers) + len(self._texts))]
        beyond = set()
        for name, double in zip(self._numbers, doubles, strict=False):
            figures = np.ascontiguousarray(double)
            there = figures != self._null if self.contract.columns[name].nullable else None
            if kinds[name].family != "double" and not (np.abs(figures) < _EXACT).all():
                beyond.add(name)
            else:
                found[name] = _numbers(figures, there, kinds[name])
        if beyond:
            self.next = Lines(*self._made_of, self._wide | beyond)
            return None
        odd = np.arange(0, 2 * count - 1, 2, dtype=np.int32)
        for name, double in zip(self._texts, doubles[len(self._numbers) :], strict=True):
            lengths = np.ascontiguousarray(double)
            there = lengths != self._null if self.contract.columns[name].nullable else None
            past = at + lengths.astype(np.int32)  # that of NULL is no length: nothing
            found[name] = _utf8(_cut(text, at, past, odd), there)
            at = past
        found |= {name: dashed(found[name]) for name in self._texts if kinds[name].family == "uuid"}
        if self._tail:
            tails = _cut(text, at, ends, odd)
            _, places, data = tails.buffers()
            commas = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(",")).astype(np.int32)
            rows = np.frombuffer(places, np.int32, count + 1)
            if len(commas) != count * len(self._tail) or not np.array_equal(commas[len(self._tail) - 1 :: len(self._tail)] + 1, rows[1:]):
                return None
            begins = np.concatenate([np.zeros(1, np.int32), commas[:-1] + 1])
            for number, name in enumerate(self._tail):
                begin, past = begins[number :: len(self._tail)], commas[number :: len(self._tail)]
                there = begin != past if self.contract.columns[name].nullable else None
                found[name] = _utf8(_cut(data, begin, past, odd), there).cast(kinds[name].arrow)
        elif not np.array_equal(at, ends):
            return None
        return found


def _bits(there: np.ndarray | None) -> pa.Buffer | None:
    return None if there is None or there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))


def _numbers(figures: np.ndarray, there: np.ndarray | None, kind: Type) -> pa.Array:
    """Raises ArrowInvalid when a number does not fit."""
    if kind.family == "double":
        return pa.Array.from_buffers(pa.float64(), len(figures), [_bits(there), pa.py_buffer(figures)])
    whole = pa.Array.from_buffers(pa.int64(), len(figures), [_bits(there), pa.py_buffer(figures.astype(np.int64))])
    return whole.cast(pa.int8()).cast(pa.bool_()) if kind.family == "boolean" else whole.cast(kind.arrow)


def _cut(data: pa.Buffer, begins: np.ndarray, pasts: np.ndarray, odd: np.ndarray) -> pa.BinaryArray:
    """The pieces of `data` from each of `begins` up to `pasts`: every second one, when what lies between them counts as a piece too.

    Raises ArrowInvalid when they do not follow each other.
    """
    if (pasts < begins).any() or (begins[1:] < pasts[:-1]).any() or pasts[-1] > len(data):
        raise pa.ArrowInvalid("pieces overlap")
    places = np.empty(2 * len(begins), np.int32)
    places[::2], places[1::2] = begins, pasts
    return pa.BinaryArray.from_buffers(pa.binary(), len(places) - 1, [None, pa.py_buffer(places), data]).take(pa.array(odd))


def _utf8(pieces: pa.BinaryArray, there: np.ndarray | None) -> pa.StringArray:
    """Raises ArrowInvalid when it is not UTF-8."""
    _, places, data = pieces.cast(pa.string()).buffers()
    return pa.StringArray.from_buffers(len(pieces), places, data or pa.py_buffer(b""), _bits(there))
