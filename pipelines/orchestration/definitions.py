"""Assets, checks, jobs and schedules over extract, dbt, publish and the models.

Asset key = layer/domain/name, group = layer, so that the graph with its groups closed is the house's picture: source → raw → staging →
intermediate → marts → published → publication → models → scores. Each source table has three checks: `contract` (its columns are those declared), `drift` (the raw
log equals the source after reconciliation) and `batch` (what came looks like what came before). None of them blocks, for one table must not stop the others: a table
that is stopped or set aside keeps its log as it was, what is made of one set aside stands still, and the publication's audit refuses a log that drifted. The weekly
proof has a check of its own, `proof`, and its own job. Each dbt node has one that blocks, `tests`, for all of its tests; a publication is compared with its marts.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from .. import chores, paths, rounds, transform
from ..extract.contracts import load_all
from ..extract.log import Log
from ..extract.run import TableResult
from ..publish.lineage import AUDIENCES
from ..quality.published import differences
from ..settings import load as load_settings
from . import sensors
from .dbt_graph import Node, load, raw_key

_SETTINGS = load_settings().orchestration
RETRY = dg.RetryPolicy(
    max_retries=_SETTINGS.retries, delay=_SETTINGS.retry_seconds, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
_TABLES = [contract.table for contract in load_all()]
_NODES: list[Node] = load()
_SCORES, _CHAMPION = dg.AssetKey(["scores", "matching", "bundle"]), dg.AssetKey(["models", "matching", "champion"])
#: Nothing here makes it: people and the web app do.
_DATABASE = dg.AssetSpec(
    ["source", "marketplace", "database"],
    group_name="source",
    description="The operational database, the truth. Each table is read from one snapshot a run.",
    kinds={"mysql"},
)
_FINISHED_WELL = {"success", "pass", "warn", "no-op"}
#: A run's tag: the build that failed in it.
_FAILED = "openlance/failed_build"


class ExtractConfig(dg.Config):
    """How much to read."""

    reconcile: bool = True
    full_refresh: bool = False


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            raw_key(table),
            deps=[_DATABASE.key],
            group_name="raw",
            description=f"Every version of each row of {table}, as runs read it; deleted rows too.",
            kinds={"parquet"},
        )
        for table in _TABLES
    ],
    check_specs=[dg.AssetCheckSpec(name, asset=raw_key(table)) for table in _TABLES for name in ("contract", "drift", "batch")],
    retry_policy=RETRY,
    pool="warehouse",
)
def extract_tables(context: dg.AssetExecutionContext, config: ExtractConfig) -> Iterator[Any]:
    """The raw change log, brought up to the source's present state; a table that was not read stands as it was, and its metadata says why."""
    report = rounds.extracted(reconcile=config.reconcile, full_refresh=config.full_refresh)
    for warning in report.warnings:
        context.log.warning(warning)
    for result in report.tables:
        key = raw_key(result.table)
        about: dict[str, Any] = {"state": _state(result), "why": result.stopped, "run_seq": report.run_seq, "seconds": result.seconds}
        if not result.stopped:
            about |= {"rows": result.rows, "deletes": result.deletes, "repaired": result.repaired, "high_mark": str(report.high)}
        yield dg.MaterializeResult(asset_key=key, metadata=about)
        yield from _table_checks(result, key)


def _state(result: TableResult) -> str:
    """What became of a table: read, held (its batch is set aside), drifted or stopped (by its contract, or at reading)."""
    if not result.stopped:
        return "read"
    return "held" if result.held else "drifted" if result.drift else "stopped"


