"""Build, audit, switch, collect garbage.

    python -m pipelines.publish                publishes the marts that dbt built
    python -m pipelines.publish rollback       makes the publication before the current one current again

Layout of one audience's folder: `CURRENT.json` (the pointer), `marts-<publish_id>.duckdb` (views and _meta), `parts/` (immutable Parquet
named by content, shared by publications). Nothing that was published is changed; a killed publish leaves the old pointer.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from .. import files, marts_reader, paths
from ..failpoints import failpoint
from ..marts_reader.kept import collect
from ..rows import insert
from . import bundles, columns, metrics, shelf
from .lineage import AUDIENCES, AuditError, Lineage, Model, read

#: Publications that stay for readers and for a rollback, the current one included.
KEEP = 8
#: What DuckDB may hold in memory while parts are written.
MEMORY = "2GB"
_MEASURE = "count(*), coalesce(sum(hash(r)::HUGEINT), 0)"


@dataclass(frozen=True)
class Publication:
    """What was published: rows of each model, and how many parts were written or taken from before."""

    publish_id: str
    rows: dict[str, int]
    written: int
    reused: int


@dataclass(frozen=True)
class _Known:
    """What is told of the marts beside their rows."""

    lineage: Lineage
    edges: list[columns.ColumnEdge]
    runs: list[tuple[Any, ...]]


@dataclass(frozen=True)
class _Part:
    """A model's rows as a file. `proven`: it was read back and compared, now or when an earlier publication brought it."""

    model: Model
    path: Path
    rows: int
    measure: tuple[int, int]
    proven: bool = False


@dataclass(frozen=True)
class _Standing:
    """A part of the current publication: what it holds, and when and how the model was built that it was made of."""

    path: Path
    measure: tuple[int, int]
    built_at: str
    meta: str


def publish(*, held: Collection[str] = (), progress: Callable[[str], None] = lambda name: None) -> Publication:
    """Publish every model of dbt's `published` folder to both audiences.

    Models whose unique ids are `held` stay as the current publication has them: below a view some tables may have gone on without the others.
    All marts of an audience move together; staff before tenants. Raises AuditError, and changes nothing for readers, when a dbt
    node failed, the log drifted, a model's columns are not those it declares, or a written part reads back differently.
    """
    root = paths.published()
    with files.lock(root / ".lock"):
        lineage = read(paths.dbt_target())
        _clear_spill(root)
        for audience in AUDIENCES:
            shelf.follow(root / audience)
            collect(root / audience)
        now = datetime.now(UTC)
        publish_id = f"{now:%Y%m%dT%H%M%S%f}"
        with duckdb.connect(str(paths.warehouse()), read_only=True) as work:
            work.execute("SET TimeZone = 'UTC'")
            # a part is sorted whole: beyond this it is sorted on the disk, not in the memory of the machine
            work.execute(f"SET memory_limit = '{MEMORY}'")
            work.execute(f"SET temp_directory = '{_spill(root)}'")
            _audit(work, lineage)
            known = _Known(lineage, columns.edges(lineage.models, work), _source_runs(work))
            written = reused = 0
            parts: list[_Part] = []
            standing = _standing(root / "staff")
            for model in lineage.published("staff"):
                progress(f"{model.schema}.{model.alias}")
                # of one that rests not even the rows are looked at; others may have changed below a view, or by hand
                rests = model.unique_id in held or model.meta.get("rhythm")
                stands = standing.get(model.unique_id)
                if rests and stands and stands.built_at == model.built_at:
                    part, fresh = _Part(model, stands.path, stands.measure[0], stands.measure, proven=True), False
                else:
                    part, fresh = _write_part(work, model, root / "staff" / "parts", stands)
                parts.append(part)
                written, reused = written + fresh, reused + (not fresh)
                failpoint("publish.between_parts")
        files_of = {}
        for audience, schemas in AUDIENCES.items():
            chosen = [_shared(part, root / audience / "parts") for part in parts if part.model.schema in schemas]
            files_of[audience] = _build(root / audience, publish_id, now, known, audience, chosen)
            # whoever sees fewer reads the same files
            parts = [replace(part, proven=True) for part in parts]
        failpoint("publish.before_switch")
        for audience, path in files_of.items():
            _switch(root / audience, publish_id, path.name, now)
            failpoint(f"publish.switched_{audience}")
            collect(root / audience)
    return Publication(publish_id, {f"{part.model.schema}.{part.model.alias}": part.rows for part in parts}, written, reused)


def rollback(audience: str = "staff", *, root: Path | None = None) -> str:
    """Point at the publication before the current one; returns its id. Raises NothingPublished when there is none."""
    root = root or paths.published()
    folder = root / audience
    with files.lock(root / ".lock"):
        pointer = files.read_json(folder / marts_reader.POINTER) or {"previous": []}
        if not pointer["previous"]:
            raise marts_reader.NothingPublished(f"no publication before the current one is kept in {folder}")
        earlier, *rest = pointer["previous"]
        content = {**earlier, "previous": rest}
        shelf.point(folder, content)
    return str(earlier["publish_id"])


