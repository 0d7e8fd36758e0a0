"""From a figure or a served score down to the rows of the source, for staff: published file → marts → raw log.

    python -m pipelines.trace metric take_rate currency=USD month=2026-03-01
    python -m pipelines.trace score 12 345                 the newest score that freelancer 12 was served for job 345
    options, before the kind: --rows 20 (how many keys of each table are listed), --source (look each of them up in the operational database)

What the figure is made of comes from the published file; the rows from the work file and the raw log, which only staff's machines hold. All are
read, never written. Exit code 1 with a message when there is nothing to trace.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from . import marts_reader, paths, refusals
from .extract import sources as source_databases
from .extract.contracts import load_all
from .marts_reader import Metric, MetricError, NothingPublished, Published
from .marts_reader.answers import read_metric
from .marts_reader.question import Condition, conditions
from .marts_reader.tracing import SourceRun, Trace, sources_behind

#: Source table → SQL of the keys that describe freelancer $user or job $job, as the features of a score see them.
SCORE_ROWS = {
    "accounts_user": "SELECT unnest([$user, (SELECT client_id FROM marts.fct_job WHERE job_id = $job)])",
    "accounts_freelancerprofile": "SELECT freelancer_profile_id FROM staging.stg_marketplace__freelancer_profiles WHERE freelancer_id = $user",
    "accounts_freelancerskill": "SELECT claims.freelancer_skill_id FROM staging.stg_marketplace__freelancer_skills AS claims"
    " JOIN staging.stg_marketplace__freelancer_profiles AS profiles USING (freelancer_profile_id) WHERE profiles.freelancer_id = $user",
    "trust_review": "SELECT review_id FROM marts.fct_review WHERE subject_id = $user AND author_side = 'client'",
    "contracts_contract": "SELECT contract_id FROM marts.fct_contract WHERE freelancer_id = $user AND state = 'completed'",
    "jobs_job": "SELECT job_id FROM marts.fct_job WHERE client_id = (SELECT client_id FROM marts.fct_job WHERE job_id = $job)",
    "jobs_jobskill": "SELECT job_skill_id FROM staging.stg_marketplace__job_skills WHERE job_id = $job",
    "jobs_proposal": "SELECT proposal_id FROM marts.fct_proposal WHERE job_id = $job",
}
SCORES = "matching_servedscore"


class NothingToTrace(RuntimeError):
    """There is no such figure, score or work file; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row of the source: its version in the raw log, and the run that brought it: it had seen all that changed before `high`.

    `now`: how the operational database has it ("same", "changed" or "gone"), where it was asked (in_source); else "".
    """

    key: int
    run_seq: int
    known_at: datetime
    low: datetime | None
    high: datetime | None
    now: str = ""


@dataclass(frozen=True, slots=True)
class SourceRows:
    """The rows of one source table behind a figure: how many, and the first of them by key."""

    table: str
    count: int
    rows: tuple[SourceRow, ...]


@dataclass(frozen=True, slots=True)
class ScoreTrace:
    """A served score. `served` is its row in the log (None while scores are not extracted), `features` the published rows it was computed from.

    `feature_publication` is None when that publication is kept no more; `features` are then those of the current one.
    """

    user_id: int
    job_id: int
    served: dict[str, Any] | None
    model: dict[str, Any]
    feature_publication: str | None
    features: dict[str, list[dict[str, Any]]]
    sources: tuple[SourceRun, ...]
    rows: tuple[SourceRows, ...]


def source_rows(
    name: str, where: Mapping[str, Condition] | None = None, *, published: Published | None = None, limit: int = 20
) -> list[SourceRows]:
    """The rows of the source behind a metric's figure, by table, at most `limit` of each listed.

    Raises UnknownMetric, BadQuestion, NothingPublished, and NothingToTrace when there is no work file or somebody writes it just now.
    """
    found = published or marts_reader.current()
    with _work(found) as db:
        metric = read_metric_of(found, name)
        condition, values = conditions(metric, where)
        db.execute(f"CREATE TEMP TABLE cell AS SELECT * FROM published.{metric.relation} WHERE {condition}", values)
        return [_located(db, table, sql, {}, limit) for table, sql in sorted(metric.rows.items())]


def read_metric_of(published: Published, name: str) -> Metric:
    """The definition of a metric in a publication. Raises UnknownMetric."""
    with marts_reader.open_read_only(published.path) as db:
        return read_metric(db, name)


def score(user_id: int, job_id: int, *, limit: int = 20) -> ScoreTrace:
    """What the newest score of a pair was made of. Raises NothingToTrace when no such score, bundle or publication is known."""
    newest = marts_reader.current()
    with _work(newest) as db:
        served = _served(db, user_id, job_id)
    model = _bundle(served["model_version"] if served else None)
    publish_id = str((served or model)["publish_id"])
    kept = newest.path.with_name(f"marts-{publish_id}.duckdb")
    seen = Published(publish_id, kept, newest.published_at) if kept.is_file() else newest
    with marts_reader.open_read_only(seen.path) as db:
        features = {
            relation: _dicts(db.execute(f"SELECT * FROM {relation} WHERE {key} = ?", [value]))
            for relation, key, value in (("science.feat_freelancers", "freelancer_id", user_id), ("science.feat_jobs", "job_id", job_id))
        }
        sources = {run.table: run for relation in features for run in sources_behind(db, relation)}
    if not all(features.values()):
        lacking = ", ".join(relation for relation, rows in features.items() if not rows)
        raise NothingToTrace(
            f"publication {seen.publish_id} has no row of freelancer {user_id} or job {job_id} in {lacking}: no model scored them"
        )
    with _work(seen) as db:
        rows = [_located(db, table, sql, {"user": user_id, "job": job_id}, limit) for table, sql in sorted(SCORE_ROWS.items())]
    told = publish_id if seen.publish_id == publish_id else None
    return ScoreTrace(user_id, job_id, served, model, told, features, tuple(sources[t] for t in sorted(sources)), tuple(rows))


def in_source(found: Sequence[SourceRows]) -> list[SourceRows]:
    """The same rows, each compared with what the operational database of the environment holds under its key at this moment."""
    contracts = {contract.table: contract for contract in load_all()}
    told = []
    with source_databases.connect() as source, source.snapshot() as snapshot, duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        work = _attach_work(db)
        for rows in found:
            contract = contracts[rows.table]
            keys = [row.key for row in rows.rows]
            read = [table for key in keys for table in snapshot.block(contract, key, key + 1)]
            db.register("there", pa.concat_tables(read) if read else source_databases.schema(contract).empty_table())
            names = ", ".join(f'"{name}"' for name in contract.columns)
            key_name = f'"{contract.key}"'
            newest = (
                f'SELECT {names} FROM "{work}".raw."{rows.table}" WHERE list_contains($keys, {key_name})'
                f" QUALIFY row_number() OVER (PARTITION BY {key_name} ORDER BY _run_seq DESC) = 1"
            )
            alive = {key for (key,) in db.execute(f"SELECT {key_name} FROM there").fetchall()}
            other = {key for (key,) in db.execute(f"SELECT {key_name} FROM (FROM there EXCEPT {newest})", {"keys": keys}).fetchall()}
            db.unregister("there")
            states = {key: "gone" if key not in alive else "changed" if key in other else "same" for key in keys}
            told.append(replace(rows, rows=tuple(replace(row, now=states[row.key]) for row in rows.rows)))
    return told


@contextmanager
def _work(published: Published) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory connection that sees the work file's schemas, and the publication as `published`."""
    if not paths.warehouse().is_file():
        raise NothingToTrace(f"{paths.warehouse()} is not there: rows of the source are found where the marts are built")
    with duckdb.connect(config={"python_enable_replacements": "false"}) as db:
        db.execute("SET TimeZone = 'UTC'")
        try:
            work = _attach_work(db)
        except duckdb.IOException as busy:
            raise NothingToTrace("the marts are being built just now: try again in a minute") from busy
        db.execute(f"ATTACH '{published.path}' AS published (READ_ONLY)")
        db.execute(f'USE "{work}"')
        yield db


