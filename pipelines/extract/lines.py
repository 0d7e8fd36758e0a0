"""Rows of MySQL as one text each, and those texts as columns.

A driver makes an object of every value; a line makes one of every row, and Arrow's reader of delimited text turns thousands of lines into
exact columns at once. Fields stand between control characters instead of quotes: to quote costs the server more than to send. A text
that holds one of them spoils the number of fields or lines of its chunk, which `table` notices; that chunk is then read value by value.
"""

from __future__ import annotations

import secrets

import pyarrow as pa
import pyarrow.csv as delimited

from .contracts import Contract
from .types import dashed

_BETWEEN, _END = "\x1f", "\x1e"
#: A reader ends a row at either kind of line break. So a line ends with another character, and inside a text the breaks change places with
#: the two on the right on the way.
_SWAP = bytes.maketrans(b"\n\r\x1e\x1d", b"\x1e\x1d\n\r")
_SWAPPED = (0x1E, 0x1D)


class Lines:
    """The lines of one table: how MySQL makes them (`sql`) and what they hold. NULL is a word nobody can know beforehand."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._null = "\x02" + secrets.token_hex(5)
        ends = (contract.stamp, contract.key)
        # These two lead, so that they are found also in a line that a text spoils.
        names = [*ends, *(name for name in contract.columns if name not in ends)]
        # The end is a field of its own: no break of a text can melt into it.
        self.sql = f"CONCAT_WS('{_BETWEEN}', " + ", ".join(map(self._field, names)) + f", '{_END}')"
        kinds = {name: column.type for name, column in contract.columns.items()}
        self._texts = {name for name, kind in kinds.items() if kind.arrow == pa.string() and kind.family != "uuid"}
        self._names = [*names, ""]
        self._convert = delimited.ConvertOptions(
            column_types={name: pa.int8() if kind.family == "boolean" else kind.arrow for name, kind in kinds.items()},
            include_columns=list(contract.columns),
            null_values=[self._null],
            strings_can_be_null=True,
        )
        self._parse = delimited.ParseOptions(delimiter=_BETWEEN, quote_char=False, newlines_in_values=False, ignore_empty_lines=False)

    def _field(self, name: str) -> str:
        column = self.contract.columns[name]
        read = column.type.read_mysql(f"`{name}`")
        return f"IFNULL({read}, '{self._null}')" if column.nullable else read

    def stamp_and_key(self, line: bytes) -> tuple[str, str]:
        """The row's stamp and key as the database writes them."""
        stamp, key, *_ = line.decode().split(_BETWEEN, 2)
        return stamp, key

    def table(self, text: bytes, count: int) -> pa.Table | None:
        """The rows of `count` lines, in the contract's exact types and in their order; None when some value cannot be told from the text."""
        buffer = pa.py_buffer(text.translate(_SWAP))
        read = delimited.ReadOptions(use_threads=False, column_names=self._names, block_size=len(text) + 1)
        try:
            table = delimited.read_csv(buffer, read_options=read, parse_options=self._parse, convert_options=self._convert)
        except pa.ArrowInvalid:
            return None
        # A text with a character that ends a line or a field makes a line of too few fields, which Arrow refuses, or one line more.
        if table.num_rows != count:
            return None
        return pa.Table.from_arrays([self._typed(name, table[name]) for name in self.contract.columns], names=list(self.contract.columns))

    def _typed(self, name: str, array: pa.ChunkedArray) -> pa.ChunkedArray:
        family = self.contract.columns[name].type.family
        if family == "boolean":
            return array.cast(pa.bool_())
        if family == "uuid":
            return dashed(array)
        return pa.chunked_array(map(_unswapped, array.chunks), pa.string()) if name in self._texts else array


def _unswapped(array: pa.StringArray) -> pa.StringArray:
    """The texts with their own line breaks."""
    valid, offsets, data = array.buffers()
    held = data.to_pybytes() if data else b""
    if not any(byte in held for byte in _SWAPPED):
        return array
    return pa.StringArray.from_buffers(len(array), offsets, pa.py_buffer(held.translate(_SWAP)), valid, array.null_count, array.offset)
