"""What Dagster watches: rounds of the resident loop, the outbox's volume, notifications of gateways that failed, drift, failed runs.

They read the raw log's files and the loop's own log, never the work file: a build may hold it.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import duckdb

from .. import loop, paths
from ..extract.contracts import load_all
from ..extract.log import RUNS, RUNS_COLUMNS, Log, current, select
from ..publish.lineage import AUDIENCES
from ..quality import alerts
from ..settings import Orchestration
from .dbt_graph import raw_key

OUTBOX, WEBHOOKS = "core_event", "payments_webhookevent"
#: Rounds told at once; the next look goes on from there.
_ROUNDS = 50


def runs_after(run_seq: int) -> list[tuple[int, str, int, int, str, str]]:
    """Runs of the extraction later than `run_seq`: (run_seq, table, rows, drift, state, message), oldest first."""
    log = Log(paths.raw())
    with duckdb.connect() as db:
        return db.execute(
            f"SELECT run_seq, \"table\", rows, drift, state, coalesce(message, '') FROM ({select(log.paths(log.manifest(), RUNS), RUNS_COLUMNS)})"
            " WHERE run_seq > ? ORDER BY run_seq, 2",
            [run_seq],
        ).fetchall()


def failed_notifications(hours: int = 1) -> list[tuple[str, int]]:
    """(gateway, how many) notifications that arrived in the newest `hours` of the log, met an error and are not handled."""
    log, contract = Log(paths.raw()), next((c for c in load_all() if c.table == WEBHOOKS), None)
    held = log.paths(log.manifest(), WEBHOOKS)
    if contract is None or not held:
        return []
    with duckdb.connect() as db:
        return db.execute(
            f"SELECT provider, count(*) FROM ({current(held, contract)}) WHERE _op = 'u' AND last_error <> '' AND handled_at IS NULL"
            f" AND received_at >= (SELECT max(_known_at) FROM ({select(held, {'_known_at': 'TIMESTAMP'})})) - to_hours({int(hours)}) GROUP BY 1 ORDER BY 1"
        ).fetchall()


def made(settings: Orchestration, rounds: Any, compare: dg.RunConfig) -> list[dg.SensorDefinition]:
    """The sensors of an environment. `rounds` is the job of a round, `compare` its configuration with a comparison of every key block."""
    status = dg.DefaultSensorStatus.RUNNING if settings.schedules else dg.DefaultSensorStatus.STOPPED
    options: dict[str, Any] = {"minimum_interval_seconds": settings.sensor_seconds, "default_status": status}

    def asked(why: str, run_seq: int) -> dg.RunRequest:
        return dg.RunRequest(run_key=f"{why}-{run_seq}", run_config=compare, tags={"openlance/why": why, "openlance/run_seq": str(run_seq)})

    @dg.sensor(name="resident_rounds", **options)
    def resident_rounds(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """What the resident loop read and published stands in the asset graph as if Dagster had done it."""
        fresh = loop.past(int(context.cursor or 0))[:_ROUNDS]
        if not fresh:
            return dg.SkipReason("the loop has told of nothing new")
        events: list[Any] = []
        for told in fresh:
            if told["state"] != "published":
                continue
            about = {
                "publish_id": told["publish_id"],
                "rows": told["rows"],
                "models": told["affected"],
                "seconds": sum(told["seconds"].values()),
            }
            events += [dg.AssetMaterialization(["publication", audience, "marts"], metadata=about) for audience in AUDIENCES]
            events += [dg.AssetMaterialization(raw_key(table), metadata={"run_seq": told["run_seq"]}) for table in told["tables"]]
        return dg.SensorResult(asset_events=events, cursor=str(fresh[-1]["number"]))

    @dg.sensor(name="outbox_volume", job=rounds, **options)
    def outbox_volume(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """A flood of events: a round that compares every key block with the source."""
        runs = runs_after(int(context.cursor or 0))
        if not runs:
            return dg.SkipReason("no run since")
        floods = [(seq, rows) for seq, table, rows, *_ in runs if table == OUTBOX and rows >= settings.outbox_rows and seq > 1]
        return dg.SensorResult(run_requests=[asked("outbox", seq) for seq, _ in floods[-1:]], cursor=str(runs[-1][0]))

    @dg.sensor(name="drift", job=rounds, **options)
    def drift(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """The log differs from the source, or a table was stopped: tell, and compare again."""
        runs = runs_after(int(context.cursor or 0))
        if not runs:
            return dg.SkipReason("no run since")
        drifted = [run for run in runs if run[3]]
        for seq, table, *_, message in drifted[-10:]:
            alerts.notice("drift", f"{table}: the raw log differs from the source in run {seq}: {message}")
        return dg.SensorResult(run_requests=[asked("drift", run[0]) for run in drifted[-1:]], cursor=str(runs[-1][0]))

    @dg.sensor(name="failed_webhooks", **options)
    def failed_webhooks(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """Gateways whose notifications fail: money that nobody here knows of."""
        failed = dict(failed_notifications())
        told = {name: count for name, count in failed.items() if count >= settings.failed_webhooks}
        text = ", ".join(f"{name} {count}" for name, count in told.items())
        if not told or text == context.cursor:
            return dg.SkipReason(f"{sum(failed.values())} failed in the last hour" + (", as was told" if told else ""))
        alerts.notice("failed webhooks", f"{WEBHOOKS}: notifications that failed in the last hour: {text}")
        return dg.SensorResult(
            asset_events=[dg.AssetObservation(raw_key(WEBHOOKS), metadata={"failed": dg.MetadataValue.json(told)})], cursor=text
        )

    failed_runs = dg.run_failure_sensor(name="failed_runs", default_status=status, minimum_interval_seconds=settings.sensor_seconds)(
        _tell_of_failure
    )
    return [resident_rounds, outbox_volume, drift, failed_webhooks, failed_runs]


def _tell_of_failure(context: dg.RunFailureSensorContext) -> None:
    """A run that failed, with what Dagster says of it."""
    alerts.notice("failed run", f"{context.dagster_run.job_name} {context.dagster_run.run_id}: {context.failure_event.message or 'failed'}")