def _table_checks(result: TableResult, key: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """What went wrong, named by table, check and rows."""
    drifted = bool(result.drift)
    told: dict[str, Any] = {"table": result.table, "rows": result.rows, "message": result.stopped or "as declared"}
    yield dg.AssetCheckResult(
        asset_key=key, check_name="contract", passed=drifted or result.held or not result.stopped, metadata=told, description=result.stopped
    )
    mended = f"equal to the source, once read again: {result.unlike}" if result.repaired else "equal to the source"
    told = {"table": result.table, "rows": result.repaired, "message": result.stopped if drifted else mended}
    yield dg.AssetCheckResult(asset_key=key, check_name="drift", passed=not drifted, metadata=told)
    told = {"table": result.table, "message": result.stopped if result.held else "like batches before it"}
    yield dg.AssetCheckResult(asset_key=key, check_name="batch", passed=not result.held, severity=dg.AssetCheckSeverity.WARN, metadata=told)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            node.key, deps=node.parents, group_name=node.group, description=node.description, skippable=True, kinds={"dbt", "duckdb"}
        )
        for node in _NODES
    ],
    check_specs=[dg.AssetCheckSpec("tests", asset=node.key, blocking=True) for node in _NODES if node.tests],
    retry_policy=RETRY,
    pool="warehouse",
)
def build_marts(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """`dbt build` in a process of its own. A retry goes on where the build stopped, when nothing was read or built since; else it builds again."""
    failed: transform.BuildFailed | None = None
    stands: frozenset[str] = frozenset()
    run = context.instance.get_run_by_id(context.run_id)
    again = context.retry_number > 0 and run is not None and run.tags.get(_FAILED) == _last_build()
    try:
        done = rounds.built(retry=again, progress=context.log.debug)
        stands = frozenset(done.work.selection.held if done.work.selection else ())
    except transform.BuildFailed as stop:
        failed = stop
        context.instance.add_run_tags(context.run_id, {_FAILED: _last_build()})
    yield from _told(transform.results(), stands)
    if failed:
        ended = {result["status"] for result in transform.ran().values()} - _FINISHED_WELL
        # what data did, the same data would do again; a dbt that was killed has left no results
        raise dg.Failure(str(failed), allow_retries=not ended or not ended <= {"fail", "skipped"}) from failed


def _last_build() -> str:
    """Which build left its results, and of which state of the log."""
    return f"{transform.build_id()} {Log(paths.raw()).manifest().run_seq}"


def _told(found: dict[str, dict[str, Any]], stands: frozenset[str]) -> Iterator[Any]:
    """A build's results, node by node. Those that stand were left as they were, and their tests with them."""
    by_name = {
        unique_id.split(".")[-1 if unique_id.startswith("unit_test.") else 2]: result
        for unique_id, result in found.items()
        if unique_id.startswith(("test.", "unit_test."))
    }
    not_asked = {name for node in _NODES if node.name in stands for name in node.tests} - set(by_name)
    for node in _NODES:
        result = found.get(node.unique_id, {})
        if node.name in stands:
            yield dg.MaterializeResult(asset_key=node.key, metadata={"state": "as it was"})
        elif result.get("status") in _FINISHED_WELL:
            yield dg.MaterializeResult(asset_key=node.key, metadata={"state": "built", "seconds": float(result["execution_time"])})
        if node.tests:
            status = {name: by_name.get(name, {}) for name in node.tests if name not in not_asked}
            bad = {
                name: result.get("failures") or 0
                for name, result in status.items()
                if result.get("status", "not run") not in _FINISHED_WELL
            }
            told: dict[str, Any] = {"model": node.key.to_user_string(), "tests": len(node.tests), "failing": dg.MetadataValue.json(bad)}
            yield dg.AssetCheckResult(asset_key=node.key, check_name="tests", passed=not bad, metadata=told)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            dg.AssetKey(["publication", audience, "marts"]),
            deps=[node.key for node in _NODES if node.published and node.key.path[1] in schemas],
            group_name="publication",
            description=f"What {audience} read: immutable files, and the pointer that all of them move with.",
            kinds={"duckdb"},
            freshness_policy=dg.FreshnessPolicy.time_window(
                fail_window=timedelta(minutes=2 * _SETTINGS.fresh_minutes), warn_window=timedelta(minutes=_SETTINGS.fresh_minutes)
            ),
        )
        for audience, schemas in AUDIENCES.items()
    ],
    check_specs=[dg.AssetCheckSpec("equal_to_marts", asset=["publication", audience, "marts"], blocking=True) for audience in AUDIENCES],
    pool="warehouse",
)
def publish_marts() -> Iterator[Any]:
    """Audit, write, switch the pointers of both audiences; then compare what readers see with the marts, to the cent and the row."""
    done = rounds.published()
    unlike = differences()
    for audience in AUDIENCES:
        told: dict[str, Any] = {"publish_id": done.publish_id, "parts_written": done.written, "parts_reused": done.reused}
        key = dg.AssetKey(["publication", audience, "marts"])
        yield dg.MaterializeResult(asset_key=key, metadata=told)
        lines = [difference.line for difference in unlike if difference.audience == audience]
        yield dg.AssetCheckResult(
            asset_key=key, check_name="equal_to_marts", passed=not lines, metadata={"differences": dg.MetadataValue.json(lines)}
        )


def _module(context: dg.AssetExecutionContext, name: str) -> None:
    """Run one of our commands to its end; its last words are in the log. Raises CalledProcessError."""
    done = subprocess.run([sys.executable, "-m", name], cwd=paths.REPO, capture_output=True, text=True, check=False)
    context.log.info(f"{done.stdout}\n{done.stderr}".strip()[-4000:])
    done.check_returncode()


@dg.asset(
    key=_CHAMPION,
    deps=[dg.AssetKey(["publication", "staff", "marts"])],
    group_name="models",
    kinds={"scikitlearn"},
    retry_policy=RETRY,
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=2 * _SETTINGS.trained_hours), warn_window=timedelta(hours=_SETTINGS.trained_hours)
    ),
)
def train_matching(context: dg.AssetExecutionContext) -> None:
    """Train, evaluate and gate; the champion changes only when the gate lets it."""
    _module(context, "ml.matching.train")


