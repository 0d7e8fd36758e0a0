"""Rows of MySQL as one text each, and those texts as columns.

A driver makes an object of every value; a line makes one of every row, and Arrow's reader of delimited text turns thousands of lines into
exact columns at once. Fields stand between control characters instead of quotes: to quote costs the server more than to send. A text
that holds one of them spoils the number of fields or lines of its chunk, which `table` notices; that chunk is then read value by value.
"""

from __future__ import annotations

import secrets

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as delimited

from .contracts import Contract
from .types import dashed

_BETWEEN = "\x1f"
#: A reader ends a row at either kind of line break: inside a text they change places with these two on the way.
_BREAKS = {"\n": "\x1e", "\r": "\x1d"}
_SWAP = bytes.maketrans(b"\n\r\x1e\x1d", b"\x1e\x1d\n\r")


class Lines:
    """The lines of one table: how MySQL makes them (`sql`) and what they hold. NULL is a word nobody can know beforehand."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._null = "\x02" + secrets.token_hex(5)
        ends = (contract.stamp, contract.key)
        # These two lead, so that they are found also in a line that a text spoils.
        self._names = [*ends, *(name for name in contract.columns if name not in ends)]
        self.sql = f"CONCAT_WS('{_BETWEEN}', " + ", ".join(map(self._field, self._names)) + ")"
        kinds = {name: column.type for name, column in contract.columns.items()}
        self._texts = [name for name, kind in kinds.items() if kind.arrow == pa.string() and kind.family != "uuid"]
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

    def table(self, lines: list[bytes]) -> pa.Table | None:
        """The rows in the contract's exact types, in the order of the lines; None when some value cannot be told from the text."""
        text = b"\n".join(lines)
        broken = text.count(b"\n") >= len(lines) or b"\r" in text
        if broken:
            text = b"\x1e".join(lines).translate(_SWAP)
            if text.count(b"\n") >= len(lines) or b"\r" in text:
                return None
        read = delimited.ReadOptions(use_threads=False, column_names=self._names, block_size=len(text) + 1)
        try:
            table = delimited.read_csv(pa.py_buffer(text), read_options=read, parse_options=self._parse, convert_options=self._convert)
        except pa.ArrowInvalid:
            return None
        if table.num_rows != len(lines):
            return None
        return self._typed(table, broken=broken)

    def _typed(self, table: pa.Table, *, broken: bool) -> pa.Table:
        arrays = []
        for name, column in self.contract.columns.items():
            array = table[name]
            if column.type.family == "boolean":
                array = array.cast(pa.bool_())
            elif column.type.family == "uuid":
                array = dashed(array)
            elif broken and name in self._texts:
                for wanted, stands_for in _BREAKS.items():
                    array = pc.replace_substring(array, stands_for, wanted)
            arrays.append(array)
        return pa.Table.from_arrays(arrays, names=list(self.contract.columns))