def _attach_work(db: duckdb.DuckDBPyConnection) -> str:
    """Attach the work file for reading; returns its name there, which is that of the file: its views speak of themselves by it."""
    name = paths.warehouse().stem
    db.execute(f"ATTACH '{paths.warehouse()}' AS \"{name}\" (READ_ONLY)")
    return name


def _located(db: duckdb.DuckDBPyConnection, table: str, sql: str, values: dict[str, Any], limit: int) -> SourceRows:
    """The keys that `sql` gives, with the newest version of each in the raw log and its run."""
    bound = {name: value for name, value in values.items() if f"${name}" in sql}
    db.execute(f"CREATE OR REPLACE TEMP TABLE keys AS SELECT DISTINCT key FROM ({sql}) AS found(key) WHERE key IS NOT NULL", bound)
    [(count,)] = db.execute("SELECT count(*) FROM keys").fetchall()
    found = db.execute(
        f"""
        WITH chosen AS (SELECT key FROM keys ORDER BY key LIMIT {int(limit)}),
        versions AS (
            SELECT id, _run_seq, _known_at FROM raw."{table}" WHERE id IN (SELECT key FROM chosen)
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY _run_seq DESC) = 1
        )
        SELECT chosen.key, versions._run_seq, versions._known_at, run.L, run.H
        FROM chosen
        JOIN versions ON versions.id = chosen.key
        LEFT JOIN raw._runs AS run ON run."table" = ? AND run.run_seq = versions._run_seq
        ORDER BY chosen.key
        """,
        [table],
    ).fetchall()
    return SourceRows(table, int(count), tuple(SourceRow(*row) for row in found))


