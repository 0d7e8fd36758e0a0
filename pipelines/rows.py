"""Rows of Python values into a table of DuckDB, all at once: a statement a row takes a thousand times as long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb


def insert(db: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]], *, replace: bool = False) -> None:
    """Insert `rows`, each with a value for every column of `table` in its order. Nothing when there are none; all or nothing else."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        word = "INSERT OR REPLACE" if replace else "INSERT"
        db.execute(f"{word} INTO {table} SELECT {', '.join(['unnest(?)'] * len(columns))}", columns)
