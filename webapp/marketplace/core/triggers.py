"""Triggers that Django's migrations cannot express, laid after every migrate, idempotently.

Apps register statements per database vendor. The core lays the `updated_at` triggers of SQLite for every StampedField, and on MySQL and MariaDB the
tombstones of every table that bears one: whatever deletes a row (a service, Django's cascade, a hand in the console), the data platform learns of it.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections

from .fields import StampedField

#: Table of the hard deletes of extracted tables.
TOMBSTONES = "core_deletedrow"

#: vendor → {trigger name: CREATE statement without the name's IF NOT EXISTS}
_registered: dict[str, dict[str, str]] = {"mysql": {}, "sqlite": {}}


def register(vendor: str, name: str, body: str) -> None:
    """`body` is what follows `CREATE TRIGGER <name> `."""
    _registered[vendor][name] = body


def append_only_names(table: str) -> tuple[str, str]:
    """Names of the two triggers that refuse updates and deletes of a table's rows."""
    return f"{table}_no_update", f"{table}_no_delete"


def append_only(table: str) -> None:
    """Let the database refuse every UPDATE and DELETE of the table's rows."""
    for name, verb in zip(append_only_names(table), ("UPDATE", "DELETE"), strict=True):
        message = f"{table} is append-only: {verb} refused"
        register("mysql", name, f"BEFORE {verb} ON {table} FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'")
        register("sqlite", name, f"BEFORE {verb} ON {table} FOR EACH ROW BEGIN SELECT RAISE(ABORT, '{message}'); END")


def _sqlite_stamps() -> dict[str, str]:
    found = {}
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            if isinstance(field, StampedField) and model._meta.managed and not model._meta.proxy:
                table, column, pk = model._meta.db_table, field.column, model._meta.pk.column
                found[f"stamp_{table}_{column}"] = (
                    f'AFTER UPDATE ON "{table}" FOR EACH ROW WHEN NEW."{column}" IS OLD."{column}" BEGIN '
                    f'UPDATE "{table}" SET "{column}" = strftime(\'%Y-%m-%d %H:%M:%f000\', \'now\') WHERE "{pk}" = NEW."{pk}"; END'
                )
    return found


def _tombstones() -> dict[str, str]:
    """SQLite needs none: there the extraction reads whole tables. Append-only tables have none to write."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        table, pk = model._meta.db_table, model._meta.pk.column
        stamped = any(isinstance(field, StampedField) for field in model._meta.concrete_fields)
        kept = append_only_names(table)[1] in _registered["mysql"]
        if stamped and model._meta.managed and not model._meta.proxy and not kept and table != TOMBSTONES:
            found[f"{table}_tombstone"] = (
                f"AFTER DELETE ON {table} FOR EACH ROW "
                f"INSERT INTO {TOMBSTONES} (table_name, row_id, reason) VALUES ('{table}', OLD.{pk}, 'deleted')"
            )
    return found


def expected(vendor: str) -> dict[str, str]:
    """Every trigger that must exist on this kind of database."""
    laid_by_core = {"sqlite": _sqlite_stamps, "mysql": _tombstones}
    return {**_registered.get(vendor, {}), **(laid_by_core[vendor]() if vendor in laid_by_core else {})}


def existing(using: str = "default") -> set[str]:
    """Names of the triggers that are there."""
    connection = connections[using]
    query = {
        "mysql": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(query)
        return {row[0] for row in cursor.fetchall()}


def lay(using: str = "default") -> list[str]:
    """Create the missing triggers whose tables exist; returns their names."""
    connection = connections[using]
    wanted, there = expected(connection.vendor), existing(using)
    tables = set(connection.introspection.table_names())
    laid = []
    with connection.cursor() as cursor:
        for name, body in sorted(wanted.items()):
            table = body.split(" ON ", 1)[1].split()[0].strip('`"')
            if name in there or table not in tables:
                continue
            cursor.execute(f"CREATE TRIGGER {name} {body}")
            laid.append(name)
    return laid


def lay_after_migrate(sender: Any, using: str, **_: Any) -> None:
    """Handler of post_migrate, connected once by the core's AppConfig."""
    lay(using)
