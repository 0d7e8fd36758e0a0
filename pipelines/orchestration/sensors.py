"""What Dagster watches: rounds of the resident loop, the outbox's volume, notifications of gateways that failed, drift, failed runs.

They read the raw log's files and the loop's own log, never the work file: a build may hold it.
"""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import dagster as dg
import duckdb

from .. import loop, paths
from ..extract.contracts import load_all
from ..extract.log import RUNS, RUNS_COLUMNS, Log, current, select
from ..quality import alerts
from ..settings import Orchestration
from .dbt_graph import raw_key
from .reported import events_of

OUTBOX, WEBHOOKS = "core_event", "payments_webhookevent"
#: What is told of a run that went wrong → the check of its table.
CHECKS = {"drift": "drift", "stopped": "contract"}
#: Rounds told at once; the next look goes on from there.
_ROUNDS = 50


class Run(NamedTuple):
    """What a run of the extraction did to one table; `at`: when it looked at the source."""

    run_seq: int
    table: str
    rows: int
    drift: int
    state: str
    message: str
    at: datetime


def runs_after(run_seq: int) -> list[Run]:
    """Runs of the extraction later than `run_seq`, oldest first."""
    log = Log(paths.raw())
    with duckdb.connect() as db:
        found = db.execute(
            f"SELECT run_seq, \"table\", rows, drift, state, coalesce(message, ''), known_at FROM ({select(log.paths(log.manifest(), RUNS), RUNS_COLUMNS)})"
            " WHERE run_seq > ? ORDER BY run_seq, 2",
            [run_seq],
        ).fetchall()
    return [Run(*run) for run in found]


def seen(cursor: str | None, newest: int) -> int:
    """The number up to which a sensor has looked: 0 where the numbers began anew, on another disk or with a new log."""
    told = int(cursor or 0)
    return told if told <= newest else 0


def began_to_drift(runs: list[Run], before: set[str]) -> list[Run]:
    """Of `runs`, oldest first, those with a table that drifts and did not in the run before; of the run before the first these did: `before`."""
    found = []
    for _, group in itertools.groupby(runs, key=lambda run: run.run_seq):
        drifting = [run for run in group if run.drift]
        found += [run for run in drifting if run.table not in before]
        before = {run.table for run in drifting}
    return found


def newest_number() -> int:
    """The number of the newest run of the extraction; 0 before the first."""
    return Log(paths.raw()).manifest().run_seq


def newest_run() -> datetime | None:
    """When the newest run of the extraction looked at the source, whatever it brought."""
    log = Log(paths.raw())
    held = log.paths(log.manifest(), RUNS)
    with duckdb.connect() as db:
        [(at,)] = db.execute(f"SELECT max(known_at) FROM ({select(held, RUNS_COLUMNS)})").fetchall() if held else [(None,)]
    return at


def failed_notifications(within: timedelta = timedelta(hours=1)) -> list[tuple[str, int]]:
    """(gateway, how many) notifications that arrived in the time before the newest run, met an error and are not handled."""
    log, contract, at = Log(paths.raw()), next((c for c in load_all() if c.table == WEBHOOKS), None), newest_run()
    held = log.paths(log.manifest(), WEBHOOKS)
    if contract is None or not held or at is None:
        return []
    with duckdb.connect() as db:
        return db.execute(
            f"SELECT provider, count(*) FROM ({current(held, contract)}) WHERE _op = 'u' AND last_error <> '' AND handled_at IS NULL"
            " AND received_at >= ? GROUP BY 1 ORDER BY 1",
            [at - within],
        ).fetchall()


def untold(failed: dict[str, int], told: dict[str, str], at: datetime) -> dict[str, int]:
    """The gateways of `failed` that nobody was told of in the hour before `at`. `told`: when, of each that has failed without a pause since."""
    hour = timedelta(hours=1)
    return {name: count for name, count in failed.items() if name not in told or at - datetime.fromisoformat(told[name]) >= hour}


