"""The logical types of the contracts, and how one value looks in MySQL, SQLite, Arrow and DuckDB.

Every value travels as the database's own text and is parsed by Arrow into the exact type: nothing passes through a Python float.
`canonical_*` give the same bytes for the same value in MySQL and in DuckDB; their CRC32 is the row's checksum.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_INTEGERS = {
    "tinyint": ("TINYINT", pa.int8()),
    "utinyint": ("UTINYINT", pa.uint8()),
    "smallint": ("SMALLINT", pa.int16()),
    "usmallint": ("USMALLINT", pa.uint16()),
    "integer": ("INTEGER", pa.int32()),
    "uinteger": ("UINTEGER", pa.uint32()),
    "bigint": ("BIGINT", pa.int64()),
    "ubigint": ("UBIGINT", pa.uint64()),
}
_OTHERS = {
    "boolean": ("BOOLEAN", pa.bool_()),
    "double": ("DOUBLE", pa.float64()),
    "date": ("DATE", pa.date32()),
    "timestamp": ("TIMESTAMP", pa.timestamp("us")),
    "text": ("VARCHAR", pa.string()),
    "json": ("VARCHAR", pa.string()),
    "uuid": ("VARCHAR", pa.string()),
    "hashed": ("VARCHAR", pa.string()),
}
_SIZED = re.compile(r"^(varchar)\((\d+)\)$|^(decimal)\((\d+),\s*(\d+)\)$")
#: Stands for NULL and between columns; neither byte occurs in text a person types.
_NULL, _BETWEEN = 2, 31
#: Doubles are compared as FLOOR(value × 10⁶) between ±9 × 10⁹: whole numbers below 2⁵³ look the same in both engines, and no score is finer.
_DOUBLE_SCALE, _DOUBLE_LIMIT = 1_000_000, 9_000_000_000


#: The session variable that holds the key of hashed columns: a statement then never shows it.
MYSQL_KEY = "@openlance_hash_key"


def hash_key() -> str:
    """The key of hashed columns: OPENLANCE_HASH_KEY, or one for development that protects nothing."""
    return os.environ.get("OPENLANCE_HASH_KEY") or "development: not secret"


def hashed(value: bytes) -> str:
    """SHA-256 of the key and the value, in hexadecimal: equal values stay equal, and nobody without the key can try values."""
    return hashlib.sha256(hash_key().encode() + b"\x1f" + value).hexdigest()


@dataclass(frozen=True)
class Type:
    """A logical type: its family, and length or precision and scale where it has them."""

    family: str
    length: int = 0
    scale: int = 0

    @classmethod
    def parse(cls, text: str) -> Type:
        """Raises ValueError when no such type exists."""
        if text in _INTEGERS or text in _OTHERS:
            return cls(text)
        sized = _SIZED.match(text)
        if not sized:
            raise ValueError(f"unknown type {text!r}")
        if sized[1]:
            return cls("varchar", int(sized[2]))
        return cls("decimal", int(sized[4]), int(sized[5]))

    def __str__(self) -> str:
        if self.family == "varchar":
            return f"varchar({self.length})"
        return f"decimal({self.length},{self.scale})" if self.family == "decimal" else self.family

    @property
    def duckdb(self) -> str:
        if self.family == "decimal":
            return f"DECIMAL({self.length},{self.scale})"
        return "VARCHAR" if self.family == "varchar" else (_INTEGERS | _OTHERS)[self.family][0]

    @property
    def arrow(self) -> pa.DataType:
        if self.family == "decimal":
            return pa.decimal128(self.length, self.scale)
        return pa.string() if self.family == "varchar" else (_INTEGERS | _OTHERS)[self.family][1]

    def array(self, values: list[bytes | None]) -> pa.Array:
        """Parse the database's text. Raises ArrowInvalid when a value does not fit: never rounds, never wraps."""
        raw = pa.array(values, pa.binary())
        text = raw.cast(pa.string())
        if self.family == "boolean":
            return text.cast(pa.int8()).cast(pa.bool_())
        if self.family == "uuid":
            return dashed(text)
        return text if self.arrow == pa.string() else text.cast(self.arrow)

    def read_mysql(self, column: str) -> str:
        """What to select: the column itself, or its hash, made by the database so that the value never leaves it."""
        if self.family == "hashed":
            return f"SHA2(CONCAT({MYSQL_KEY}, CHAR(31), CONVERT({column} USING utf8mb4)), 256)"
        return column

    def canonical_mysql(self, column: str) -> str:
        column = self.read_mysql(column)
        if self.family == "timestamp":
            text = f"DATE_FORMAT({column}, '%Y-%m-%d %H:%i:%s.%f')"
        elif self.family == "double":
            text = f"CAST(CAST(FLOOR(LEAST(GREATEST({column}, -{_DOUBLE_LIMIT}), {_DOUBLE_LIMIT}) * {_DOUBLE_SCALE}) AS SIGNED) AS CHAR)"
        elif self.family == "uuid":
            text = f"LOWER(REPLACE(CAST({column} AS CHAR), '-', ''))"
        elif self.arrow == pa.string():
            text = f"CONVERT({column} USING utf8mb4)"
        else:
            text = f"CAST({column} AS CHAR)"
        return f"IFNULL({text}, CHAR({_NULL}))"

    def canonical_duckdb(self, column: str) -> str:
        if self.family == "timestamp":
            text = f"strftime({column}, '%Y-%m-%d %H:%M:%S.%f')"
        elif self.family == "double":
            text = f"CASE WHEN {column} IS NOT NULL THEN CAST(CAST(floor(least(greatest({column}, -{_DOUBLE_LIMIT}), {_DOUBLE_LIMIT}) * {_DOUBLE_SCALE}) AS BIGINT) AS VARCHAR) END"
        elif self.family == "uuid":
            text = f"lower(replace({column}, '-', ''))"
        elif self.family == "boolean":
            text = f"CAST(CAST({column} AS TINYINT) AS VARCHAR)"
        else:
            text = f"CAST({column} AS VARCHAR)"
        return f"coalesce({text}, chr({_NULL}))"

    def from_sqlite(self, value: Any) -> bytes | None:
        """SQLite has no exact decimals: 15 significant digits survive, which the declared scale then completes."""
        if value is None:
            return None
        if self.family == "decimal":
            exact = Decimal(f"{value:.15g}") if isinstance(value, float) else Decimal(value)
            return str(exact.quantize(Decimal(1).scaleb(-self.scale))).encode()
        if self.family == "double":
            return repr(float(value)).encode()
        if self.family == "hashed":
            return hashed(value if isinstance(value, bytes) else str(value).encode()).encode()
        return value if isinstance(value, bytes) else str(value).encode()


HASHED = Type("hashed")


def dashed(text: pa.Array) -> pa.Array:
    """UUIDs as 36 characters in lower case, whether stored native or as 32 hexadecimal digits."""
    plain = pc.utf8_lower(pc.replace_substring(text, "-", ""))
    ends = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]
    return pc.binary_join_element_wise(*[pc.utf8_slice_codeunits(plain, a, b) for a, b in ends], "-")


def row_text_mysql(columns: dict[str, Type]) -> str:
    """One row as canonical text, in MySQL's words."""
    return f"CONCAT_WS(CHAR({_BETWEEN}), " + ", ".join(t.canonical_mysql(f"`{c}`") for c, t in columns.items()) + ")"


def row_text_duckdb(columns: dict[str, Type]) -> str:
    """One row as the same canonical text, in DuckDB's words."""
    return f"concat_ws(chr({_BETWEEN}), " + ", ".join(t.canonical_duckdb(f'"{c}"') for c, t in columns.items()) + ")"