def _served(db: duckdb.DuckDBPyConnection, user_id: int, job_id: int) -> dict[str, Any] | None:
    """The newest served score of a pair, from the raw log; None when scores are not extracted or this one is not there."""
    known = db.execute(
        "SELECT 1 FROM duckdb_views() WHERE database_name = current_database() AND schema_name = 'raw' AND view_name = ?", [SCORES]
    ).fetchall()
    if not known:
        return None
    rows = _dicts(
        db.execute(
            f"SELECT * FROM raw.{SCORES} WHERE user_id = ? AND job_id = ? AND _op <> 'd' ORDER BY served_at DESC, id DESC LIMIT 1",
            [user_id, job_id],
        )
    )
    return rows[0] if rows else None


def _bundle(version: str | None) -> dict[str, Any]:
    """Model version, MLflow run and publication of a bundle (the current one when none is named). Raises NothingToTrace."""
    home = paths.bundles() / "matching"
    try:
        version = version or str(json.loads((home / "CURRENT.json").read_text())["version"])
        manifest = json.loads((home / version / "manifest.json").read_text())
    except FileNotFoundError as missing:
        if version is not None:  # scores of the rules, or of a bundle that was cleaned away
            return {"model_version": version, "run_id": None, "registry_version": None, "publish_id": ""}
        raise NothingToTrace(f"{missing.filename} is not there: no model was loaded yet; run `make train`") from missing
    meta = manifest["meta"]
    return {"model_version": version, **{key: meta.get(key) for key in ("run_id", "registry_version", "publish_id")}}


