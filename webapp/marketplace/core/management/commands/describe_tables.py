"""manage.py describe_tables: what the models say of every table, for the data platform, which never imports Django."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser
from django.db import models

from marketplace.core import triggers
from marketplace.core.fields import StampedField

#: Facts of a field that the database's column depends on.
_SIZES = ("max_length", "max_digits", "decimal_places")


def described() -> dict[str, Any]:
    """Table → its key, its stamp (null where the database stamps no column), whether the stamp is indexed, and its columns in order."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            found[model._meta.db_table] = _table(model)
    return dict(sorted(found.items()))


def _table(model: type[models.Model]) -> dict[str, Any]:
    meta = model._meta
    stamps = [field.name for field in meta.concrete_fields if isinstance(field, StampedField)]
    stamp = stamps[0] if stamps else None
    return {
        "app": meta.app_label,
        "key": meta.pk.column,
        "stamp": stamp,
        "stamp_indexed": any(list(index.fields) == [stamp, meta.pk.name] for index in meta.indexes),
        "append_only": triggers.append_only_names(meta.db_table)[1] in triggers.expected("mysql"),
        "columns": {field.column: _column(field) for field in meta.concrete_fields},
    }


def _column(field: models.Field[Any, Any]) -> dict[str, Any]:
    # A foreign key's column is of the kind of what it points at.
    stored: models.Field[Any, Any] = field
    while stored.remote_field is not None and getattr(stored, "target_field", None) is not None:
        stored = stored.target_field  # type: ignore[attr-defined]  # of a foreign key
    # what an expression gives may be NULL, whatever the field says
    nullable = field.null or field.generated
    if isinstance(stored, models.GeneratedField):
        stored = stored.output_field or stored
    told: dict[str, Any] = {"kind": stored.get_internal_type(), "nullable": nullable}
    told |= {name: value for name in _SIZES if (value := getattr(stored, name, None)) is not None}
    if field.remote_field is not None:
        told["references"] = field.remote_field.model._meta.db_table
    return told


class Command(BaseCommand):
    help = "Write pipelines/extract/source_tables.json, from which the contracts of the extraction are proposed and checked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--print", dest="only_print", action="store_true", help="print it instead")

    def handle(self, *args: Any, **options: Any) -> None:
        text = json.dumps(described(), indent=1) + "\n"
        if options["only_print"]:
            self.stdout.write(text)
            return
        path = Path(__file__).resolve().parents[5] / "pipelines" / "extract" / "source_tables.json"
        path.write_text(text, encoding="utf-8")
        self.stdout.write(f"{path}\n")