@dg.asset(key=_SCORES, deps=[dg.AssetKey(["publication", "staff", "marts"]), _CHAMPION], group_name="scores", retry_policy=RETRY)
def export_scores(context: dg.AssetExecutionContext) -> None:
    """The champion with the newest published features, as a bundle for the web app."""
    _module(context, "ml.matching.export")


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec("proof", asset=raw_key(table), description="Every row of the source is in the log, and no other.")
        for table in _TABLES
    ],
    retry_policy=RETRY,
    pool="warehouse",
)
def prove_tables(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """Every row is read and compared with the log; what differs is read again, told by table and rows, and fails the table's check."""
    report = rounds.extracted(reconcile=False, prove=True)
    for line in chores.tell(report):
        context.log.warning(line)
    for result in report.tables:
        rows, checksum = result.proof or (0, 0)
        told: dict[str, Any] = {"table": result.table, "rows": rows, "checksum": str(checksum), "differed": result.repaired}
        why = chores.unlike(result)
        yield dg.AssetCheckResult(
            asset_key=raw_key(result.table),
            check_name="proof",
            passed=not why,
            metadata={**told, "message": why or "equal to the source"},
            description=why,
        )


@dg.op(retry_policy=RETRY, pool="warehouse")
def compact_log(context: dg.OpExecutionContext) -> None:
    """The log's files are merged, and what is past a contract's history_days is folded."""
    done = rounds.compacted()
    folded = sum(table.rows_before - table.rows_after for table in done)
    context.add_output_metadata({"tables": len(done), "files_before": sum(table.files for table in done), "rows_folded": folded})


@dg.job(description="raw files of each table → one, older history folded", tags={"openlance/writes": "warehouse"})
def compaction() -> None:
    """Compaction and retention of the raw log."""
    compact_log()


proof = dg.define_asset_job(
    "proof",
    selection=dg.AssetSelection.checks(prove_tables),
    description="every row of the source against the raw log",
    tags={"openlance/writes": "warehouse"},
)
_ROUND = dg.AssetSelection.assets(extract_tables, build_marts, publish_marts) - dg.AssetSelection.checks(prove_tables)
pipeline_round = dg.define_asset_job(
    "pipeline_round", selection=_ROUND, description="extract → dbt → audit → publish", tags={"openlance/writes": "warehouse"}
)
training = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.assets(train_matching, export_scores),
    description="train → gate → export",
    tags={"openlance/writes": "models"},
)


def _status(on: bool) -> dg.DefaultScheduleStatus:
    """Schedules run by themselves where the environment's settings say so."""
    return dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED


#: Where the resident loop follows the database, it also compares, proves and compacts.
_ROUNDS_HERE = _SETTINGS.schedules and not _SETTINGS.resident_loop
_AT_WORK = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def _round_config(*, reconcile: bool) -> dg.RunConfig:
    return dg.RunConfig(ops={"extract_tables": ExtractConfig(reconcile=reconcile)})


@dg.schedule(
    job=pipeline_round,
    description="Every minute, unless a round is still at work.",
    cron_schedule=_SETTINGS.incremental_cron,
    default_status=_status(_ROUNDS_HERE),
)
def incremental(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    if context.instance.get_runs_count(dg.RunsFilter(job_name=pipeline_round.name, statuses=_AT_WORK)):
        return dg.SkipReason("a round is still at work")
    return dg.RunRequest(run_config=_round_config(reconcile=False), tags={"openlance/why": "incremental"})


@dg.schedule(
    job=pipeline_round,
    description="Hourly: every key block is compared with the source.",
    cron_schedule=_SETTINGS.reconcile_cron,
    default_status=_status(_ROUNDS_HERE),
)
def reconcile() -> dg.RunRequest:
    return dg.RunRequest(run_config=_round_config(reconcile=True), tags={"openlance/why": "reconcile"})


@dg.schedule(
    job=proof,
    description="Weekly: every row is read and compared. What it mends is built by the next round.",
    cron_schedule=_SETTINGS.prove_cron,
    default_status=_status(_ROUNDS_HERE),
)
def weekly_proof() -> dg.RunRequest:
    return dg.RunRequest(tags={"openlance/why": "proof"})


@dg.schedule(
    job=compaction,
    description="Every night: fewer files, and no history past its days.",
    cron_schedule=_SETTINGS.compact_cron,
    default_status=_status(_ROUNDS_HERE),
)
def nightly_compaction() -> dg.RunRequest:
    return dg.RunRequest(tags={"openlance/why": "compaction"})


@dg.schedule(
    job=training,
    description="Every night: train on what was published.",
    cron_schedule=_SETTINGS.train_cron,
    default_status=_status(_SETTINGS.schedules),
)
def nightly() -> dg.RunRequest:
    return dg.RunRequest(tags={"openlance/why": "nightly"})


defs = dg.Definitions(
    assets=[_DATABASE, extract_tables, build_marts, publish_marts, train_matching, export_scores],
    asset_checks=[prove_tables],
    jobs=[pipeline_round, proof, compaction, training],
    schedules=[incremental, reconcile, weekly_proof, nightly_compaction, nightly],
    sensors=sensors.made(_SETTINGS, pipeline_round, _round_config(reconcile=True)),
)