def _dicts(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _cell(metric: Metric, told: Sequence[str]) -> dict[str, Condition]:
    """`name=value` pairs as the types of the metric's dimensions. Raises MetricError."""
    cell: dict[str, Condition] = {}
    for pair in told:
        name, equals, text = pair.partition("=")
        if not equals:
            raise MetricError(f"{pair!r} is not name=value")
        dimension = metric.dimension(name)
        value: Any = text
        if dimension and dimension.type == "integer" and text.lstrip("-").isdecimal():
            value = int(text)
        elif dimension and dimension.type == "boolean" and text in ("true", "false"):
            value = text == "true"
        cell[name] = value
    return cell


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


def _tell_rows(found: Sequence[SourceRows]) -> None:
    for rows in found:
        _say(f"  {rows.table}: {rows.count} rows")
        for row in rows.rows:
            now = {
                "": "",
                "same": " · the same in the source",
                "changed": " · changed in the source since",
                "gone": " · gone from the source",
            }
            _say(
                f"    id {row.key} · run {row.run_seq} · known {row.known_at:%Y-%m-%d %H:%M:%S} · L {row.low} · H {row.high}{now[row.now]}"
            )


def _tell_runs(sources: Sequence[SourceRun]) -> None:
    _say("source runs")
    clock = [run.table for run in sources if not run.feeds]
    for run in sources:
        if not run.feeds:
            continue
        _say(f"  {run.table}: run {run.run_seq}, L {run.low}, H {run.high}, drift {run.drift}, {run.state}")
    if clock:
        _say(f"  no value comes from {', '.join(clock)}: they choose rows, or say what is now")


def _tell_metric(told: Trace, rows: Sequence[SourceRows]) -> None:
    metric = told.metric
    cell = ", ".join(f"{name} = {value}" for name, value in told.where.items()) or "all"
    _say(
        f"{metric.name} ({cell}) = {told.value} {metric.currency or metric.unit}",
        metric.description,
        f"publication {told.published.publish_id}",
    )
    _say("models")
    for model in told.models:
        _say(f"  {'  ' * model.steps}{model.relation} ({model.layer}), {model.passed} of {model.tests} tests passed")
    _say("columns")
    for column in told.columns:
        _say(f"  {'  ' * column.steps}{column.relation}.{column.column} ← {column.parent}.{column.parent_column} ({column.how})")
    _tell_runs(told.sources)
    _say("rows of the source")
    _tell_rows(rows)


def _tell_score(told: ScoreTrace) -> None:
    if told.served:
        _say(
            f"score {told.served['score']} of job {told.job_id} for freelancer {told.user_id}, served {told.served['served_at']}, place {told.served['position']}"
        )
        _say(f"parts {told.served['parts']}")
    else:
        _say(
            f"job {told.job_id} for freelancer {told.user_id}: no served score is in the log; this is what the current model knows of them"
        )
    _say("model " + ", ".join(f"{key} {value}" for key, value in told.model.items()))
    _say(f"features of publication {told.feature_publication or 'the current one (that of the score is kept no more)'}")
    for relation, rows in told.features.items():
        _say(*(f"  {relation}: {row}" for row in rows))
    _tell_runs(told.sources)
    _say("rows of the source")
    _tell_rows(told.rows)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.trace", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=20, help="how many keys of each source table are listed")
    parser.add_argument("--source", action="store_true", help="say of each row whether the operational database holds it as the log does")
    kinds = parser.add_subparsers(dest="kind", required=True)
    of_metric = kinds.add_parser("metric", help="a figure of a metric")
    of_metric.add_argument("name")
    of_metric.add_argument("cell", nargs="*", metavar="dimension=value")
    of_score = kinds.add_parser("score", help="a score that a freelancer was served for a job")
    of_score.add_argument("user", type=int)
    of_score.add_argument("job", type=int)
    options = parser.parse_args(arguments)
    return refusals.command(lambda: _act(options))


def _act(options: argparse.Namespace) -> int:
    try:
        if options.kind == "score":
            made_of = score(options.user, options.job, limit=options.rows)
            _tell_score(replace(made_of, rows=tuple(in_source(made_of.rows))) if options.source else made_of)
        else:
            published = marts_reader.current()
            cell = _cell(read_metric_of(published, options.name), options.cell)
            told = marts_reader.trace(options.name, cell, published=published)
            rows = source_rows(options.name, cell, published=published, limit=options.rows)
            _tell_metric(told, in_source(rows) if options.source else rows)
    except (MetricError, NothingPublished, NothingToTrace) as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
