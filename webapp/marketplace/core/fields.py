"""Model fields that the database itself fills in."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.expressions import Func


class DatabaseNow(Func):
    """The database server's UTC clock with microseconds (milliseconds on SQLite), apart from the business clock."""

    template = "CURRENT_TIMESTAMP(6)"
    arity = 0

    def __init__(self) -> None:
        super().__init__(output_field=models.DateTimeField())

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="strftime('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'now')", **extra)


class JsonValue(Func):
    """The scalar at a path of a JSON column as text; NULL where there is none."""

    function = "JSON_VALUE"
    arity = 2

    def __init__(self, column: str, path: str) -> None:
        super().__init__(models.F(column), models.Value(path), output_field=models.CharField())

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSON_EXTRACT", **extra)


class StampedField(models.DateTimeField):
    """`updated_at`, stamped by the database at every insert and update, whatever wrote the row.

    MariaDB/MySQL: DEFAULT and ON UPDATE CURRENT_TIMESTAMP(6). SQLite: a default and the trigger made in core.triggers.
    The extraction's watermark depends on it, so application code never assigns it: what an instance holds is ignored.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(editable=False, db_default=DatabaseNow())
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        kwargs.pop("db_default", None)
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str | None:
        kind = super().db_type(connection)
        if connection.vendor == "mysql":
            return f"{kind} ON UPDATE CURRENT_TIMESTAMP(6)"
        return kind

    def cast_db_type(self, connection: Any) -> str | None:
        return super().db_type(connection)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return DatabaseNow()


class StampedModel(models.Model):
    """Base of every table that the data platform extracts."""

    updated_at = StampedField()

    class Meta:
        abstract = True