def forget_earlier(*, root: Path | None = None) -> None:
    """Remove every publication but the current one, and the parts that only they used: nobody reads them or goes back to them any more."""
    root = root or paths.published()
    with files.lock(root / ".lock"):
        _clear_spill(root)
        for audience in AUDIENCES:
            pointer = files.read_json(root / audience / marts_reader.POINTER)
            if pointer:
                shelf.point(root / audience, {**pointer, "previous": []})
                collect(root / audience)


def _spill(root: Path) -> Path:
    """Where rows lie while a part is sorted on the disk."""
    return root / ".spill"


def _clear_spill(root: Path) -> None:
    """Remove what a killed publish was sorting. Call it under the lock."""
    shutil.rmtree(_spill(root), ignore_errors=True)


def _audit(work: duckdb.DuckDBPyConnection, lineage: Lineage) -> None:
    problems = list(lineage.problems)
    models = lineage.published("staff")
    if not models:
        problems.append("dbt's project has no published models")
    drift = work.execute(
        'SELECT "table" FROM raw._runs WHERE drift > 0 AND run_seq = (SELECT max(run_seq) FROM raw._runs) ORDER BY ALL'
    ).fetchall()
    problems += [f"{table}: the raw log drifted from the source" for (table,) in drift]
    for model in models:
        if model.schema not in AUDIENCES["staff"]:
            problems.append(f"{model.relation}: no audience sees the schema {model.schema}")
            continue
        try:
            actual = [row[0] for row in work.execute(f'DESCRIBE "{model.schema}"."{model.alias}"').fetchall()]
        except duckdb.CatalogException:
            problems.append(f"{model.relation}: not built")
            continue
        declared = {column["name"] for column in model.columns}
        if set(actual) != declared:
            problems.append(f"{model.relation}: columns differ from the declared ones: {', '.join(sorted(set(actual) ^ declared))}")
    problems += metrics.unpublished(paths.dbt_project() / "metrics", [model.relation for model in models])
    if problems:
        raise AuditError("not published: " + "; ".join(problems))


def _write_part(work: duckdb.DuckDBPyConnection, model: Model, folder: Path, stands: _Standing | None = None) -> tuple[_Part, bool]:
    """The model's rows as a file named by its content; (part, whether it had to be written). The one that stands is read back like a new one."""
    folder.mkdir(parents=True, exist_ok=True)
    relation = f'"{model.schema}"."{model.alias}"'
    measure = _measured(work, f"SELECT {_MEASURE} FROM {relation} r")
    if (
        stands
        and stands.measure == measure
        and stands.meta == _json(model.meta)
        and _shape(work, relation) == _shape(work, f"'{stands.path}'")
    ):
        return _Part(model, stands.path, measure[0], measure), False
    temporary = folder / f".{model.schema}.{model.alias}.{os.getpid()}"
    # the same rows always make the same file; a model of many rows says by which columns, its key among them, it is sorted at little cost
    order = ", ".join(model.meta.get("file_order", ["ALL"]))
    work.execute(
        f"COPY (SELECT * FROM {relation} ORDER BY {order}) TO '{temporary}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
    )
    path = folder / f"{model.schema}.{model.alias}-{_digest(temporary)[:20]}.parquet"
    fresh = not path.exists()
    if fresh:
        files.sync(temporary)
        temporary.replace(path)
        files.sync(folder)
    else:
        temporary.unlink()
    return _Part(model, path, measure[0], measure), fresh