def _remembered(cursor: str | None) -> dict[str, str]:
    try:
        told = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def made(settings: Orchestration, rounds: Any, compare: dg.RunConfig) -> list[dg.SensorDefinition]:
    """The sensors of an environment. `rounds` is the job of a round, `compare` its configuration with a comparison of every key block."""
    status = dg.DefaultSensorStatus.RUNNING if settings.schedules else dg.DefaultSensorStatus.STOPPED
    options: dict[str, Any] = {"minimum_interval_seconds": settings.sensor_seconds, "default_status": status}

    def asked(why: str, run: Run) -> dg.RunRequest:
        tags = {"openlance/why": why, "openlance/run_seq": str(run.run_seq)}
        # numbers may begin anew
        return dg.RunRequest(run_key=f"{why}-{run.run_seq}-{run.at:%Y%m%dT%H%M%S}", run_config=compare, tags=tags)

    @dg.sensor(
        name="resident_rounds",
        description="What the resident loop read, built, checked and published stands in the asset graph as if Dagster had done it.",
        **options,
    )
    def resident_rounds(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        fresh = loop.past(seen(context.cursor, loop.last_number()))[:_ROUNDS]
        if not fresh:
            return dg.SkipReason("the loop has told of nothing new")
        return dg.SensorResult(asset_events=events_of(fresh), cursor=str(fresh[-1]["number"]))

    @dg.sensor(
        name="outbox_volume", job=rounds, description="A flood of events: a round that compares every key block with the source.", **options
    )
    def outbox_volume(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        runs = runs_after(seen(context.cursor, newest_number()))
        if not runs:
            return dg.SkipReason("no run since")
        floods = [run for run in runs if run.table == OUTBOX and run.rows >= settings.outbox_rows and run.run_seq > 1]
        return dg.SensorResult(run_requests=[asked("outbox", run) for run in floods[-1:]], cursor=str(runs[-1].run_seq))

    @dg.sensor(
        name="drift",
        job=rounds,
        description="The log began to differ from the source: tell, and compare all of it. A table was stopped: tell; no comparison mends that.",
        **options,
    )
    def drift(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        last = seen(context.cursor, newest_number())
        known = runs_after(last - 1)
        runs = [run for run in known if run.run_seq > last]
        if not runs:
            return dg.SkipReason("no run since")
        drifted = [run for run in runs if run.drift]
        stopped = [run for run in runs if not run.drift and run.state == "stopped"]
        for event, found in (("drift", drifted), ("stopped", stopped)):
            newest = {run.table: alerts.fault(run.table, CHECKS[event], run.message) for run in found}
            alerts.tell(event, list(newest.values()))
        # each later run compares such a table by itself
        began = began_to_drift(runs, {run.table for run in known if run.run_seq == last and run.drift})
        return dg.SensorResult(run_requests=[asked("drift", run) for run in began[-1:]], cursor=str(runs[-1].run_seq))

    @dg.sensor(name="failed_webhooks", description="Gateways whose notifications fail: money that nobody here knows of.", **options)
    def failed_webhooks(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        at = newest_run()
        failed = {name: count for name, count in failed_notifications() if count >= settings.failed_webhooks}
        # a gateway that fails no more is forgotten, so that the next time is told
        told = {name: when for name, when in _remembered(context.cursor).items() if name in failed}
        new = untold(failed, told, at) if at else {}
        for name, count in new.items():
            message = f"{count} notifications of {name} failed in the last hour"
            alerts.notice("failed webhooks", message, table=WEBHOOKS, check="failed webhooks", rows=count, column="provider")
        cursor = json.dumps({**told, **dict.fromkeys(new, str(at))})
        if not new:
            return dg.SensorResult(skip_reason="no gateway fails" if not failed else f"{', '.join(failed)}: as was told", cursor=cursor)
        seen = dg.AssetObservation(raw_key(WEBHOOKS), metadata={"failed": dg.MetadataValue.json(new)})
        return dg.SensorResult(asset_events=[seen], cursor=cursor)

    failed_runs = dg.run_failure_sensor(name="failed_runs", default_status=status, minimum_interval_seconds=settings.sensor_seconds)(
        _tell_of_failure
    )
    return [resident_rounds, outbox_volume, drift, failed_webhooks, failed_runs]


def _tell_of_failure(context: dg.RunFailureSensorContext) -> None:
    """A run that failed, with what Dagster says of it."""
    run = context.dagster_run
    alerts.notice("failed run", f"{run.run_id}: {context.failure_event.message or 'failed'}", check=run.job_name)
