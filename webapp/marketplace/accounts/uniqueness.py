"""What allauth's three conditional unique constraints promise, on databases that have none.

MySQL and MariaDB skip `UniqueConstraint(condition=…)`. A generated column that is null where the condition is false, under a unique
index, holds the same promise: two accounts cannot verify one address, nobody has two primary addresses or two TOTP secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise: `column` of `table` is `expression`, and unique under the index `name`."""

    name: str
    table: str
    column: str
    kind: str
    expression: str


RULES = (
    Rule("unique_verified_email", "account_emailaddress", "verified_email", "varchar(191)", "IF(`verified`, `email`, NULL)"),
    Rule("unique_primary_email", "account_emailaddress", "primary_of", "bigint", "IF(`primary`, `user_id`, NULL)"),
    Rule(
        "unique_authenticator_type",
        "mfa_authenticator",
        "single_of",
        "varchar(64)",
        "IF(`type` IN ('totp', 'recovery_codes'), CONCAT(`user_id`, ':', `type`), NULL)",
    ),
)


def lay(schema_editor: Any) -> list[str]:
    """Add the columns and indexes that are missing; nothing on databases with conditional indexes. Returns the rules laid."""
    connection = schema_editor.connection
    if connection.vendor != "mysql":
        return []
    laid = []
    with connection.cursor() as cursor:
        for rule in RULES:
            columns = {c.name for c in connection.introspection.get_table_description(cursor, rule.table)}
            if rule.column not in columns:
                cursor.execute(f"ALTER TABLE {rule.table} ADD COLUMN {rule.column} {rule.kind} AS ({rule.expression}) VIRTUAL")
            if rule.name not in connection.introspection.get_constraints(cursor, rule.table):
                cursor.execute(f"CREATE UNIQUE INDEX {rule.name} ON {rule.table} ({rule.column})")
                laid.append(rule.name)
    return laid


def lay_in_migration(apps: Any, schema_editor: Any) -> None:
    """For RunPython."""
    lay(schema_editor)
