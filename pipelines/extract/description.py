"""The models' description of the source's tables, and contracts proposed out of it.

`manage.py describe_tables` writes `source_tables.json`; nothing here imports Django. Which columns hold personal data is decided in the
contract and stays as it was decided when a contract is proposed again.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .types import Type

FILE = Path(__file__).with_name("source_tables.json")
_PLAIN = {
    "AutoField": "integer",
    "BigAutoField": "bigint",
    "BigIntegerField": "bigint",
    "BooleanField": "boolean",
    "DateField": "date",
    "DateTimeField": "timestamp",
    "FloatField": "double",
    "IntegerField": "integer",
    "JSONField": "json",
    "PositiveBigIntegerField": "ubigint",
    "PositiveIntegerField": "uinteger",
    "PositiveSmallIntegerField": "usmallint",
    "SmallAutoField": "smallint",
    "SmallIntegerField": "smallint",
    "TextField": "text",
    "UUIDField": "uuid",
}
_SIZED = {"CharField", "EmailField", "SlugField", "URLField", "FileField"}
#: Proposed as left out: credentials, what tells who a person is, and what people write. A review may decide otherwise.
_PRIVATE = {"password", "email", "display_name", "last_login", "is_superuser", "reason", "note", "message", "text", "answer", "ip"}
#: Tables whose rows belong to one person.
_PERSONS = ("accounts_user", "accounts_freelancerprofile", "accounts_clientprofile")
#: Columns without a foreign key that hold a user's number.
_NUMBERS = {"user_id", "owner_id", "actor_id"}


@dataclass(frozen=True)
class Described:
    """One column as the models declare it. `kind` is a text when the platform has no type for it."""

    kind: Type | str
    nullable: bool
    references: str = ""


@dataclass(frozen=True)
class Table:
    """One table as the models declare it. `stamp` is None where the database stamps no column: such a table cannot be read incrementally."""

    name: str
    key: str
    stamp: str | None
    stamp_indexed: bool
    columns: dict[str, Described]


def file() -> Path:
    """The description: OPENLANCE_SOURCE_TABLES, or the committed one."""
    return Path(os.environ.get("OPENLANCE_SOURCE_TABLES") or FILE)


def parse(content: dict[str, Any]) -> dict[str, Table]:
    """Tables by name out of what `describe_tables` writes."""
    return {
        name: Table(name, told["key"], told["stamp"], told["stamp_indexed"], {column: _column(c) for column, c in told["columns"].items()})
        for name, told in content.items()
    }


def read() -> dict[str, Table]:
    """The description of every table."""
    return parse(json.loads(file().read_text(encoding="utf-8")))


def _column(told: dict[str, Any]) -> Described:
    kind: Type | str = told["kind"]
    if told["kind"] in _PLAIN:
        kind = Type(_PLAIN[told["kind"]])
    elif told["kind"] in _SIZED:
        kind = Type("varchar", told["max_length"])
    elif told["kind"] == "DecimalField":
        kind = Type("decimal", told["max_digits"], told["decimal_places"])
    return Described(kind, told["nullable"], told.get("references", ""))


def propose(table: Table, before: str = "") -> str:
    """A contract's text for review: every column, with what `before` (the contract so far) decided about it.

    Raises ValueError when the table cannot be extracted: no stamp, no index for it, or a column of no known type that is not left out.
    """
    if table.stamp is None or not table.stamp_indexed:
        raise ValueError(
            f"{table.name}: needs a StampedField and an index on (it, {table.key}); derive the model from core.fields.StampedModel"
        )
    decided = tomllib.loads(before) if before else {}
    marks = {name: spec.get("personal", "") for name, spec in decided.get("columns", {}).items()}
    omitted = [name for name in decided.get("omitted", []) if name in table.columns]
    people = decided.get("people", {})
    columns = []
    for name, column in table.columns.items():
        if name in omitted:
            continue
        mark = marks.get(name, _proposed(name, column))
        if isinstance(column.kind, str):
            raise ValueError(f"{table.name}.{name}: there is no type for {column.kind}; add it to `omitted` or leave the table out")
        personal = f', personal = "{mark}"' if mark else ""
        columns.append(f'{name} = {{ type = "{column.kind}", nullable = {str(column.nullable).lower()}{personal} }}')
    names_somebody = any(column.references in _PERSONS or name in _NUMBERS for name, column in table.columns.items())
    personal_data = names_somebody or bool(people) or any('personal = "' in line for line in columns)
    lines = [
        f'table = "{table.name}"',
        f'key = "{table.key}"',
        f'stamp = "{table.stamp}"',
        f"personal_data = {str(decided.get('personal_data', personal_data) or personal_data).lower()}",
        *([f"history_days = {decided['history_days']}"] if "history_days" in decided else []),
        *([f"omitted = {json.dumps(omitted)}"] if omitted else []),
        "",
        "[columns]",
        *columns,
        *(["", "[people]", *(f'{column} = "{points_at}"' for column, points_at in people.items())] if people else []),
    ]
    return "\n".join(lines) + "\n"


def _proposed(name: str, column: Described) -> str:
    told = isinstance(column.kind, Type) and column.kind.family == "text"
    return "omit" if told or name in _PRIVATE else ""
