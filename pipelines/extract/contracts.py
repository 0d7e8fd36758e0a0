"""Contracts: what the platform expects of each source table, and the comparison with what is there.

python -m pipelines.extract.contracts propose TABLE…   writes contracts/<table>.toml out of the models' description; review before committing
python -m pipelines.extract.contracts check            compares models, contracts and database and says which side moved; exit 1 on a violation

A column marked `personal = "hash"` is extracted as its keyed SHA-256 (types.HASHED), one marked "omit" is not extracted at all. `[people]`
names the columns that lead to a person (column = the table that it points at) in tables whose rows lose their history when that person is
erased. `history_days` lets compaction fold away older versions. `manage.py describe_tables` writes the models' description.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from .. import refusals
from .types import HASHED, Type

FOLDER = Path(__file__).with_name("contracts")
_KEYS = {"table", "key", "stamp", "personal_data", "columns", "omitted", "people", "history_days"}


class ContractError(RuntimeError):
    """The source no longer keeps a table's contract: the table is not read."""


@dataclass(frozen=True)
class Column:
    """A declared column: how the log holds it, and how the source does where that differs."""

    type: Type
    nullable: bool
    source: Type | None = None

    @property
    def declared(self) -> Type:
        """The type in the source."""
        return self.source or self.type


@dataclass(frozen=True)
class Contract:
    """One source table: its columns in order, its key, the column stamped by the database at each write."""

    table: str
    key: str
    stamp: str
    personal_data: bool
    columns: dict[str, Column]
    omitted: tuple[str, ...] = ()
    #: Columns that lead to a person, with the table each points at.
    people: dict[str, str] = field(default_factory=dict)
    #: Personal columns that are left out, as the source holds them; `omitted` names them too.
    left_out: dict[str, Column] = field(default_factory=dict)
    #: Replaced versions older than this are folded away by compaction; None keeps them all.
    history_days: int | None = None

    @property
    def types(self) -> dict[str, Type]:
        return {name: column.type for name, column in self.columns.items()}


def folder() -> Path:
    """The folder of contracts: OPENLANCE_CONTRACTS, or the one beside this module."""
    return Path(os.environ.get("OPENLANCE_CONTRACTS") or FOLDER)


@dataclass
class Comparison:
    """How a table differs from its contract: `violations` stop it, `warnings` do not."""

    violations: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def load(path: Path) -> Contract:
    """Read one contract. Raises ValueError naming the file when it is not a contract."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    if strangers := sorted(content.keys() - _KEYS):
        raise ValueError(f"{path}: {', '.join(strangers)} is no part of a contract; there are {', '.join(sorted(_KEYS))}")
    try:
        declared = {name: _column(**spec) for name, spec in content["columns"].items()}
        columns = {name: column for name, (column, taken) in declared.items() if taken}
        left_out = {name: column for name, (column, taken) in declared.items() if not taken}
        contract = Contract(
            content["table"],
            content["key"],
            content["stamp"],
            content["personal_data"],
            columns,
            (*content.get("omitted", ()), *left_out),
            content.get("people", {}),
            left_out,
            content.get("history_days"),
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise ValueError(f"{path}: {wrong}") from wrong
    missing = {contract.key, contract.stamp} - set(columns)
    if missing or contract.table != path.stem:
        raise ValueError(f"{path}: key and stamp must be declared columns and the table must bear the file's name")
    return contract


def _column(type: str, nullable: bool, personal: str = "") -> tuple[Column, bool]:
    """(the column, whether it is extracted)."""
    kind = Type.parse(type)
    if personal not in ("", "hash", "omit"):
        raise ValueError(f"personal is hash or omit, not {personal!r}")
    return (Column(HASHED, nullable, kind) if personal == "hash" else Column(kind, nullable)), personal != "omit"


def load_all() -> list[Contract]:
    """Every contract, the tombstones' table first: other tables' deletes are read from it."""
    found = [load(path) for path in sorted(folder().glob("[!_]*.toml"))]
    return sorted(found, key=lambda contract: (contract.table != "core_deletedrow", contract.table))


def compare(contract: Contract, actual: dict[str, tuple[Type | str, bool]], *, typed: bool = True) -> Comparison:
    """Compare with the columns found: name → (logical type, or the database's own words where there is none; nullable).

    `typed` is false for SQLite, where types come from the contract: only presence is compared.
    """
    result = Comparison()
    if not actual:
        result.violations.append(f"{contract.table}: the table is not in the source")
        return result
    strangers = [name for name in actual if name not in contract.columns and name not in contract.omitted]
    for name, column in contract.columns.items():
        if name not in actual:
            hint = f"; new there: {', '.join(strangers)} (renamed?)" if strangers else ""
            result.violations.append(f"{contract.table}.{name}: removed from the source{hint}; change the contract and what reads it")
        elif typed:
            _compare_column(f"{contract.table}.{name}", column, *actual[name], result)
    result.warnings += [
        f"{contract.table}.{name}: new in the source, not extracted until the contract declares or omits it" for name in strangers
    ]
    return result


def _compare_column(name: str, declared: Column, actual: Type | str, nullable: bool, result: Comparison) -> None:
    wanted = declared.declared
    texts = {"varchar", "text", "json"}
    if isinstance(actual, str) or (
        actual.family != wanted.family and not {actual.family, wanted.family} <= texts and not _same_storage(wanted, actual)
    ):
        result.violations.append(f"{name}: retyped, the contract says {wanted}, the source {actual}")
    elif wanted.family == actual.family == "decimal" and (actual.length, actual.scale) != (wanted.length, wanted.scale):
        result.violations.append(f"{name}: the contract says {wanted}, the source {actual}: exact numbers would change")
    elif actual.family == "varchar" and (wanted.family != "varchar" or actual.length < wanted.length):
        result.violations.append(f"{name}: narrowed, the contract says {wanted}, the source {actual}")
    elif wanted.family == "varchar" and (actual.family != "varchar" or actual.length > wanted.length):
        result.warnings.append(f"{name}: widened to {actual}, the contract says {wanted}")
    if nullable and not declared.nullable:
        result.violations.append(f"{name}: may be NULL now, the contract says it may not")


def _same_storage(wanted: Type, actual: Type) -> bool:
    """TINYINT(1) is boolean only where declared; UUIDs are native on MariaDB and char(32) on MySQL; JSON is text on MariaDB."""
    pairs = {("boolean", "tinyint"), ("boolean", "utinyint"), ("tinyint", "boolean")}
    return (wanted.family, actual.family) in pairs or (wanted.family == "uuid" and actual in (Type("varchar", 32), Type("varchar", 36)))


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.extract.contracts", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["propose", "check"])
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--no-database", action="store_true", help="check the contracts against the models alone")
    options = parser.parse_args(arguments)
    return refusals.command(lambda: _act(options))


def _act(options: argparse.Namespace) -> int:
    from . import description, drift, sources

    if options.what == "propose":
        tables = description.read()
        for table in options.tables:
            path = folder() / f"{table}.toml"
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            path.write_text(description.propose(tables[table], before), encoding="utf-8")
            sys.stdout.write(f"{path}\n")
        return 0
    if options.no_database:
        found = drift.everything(None)
    else:
        with sources.connect() as source:
            found = drift.everything(source)
    sys.stdout.writelines(f"{move}\n" for move in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
