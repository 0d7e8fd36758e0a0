"""A small raw schema in a fresh warehouse file, made from the extraction's contracts and filled with a market worked out by hand.

Belongs here: the tables and the rows. What dbt must make of them stands in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.extract.contracts import load_all

META = {"_op": "VARCHAR", "_run_seq": "BIGINT", "_known_at": "TIMESTAMP"}
FIRST_RUN = datetime(2026, 3, 2, 0, 0)
#: values of columns that a row does not mention, where null is not allowed
BLANK = {"VARCHAR": "", "BOOLEAN": False, "TIMESTAMP": FIRST_RUN, "DATE": FIRST_RUN.date()}


def create_raw(path: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]] | None = None) -> None:
    """Write the warehouse file with every raw table of the contracts, holding `rows` (columns left out are blank, _op 'u', run 1)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as db:
        db.execute("create schema if not exists raw")
        for contract in load_all():
            types = {name: column.type.duckdb for name, column in contract.columns.items()} | META
            columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
            db.execute(f"create or replace table raw.{contract.table} ({columns})")
            defaults = {n: (None if c.nullable else BLANK.get(c.type.duckdb, 0)) for n, c in contract.columns.items()}
            defaults |= {"_op": "u", "_run_seq": 1, "_known_at": FIRST_RUN}
            for values in _complete((rows or {}).get(contract.table, ()), defaults):
                db.execute(f"insert into raw.{contract.table} values ({', '.join('?' * len(values))})", values)


def _complete(rows: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]) -> Iterator[list[Any]]:
    for row in rows:
        unknown = set(row) - set(defaults)
        if unknown:
            raise ValueError(f"no such raw column: {', '.join(sorted(unknown))}")
        yield list((dict(defaults) | dict(row)).values())
