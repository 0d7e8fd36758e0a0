"""The rows of a query of one column as the bytes in which the server sends them, without an object of each row.

The driver asks the question and keeps the connection; only the answer is read beside it, from the same socket, by the text protocol that
MySQL and MariaDB have had since 4.1. An answer is a chain of packets, each with its length and its number before it: a row is believed when
the chain, followed from its first byte to its last, leads to it. While one waits for bytes, other threads run, and the server need not wait
for anybody who makes something of its rows. Only a connection without TLS and compression has a wire that can be read.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

#: Bytes of memory at first; the most that is kept for a later answer; bytes between two rows from which the packets of a long answer are followed side by side.
_FIRST, _KEPT, _STRIDE = 1 << 20, 1 << 26, 1 << 15
#: Milliseconds without anything new after which one looks whether the answer has ended: the server may also be at work.
_QUIET = 20
#: Bytes from which an answer is long, and seconds in which more gather then, unless as much came at once: to be woken for each few thousand costs
#: the server and us more than to carry them. Between two processes of one machine the system holds some 200 kB, on a network megabytes.
_GATHER, _LOCAL = (0.002, 1 << 20), (0.0003, 1 << 17)
#: Bytes of an answer that are followed at once while the rest arrives; beginnings from which following side by side pays.
_PIECE, _LANES = 1 << 22, 8
#: Packets that are followed between two looks whether all have arrived.
_STEPS = 16
#: A packet's length and number come before it; one of the greatest length is not the last of its row.
_HEADER, _SPLIT = 4, (1 << 24) - 1
_END, _FAULT = 0xFE, 0xFF
#: Where the length of a text is told in one, two or three bytes: what comes first of the latter two.
_TWO, _THREE = 0xFC, 0xFD
#: By the first byte of a row: how many bytes tell the length of its text, none where it has none; and which bits of `_heads` are the length.
_WIDE, _SHIFT, _MASK = np.repeat([1, 0], [0xFB, 5]), np.full(256, 32, np.uint64), np.full(256, 0xFF, np.uint64)
_WIDE[[_TWO, _THREE]], _SHIFT[[_TWO, _THREE]], _MASK[[_TWO, _THREE]] = (3, 4), 40, ((1 << 16) - 1, (1 << 24) - 1)
#: An answer's end as servers send it: a packet of five bytes, of seven when they leave out the one after the columns.
_ENDS = tuple((size + _HEADER, size.to_bytes(3, "little")) for size in (5, 7))
_LOST = 2013
_LONGEST = (1 << 31) - 1


@dataclass(frozen=True)
class Packed:
    """Texts one after the other, and where each ends."""

    text: Any
    ends: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> Packed:
        return cls(b"".join(texts), np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts))))

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def size(self) -> int:
        return len(self.text)

    def each(self) -> list[memoryview]:
        whole, ends = memoryview(self.text), self.ends.tolist()
        return [whole[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    def last(self) -> bytes:
        return bytes(self.each()[-1]) if len(self) < 2 else bytes(memoryview(self.text)[int(self.ends[-2]) :])

    def pack(self) -> Packed:
        return self


class Sent:
    """The rows of an answer where they arrived, of which there are some: `packets` tells where each of theirs begins."""

    def __init__(self, wire: Wire, memory: bytearray, packets: np.ndarray) -> None:
        self._wire, self._memory, self._packets = wire, memory, packets

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def size(self) -> int:
        """Bytes of all but the last."""
        return int(self._packets[-1])

    def last(self) -> bytes | None:
        """None when it is one of those that cannot be told."""
        found = _texts(_heads(self._memory, self._packets[-1:]), self._packets[-1:])
        return None if found is None else bytes(memoryview(self._memory)[int(found[0][0]) : int(found[1][0])])

    def pack(self) -> Packed | None:
        """The rows one after the other; None when one of them is NULL or longer than a packet, or all together are longer than 2 GB.

        Once: the memory is then used for a later answer. Raises the driver's OperationalError when packets are missing.
        """
        heads = _heads(self._memory, self._packets)
        if (np.diff((heads >> 24).astype(np.uint8)) != 1).any():
            raise _fault(_LOST, "packets of the answer are missing")
        found = None if self._packets[-1] > _LONGEST - _SPLIT else _texts(heads, self._packets)
        if found is None:
            return None
        begins, ends = found
        places = np.empty(2 * len(self), np.int32)
        places[::2], places[1::2] = begins, ends
        # Every second piece is a row; what lies between two is the head of the next.
        pieces = pa.BinaryArray.from_buffers(pa.binary(), len(places) - 1, [None, pa.py_buffer(places), pa.py_buffer(self._memory)])
        text = pieces.take(pa.array(np.arange(0, len(places), 2, dtype=np.int32))).buffers()[2]
        del pieces
        self._wire.spare(self._memory)
        return Packed(text or b"", np.cumsum(ends - begins))


class Wire:
    """The socket below a connection of the driver, while nobody uses the driver."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._arrives = select.poll()
        self._arrives.register(self._socket, select.POLLIN)
        self._gather, self._much = _LOCAL if self._socket.family == socket.AF_UNIX else _GATHER
        self._spare: list[bytearray] = []
        self._room = _FIRST

    def spare(self, memory: bytearray) -> None:
        """Memory for a later answer: to take it from the system costs more than to fill it."""
        if len(memory) <= _KEPT:
            self._spare.append(memory)

    def close(self) -> None:
        """The driver's own end stays open."""
        self._socket.close()

    def read(self, sql: str, mark: bytes, at: int) -> Sent | Packed:
        """The rows of a query of one column.

        Most rows have `mark` at the place `at`: that helps to find some of them, and is not relied on.
        Raises the driver's OperationalError when the server refuses or is gone.
        """
        self._connection.send_query(sql)
        memory = self._spare.pop() if self._spare else bytearray(self._room)
        chain = _Chain(mark, at)
        filled = got = looked = 0
        while True:
            quiet = not self._arrives.poll(_QUIET)
            if not quiet:
                if got < self._much < filled:
                    time.sleep(self._gather)
                memory, got = self._more(memory, filled)
                filled += got
                chain.follow(memory, filled)
            if filled > looked and (quiet or _may_end(memory, filled)):
                looked = filled
                packets = chain.whole(memory, filled)
                if packets is not None:
                    return self._answer(memory, packets)

    def _more(self, memory: bytearray, filled: int) -> tuple[bytearray, int]:
        if filled == len(memory):
            memory = memory + bytes(filled if filled < _KEPT else filled // 4)
            self._room = min(len(memory), _KEPT)
        try:
            with memoryview(memory) as view, view[filled:] as free:
                got = self._socket.recv_into(free)
        except OSError as fault:
            raise _fault(_LOST, str(fault)) from fault
        if not got:
            raise _fault(_LOST, "the server was gone before its answer ended")
        return memory, got

    def _answer(self, memory: bytearray, packets: np.ndarray) -> Sent | Packed:
        """`packets`: where each begins, from the first row's to that which ends the answer."""
        end = int(packets[-1]) + _HEADER
        if memory[end] == _FAULT:
            told = bytes(memory[end + 3 : end + int.from_bytes(memory[end - _HEADER : end - 1], "little")])
            raise _fault(int.from_bytes(memory[end + 1 : end + 3], "little"), told.removeprefix(b"#").decode(errors="replace"))
        return Sent(self, memory, packets[:-1]) if len(packets) > 1 else Packed(b"", np.zeros(0, np.int64))


def _heads(memory: bytearray, packets: np.ndarray) -> np.ndarray:
    """The first eight bytes of each packet as a number: its length, its number, and how its row begins."""
    return np.ndarray((len(memory) - 7,), "V8", memory, strides=(1,))[packets].view("<u8")


def _texts(heads: np.ndarray, packets: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the text of each row begins and ends; None when one is NULL or goes on in another packet."""
    first = (heads >> 32).astype(np.uint8)
    wide, told = _WIDE[first], (heads >> _SHIFT[first] & _MASK[first]).astype(np.int64)
    if not (wide.all() and np.array_equal(told + wide, (heads & _SPLIT).astype(np.int64))):
        return None
    begins = packets + (_HEADER + wide)
    return begins, begins + told


def _words(memory: bytearray) -> np.ndarray:
    """Four bytes from each place as a number."""
    return np.ndarray((len(memory) - 3,), "<u4", memory, strides=(1,))


def _may_end(memory: bytearray, filled: int) -> bool:
    return any(
        filled > size and memory[filled - size : filled - size + 3] == head and memory[filled - size + _HEADER] == _END
        for size, head in _ENDS
    )


class _Chain:
    """The packets of an answer from its first byte on, followed while it still arrives: the server fills what is between us meanwhile."""

    def __init__(self, mark: bytes, at: int) -> None:
        self._mark, self._at = mark, at
        self._found: list[np.ndarray] = []
        #: Where the first packet begins that is not among the found ones; 0 before the head of the answer was there.
        self._next = 0

    def follow(self, memory: bytearray, filled: int) -> None:
        """Go on, once that is worth while."""
        if filled - self._next < _PIECE or not self._begun(memory, filled):
            return
        begins = self._begins(memory, filled)
        packets = _side_by_side(memory, begins[:-1], begins[-1], filled) if len(begins) > _LANES else None
        if packets is None:
            found = _one_by_one(memory, self._next, filled)
            packets, past = found[:-1], int(found[-1])
        else:
            past = begins[-1]
        self._found.append(packets)
        self._next = past

    def whole(self, memory: bytearray, filled: int) -> np.ndarray | None:
        """Where the packets after the head of the answer begin, the one that ends it last; None while it has not ended."""
        if not self._begun(memory, filled):
            return None
        begins = self._begins(memory, filled)
        found = _side_by_side(memory, begins, filled, filled) if len(begins) > _LANES else None
        rest = _one_by_one(memory, self._next, filled) if found is None else np.append(found, filled)
        packets = np.concatenate([*self._found, rest[:-1]])
        if not len(packets) or rest[-1] != filled:
            return None
        last = _words(memory)[packets[-2:]]
        if (
            last[-1] & _SPLIT in (0, _SPLIT)
            or memory[int(packets[-1]) + _HEADER] not in (_END, _FAULT)
            or (len(last) > 1 and last[-2] & _SPLIT == _SPLIT)
        ):
            return None
        if len(last) > 1 and (last[-1] >> 24) - (last[-2] >> 24) & 0xFF != 1:
            raise _fault(_LOST, "packets of the answer are missing")
        return packets

    def _begun(self, memory: bytearray, filled: int) -> bool:
        """Whether the packets before the rows are there: the number of columns, the column, and from most servers an end of the columns."""
        if self._next:
            return True
        begin = number = 0
        for part in range(3):
            if begin + _HEADER >= filled:
                return False
            size, kind = int.from_bytes(memory[begin : begin + 3], "little"), memory[begin + _HEADER]
            if kind == _FAULT:
                break
            if part < 2 or (kind == _END and size == 5):
                number = memory[begin + _HEADER - 1]
                begin += _HEADER + size
        if begin + _HEADER >= filled:
            return False
        if memory[begin + _HEADER - 1] != number + 1:
            raise _fault(_LOST, "packets of the answer are missing")
        self._next = begin
        return True

    def _begins(self, memory: bytearray, filled: int) -> list[int]:
        """Where the next packet begins, and some later ones seem to."""
        begins = [self._next]
        for place in range(self._next + _STRIDE, filled - _STRIDE, _STRIDE):
            row = _row_after(memory, place, self._mark, self._at)
            if row is not None and row > begins[-1]:
                begins.append(row)
        return begins


def _one_by_one(memory: bytearray, begin: int, filled: int) -> np.ndarray:
    """Where each packet begins, up to the first that is not there to its end; `filled` when all are."""
    found, head = [begin], struct.Struct("<I").unpack_from
    while begin + _HEADER <= filled:
        begin += (head(memory, begin)[0] & _SPLIT) + _HEADER
        if begin > filled:
            break
        found.append(begin)
    return np.array(found, np.int64)


def _side_by_side(memory: bytearray, begins: list[int], past: int, filled: int) -> np.ndarray | None:
    """Where each packet begins from the first of `begins` to `past`, followed from all of them at once; None when one of them was none.

    That the chain from each ends exactly where the next one begins makes it one chain.
    """
    now, bounds = np.array(begins), np.array([*begins[1:], past])
    heads, steps = _words(memory), []
    last = filled - _HEADER
    while (now < bounds).any():
        for _ in range(_STEPS):
            steps.append(now)
            now = now + (heads[np.minimum(now, last)] & _SPLIT)
            now += _HEADER
    steps.append(now)
    found = np.array(steps)
    own = found < bounds
    arrived = found[own.sum(axis=0), np.arange(len(bounds))]
    packets = found.T[own.T]
    return packets if np.array_equal(arrived, bounds) and packets[-1] <= last else None


def _row_after(memory: bytearray, place: int, mark: bytes, at: int) -> int | None:
    """Where a packet begins that looks like one of a row."""
    found = place
    while (found := memory.find(mark, found + 1, place + _STRIDE)) > 0:
        for wide, kind in ((1, b""), (3, bytes([_TWO])), (4, bytes([_THREE]))):
            begin = found - at - wide - _HEADER
            size = int.from_bytes(memory[begin : begin + 3], "little") - wide if begin > 0 else -1
            bytes_of_size = wide - len(kind)
            if 0 <= size < 1 << 8 * bytes_of_size and memory.startswith(kind + size.to_bytes(bytes_of_size, "little"), begin + _HEADER):
                return begin
    return None


def _fault(number: int, message: str) -> Exception:
    import MySQLdb

    return MySQLdb.OperationalError(number, message)
