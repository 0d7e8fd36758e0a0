"""Published files against the marts they were made from, to the cent and the row. Whoever compares them, a difference is an alert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

import duckdb

from .. import affected, files, marts_reader, paths
from ..publish.lineage import AUDIENCES, read_models
from . import alerts
from .checks import Finding
from .quarantine import waiting_tables

_EXACT = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "DECIMAL")


@dataclass(frozen=True)
class Difference:
    """What a published relation and its mart disagree on: `what` is rows, content, or a column's sum."""

    audience: str
    relation: str
    what: str
    published: int
    mart: int

    @property
    def line(self) -> str:
        return f"{self.audience} {self.relation}: {self.what}: published {self.published}, mart {self.mart}"


def differences(*, wait_seconds: float = 300) -> list[Difference]:
    """Rows, exact sums of every whole-number and decimal column, and the rows' checksum of each published relation, beside the work file.

    Meaningful between a publish and the next build: it holds the round's lock. What stands still below a table that is set aside is left out:
    a view of the work file may have gone on. Raises NothingPublished.
    """
    with files.lock(paths.round_lock(), wait_seconds=wait_seconds):
        found = _differences()
    _tell(found)
    return found


def settled_differences(*, wait_seconds: float = 300) -> list[Difference] | None:
    """`differences`; None when something was built since the publication, for somebody else may be between their build and their publish."""
    with files.lock(paths.round_lock(), wait_seconds=wait_seconds):
        at = marts_reader.current().published_at.astimezone(UTC).replace(tzinfo=None)
        with duckdb.connect(str(paths.warehouse()), read_only=True) as work:
            # a node without a time failed in its last build
            [(later,)] = work.execute("SELECT count(*) FROM _build.node WHERE built_at IS NULL OR built_at > ?", [at]).fetchall()
        if later:
            return None
        found = _differences()
    _tell(found)
    return found


def _tell(found: list[Difference]) -> None:
    def told(one: Difference) -> Finding:
        rows = abs(one.published - one.mart) if one.what == "rows" else 0
        message = f"{one.what}, of {one.audience}: published {one.published}, mart {one.mart}"
        return alerts.fault(one.relation, "equal_to_marts", message, rows=rows, column=f"{one.audience} {one.what}")

    alerts.tell("unlike the marts", [told(one) for one in found])


def _differences() -> list[Difference]:
    found = []
    standing = affected.standing(waiting_tables())
    held = {model.relation for unique_id, model in read_models(paths.dbt_target()).items() if unique_id in standing} if standing else set()
    with duckdb.connect(str(paths.warehouse()), read_only=True) as work:
        for audience, schemas in AUDIENCES.items():
            with marts_reader.connect(audience=audience) as published:
                listed = ", ".join(f"'{schema}'" for schema in schemas)
                relations = published.execute(
                    f"SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ({listed}) ORDER BY ALL"
                ).fetchall()
                for schema, name in relations:
                    if f"{schema}.{name}" in held:
                        continue
                    relation = f'"{schema}"."{name}"'
                    there, here = _measures(published, relation), _measures(work, relation)
                    found += [
                        Difference(audience, f"{schema}.{name}", what, there.get(what, 0), here.get(what, 0))
                        for what in sorted(there.keys() | here.keys())
                        if there.get(what) != here.get(what)
                    ]
    return found


def _measures(db: duckdb.DuckDBPyConnection, relation: str) -> dict[str, int]:
    columns = [(name, kind) for name, kind, *_ in db.execute(f"DESCRIBE {relation}").fetchall()]
    sums = {f"sum of {name}": f'coalesce(sum("{name}"), 0)' for name, kind in columns if kind.split("(")[0] in _EXACT}
    asked = {"rows": "count(*)", "content": "coalesce(sum(hash(r)::HUGEINT), 0)", **sums}
    [values] = db.execute(f"SELECT {', '.join(asked.values())} FROM {relation} r").fetchall()
    return dict(zip(asked, values, strict=True))