def _shape(work: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    """Names and types of the columns; the checksum of rows knows neither."""
    return [(row[0], row[1]) for row in work.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]


def _json(what: Any) -> str:
    return json.dumps(what, ensure_ascii=False)


def _shared(part: _Part, folder: Path) -> _Part:
    """The same part in another audience's folder: one file on the disk where links are possible."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / part.path.name
    if not path.exists():
        temporary = folder / f".{part.path.name}.{os.getpid()}"
        try:
            os.link(part.path, temporary)
        except OSError:
            shutil.copyfile(part.path, temporary)
            files.sync(temporary)
        temporary.replace(path)
        files.sync(folder)
    return replace(part, path=path, proven=part.proven and path.samefile(part.path))


def _standing(folder: Path) -> dict[str, _Standing]:
    """The current publication's parts by model. What was not built since, or has the same rows, is in them."""
    pointer = files.read_json(folder / marts_reader.POINTER)
    if not pointer or not (folder / pointer["file"]).is_file():
        return {}
    with duckdb.connect(str(folder / pointer["file"]), read_only=True) as db:
        try:
            told = db.execute(
                "SELECT unique_id, part, rows, checksum, built_at, meta FROM _meta.model WHERE part IS NOT NULL AND built_at <> ''"
            ).fetchall()
        except duckdb.BinderException:
            return {}  # published before parts told when they were built
    parts = folder / "parts"
    return {
        unique_id: _Standing(parts / name, (rows, int(checksum)), built_at, meta)
        for unique_id, name, rows, checksum, built_at, meta in told
        if (parts / name).is_file()
    }


def _build(folder: Path, publish_id: str, now: datetime, known: _Known, audience: str, parts: list[_Part]) -> Path:
    """The file of views and _meta, written, closed, reopened read-only and compared with the work file."""
    path = folder / f"marts-{publish_id}.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("SET TimeZone = 'UTC'")
        for schema in AUDIENCES[audience]:
            db.execute(f'CREATE SCHEMA "{schema}"')
        for part in parts:
            db.execute(f'CREATE VIEW "{part.model.schema}"."{part.model.alias}" AS SELECT * FROM read_parquet(\'{part.path}\')')
        _write_meta(db, publish_id, now, known, parts)
        published = {part.model.relation: part.model for part in parts}
        bundles.write(db, set(published))
        defined = metrics.compiled(paths.dbt_project() / "metrics", published, db)
        metrics.write(db, defined)
        pointer = files.read_json(folder / marts_reader.POINTER)
        earlier = folder / pointer["file"] if pointer else None
        metrics.write_answers(db, defined, {part.model.relation: part.path.name for part in parts}, earlier)
    files.sync(path)
    with duckdb.connect(str(path), read_only=True) as db:
        for part in parts:
            relation = f'"{part.model.schema}"."{part.model.alias}"'
            # what was proven has its rows counted, by the file's own footer
            measure = f"count(*), {part.measure[1]}::HUGEINT" if part.proven else _MEASURE
            found = _measured(db, f"SELECT {measure} FROM {relation} r")
            if found != part.measure:
                raise AuditError(
                    f"{part.model.relation}: {part.measure[0]} rows were written, {found[0]} read back, or their checksum differs"
                )
    return path


def _write_meta(db: duckdb.DuckDBPyConnection, publish_id: str, now: datetime, known: _Known, parts: list[_Part]) -> None:
    lineage, runs = known.lineage, known.runs
    of_model = {part.model.unique_id: part for part in parts}
    models = lineage.ancestry(part.model for part in parts)
    ids = {model.unique_id for model in models}
    db.execute(
        """
        CREATE SCHEMA _meta;
        CREATE TABLE _meta.publish (publish_id VARCHAR, published_at TIMESTAMP, run_seq BIGINT, dbt_invocation_id VARCHAR, models BIGINT, rows BIGINT);
        CREATE TABLE _meta.model (unique_id VARCHAR, name VARCHAR, layer VARCHAR, relation VARCHAR, published BOOLEAN, description VARCHAR, sql VARCHAR,
            columns JSON, meta JSON, tests JSON, rows BIGINT, part VARCHAR, built_at VARCHAR, checksum VARCHAR);
        CREATE TABLE _meta.edge (parent VARCHAR, child VARCHAR);
        CREATE TABLE _meta.column_edge (child VARCHAR, "column" VARCHAR, parent VARCHAR, parent_column VARCHAR, how VARCHAR);
        CREATE TABLE _meta.source_run (run_seq BIGINT, "table" VARCHAR, L TIMESTAMP, H TIMESTAMP, rows BIGINT, deletes BIGINT, repaired BIGINT,
            drift BIGINT, seconds DOUBLE, state VARCHAR, message VARCHAR, known_at TIMESTAMP);
        """
    )
    last = max((run[0] for run in runs), default=None)
    db.execute(
        "INSERT INTO _meta.publish VALUES (?, ?, ?, ?, ?, ?)",
        [publish_id, now.replace(tzinfo=None), last, lineage.invocation_id, len(parts), sum(part.rows for part in parts)],
    )
    rows = []
    for model in models:
        part = of_model.get(model.unique_id)
        about = [_json(what) for what in (model.columns, model.meta, model.tests)]
        where = [part.rows, part.path.name, model.built_at, str(part.measure[1])] if part else [None, None, model.built_at, None]
        rows.append(
            [model.unique_id, model.name, model.layer, model.relation, part is not None, model.description, model.sql, *about, *where]
        )
    insert(db, "_meta.model", rows)
    insert(db, "_meta.edge", [[parent, model.unique_id] for model in models for parent in model.parents if parent in ids])
    told = [[e.child, e.column, e.parent, e.parent_column, e.how] for e in known.edges if e.child in ids]
    insert(db, "_meta.column_edge", told)
    insert(db, "_meta.source_run", runs)


def _source_runs(work: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """The last run of each source table, and the last in which it was read."""
    return work.execute(
        'SELECT run_seq, "table", L, H, rows, deletes, repaired, drift, seconds, state, message, known_at FROM raw._runs'
        ' QUALIFY row_number() OVER (PARTITION BY "table", state ORDER BY run_seq DESC) = 1 ORDER BY ALL'
    ).fetchall()


def _switch(folder: Path, publish_id: str, name: str, now: datetime) -> None:
    old = files.read_json(folder / marts_reader.POINTER)
    previous = [{key: old[key] for key in ("publish_id", "file", "published_at")}, *old["previous"]] if old else []
    content = {"publish_id": publish_id, "file": name, "published_at": now.isoformat(), "previous": previous[: KEEP - 1]}
    shelf.point(folder, content)


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _measured(db: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, int]:
    rows, checksum = db.execute(sql).fetchone() or (0, 0)
    return int(rows), int(checksum)
