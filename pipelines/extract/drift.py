"""Which side moved: the models (as described), the contract, or the third witness: the database, or else the committed description.

Two sides that agree outvote the third. Nothing here stops a run: before each read `contracts.compare` does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .. import paths
from . import description
from .contracts import Contract, folder
from .description import Table
from .types import Type

#: A column as one side sees it: (type or the side's own word for it, nullable); None when it has no such column.
Seen = tuple[Type | str, bool] | None
_REMEDY = {
    "models": "run `manage.py describe_tables`, then `contracts propose {table}`, and review what changed",
    "contract": "correct the contract, or `contracts propose {table}` and review it",
    "database": "migrate it, or undo what was changed by hand",
    "description": "run `manage.py describe_tables`",
}


@dataclass(frozen=True)
class Move:
    """One difference: who moved, where, and what to do."""

    side: str
    table: str
    text: str

    def __str__(self) -> str:
        remedy = _REMEDY.get(self.side, "").format(table=self.table)
        return f"{self.side} moved: {self.text}" + (f"; {remedy}" if remedy else "")


def left_out() -> dict[str, str]:
    """Tables that are not extracted, each with the reason."""
    path = folder() / "_left_out.toml"
    return dict(tomllib.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def fresh_description() -> dict[str, Table] | None:
    """What the models say now, asked of the web app in a process of its own; None where it is not installed or not configured."""
    done = subprocess.run(
        [sys.executable, str(paths.REPO / "webapp" / "manage.py"), "describe_tables", "--print"],
        env={"DJANGO_SETTINGS_MODULE": "config.settings.embedded", "OPENLANCE_SECRET_KEY": "x", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    return description.parse(json.loads(done.stdout)) if done.returncode == 0 else None


def moves(
    models: Mapping[str, Table],
    contracts: list[Contract],
    witness: Mapping[str, Mapping[str, tuple[Type | str, bool]]],
    *,
    reasons: Mapping[str, str],
    named: str = "database",
    typed: bool = True,
) -> Iterator[Move]:
    """Every difference. `witness` holds the columns of each table as the third side (`named`) sees them; `reasons` the tables left out."""
    by_table = {contract.table: contract for contract in contracts}
    for name in sorted(models.keys() | by_table.keys() | reasons.keys()):
        table, contract = models.get(name), by_table.get(name)
        if name in reasons:
            if contract is not None:
                yield Move("contract", name, f"{name}: is both extracted and left out ({reasons[name]})")
            if table is None:
                yield Move("models", name, f"{name}: is gone, but still listed as left out")
        elif table is None:
            yield Move("models", name, f"{name}: is gone; delete its contract and what reads it")
        elif contract is None:
            yield Move("models", name, f"{name}: is new; propose a contract, or leave it out in _left_out.toml with the reason")
        else:
            yield from _table_moves(table, contract, witness.get(name), named, typed)


def _table_moves(
    table: Table, contract: Contract, there: Mapping[str, tuple[Type | str, bool]] | None, named: str, typed: bool
) -> Iterator[Move]:
    name = table.name
    if not there:
        yield Move(named, name, f"{name}: is not in the {named}")
        there = None
    if (contract.key, contract.stamp) != (table.key, table.stamp):
        told = f"key and stamp are {contract.key}, {contract.stamp} in the contract, {table.key}, {table.stamp} in the models"
        yield Move("contract", name, f"{name}: {told}")
    if not table.stamp_indexed:
        yield Move("models", name, f"{name}: no index on ({table.stamp}, {table.key}), each run would read the whole table")
    known = set(contract.columns) | set(contract.omitted)
    for column in sorted(table.columns.keys() | known | (there.keys() if there else set())):
        described, declared = table.columns.get(column), contract.columns.get(column) or contract.left_out.get(column)
        model: Seen = (described.kind, described.nullable) if described else None
        agreed: Seen = (declared.declared, declared.nullable) if declared else None
        if column in contract.omitted and declared is None:
            agreed = model or (there or {}).get(column)  # left out without a type: any will do
        yield from _column_moves(name, column, model, agreed, (there or {}).get(column) if there else model, named, typed)


def _column_moves(table: str, column: str, model: Seen, contract: Seen, witness: Seen, named: str, typed: bool) -> Iterator[Move]:
    models_contract, models_witness = _same(model, contract), _same(model, witness, typed=typed)
    if models_contract and models_witness:
        return
    contract_witness = _same(contract, witness, typed=typed)
    side = named if models_contract else "models" if contract_witness else "contract" if models_witness else "every side"
    told = f"{table}.{column}: {_told(model)} in the models, {_told(contract)} in the contract, {_told(witness)} in the {named}"
    yield Move(side, table, told)


def _same(one: Seen, other: Seen, *, typed: bool = True) -> bool:
    if one is None or other is None or not typed:
        return (one is None) == (other is None)
    return one[1] == other[1] and _alike(one[0], other[0])


def _alike(one: Type | str, other: Type | str) -> bool:
    """Equal, or two ways in which databases store the same: JSON as text, booleans as small numbers, UUIDs as characters."""
    if one == other:
        return True
    if isinstance(one, str) or isinstance(other, str):
        return False
    families = {one.family, other.family}
    as_characters = "uuid" in families and any(kind.family == "varchar" and kind.length in (32, 36) for kind in (one, other))
    return families in ({"text", "json"}, {"boolean", "tinyint"}) or as_characters


def _told(seen: Seen) -> str:
    return "absent" if seen is None else f"{seen[0]}{' or null' if seen[1] else ''}"


def as_witness(tables: Mapping[str, Table]) -> dict[str, dict[str, tuple[Type | str, bool]]]:
    """A description as the third side."""
    return {name: {column: (c.kind, c.nullable) for column, c in table.columns.items()} for name, table in tables.items()}


def stale(committed: Mapping[str, Table], fresh: Mapping[str, Table]) -> list[Move]:
    """Tables whose committed description is not what the models say now."""
    differing = sorted(name for name in committed.keys() | fresh.keys() if committed.get(name) != fresh.get(name))
    return [Move("description", name, f"{name}: source_tables.json is not what the models say now") for name in differing]


def everything(source: Any | None) -> list[Move]:
    """All moves of this house: models against contracts, with the database `source` as witness where one is given."""
    from .contracts import load_all

    committed = description.read()
    models = fresh_description()
    if models is None:
        sys.stderr.write("the models could not be asked (is the web app installed?): their committed description stands for them\n")
    found = stale(committed, models) if models is not None else []
    contracts = load_all()
    if source is None:
        return [*found, *moves(models or committed, contracts, as_witness(committed), reasons=left_out(), named="description")]
    witness = {contract.table: source.columns(contract.table) for contract in contracts}
    return [*found, *moves(models or committed, contracts, witness, reasons=left_out(), typed=source.typed)]
