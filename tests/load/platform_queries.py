"""Ten questions of the dashboards to a publication of a market of so many events, for platform_bench.py.

The facts are made from the seed and put together as the published models are: one day and currency, one month, one step of a waiting curve, one proposal
a row. The files are laid as publishing lays them: immutable parts in the order of all columns, and a file of views. Each question is asked as a page
asks it, on a connection of its own and into a frame, without the page's cache.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import Any

import duckdb

REPEAT = 20
#: events → how many of each; what the large sample market shows, rounded
EVENTS_A_JOB, EVENTS_A_PROPOSAL, EVENTS_A_POSTING, EVENTS_A_CLIENT, EVENTS_A_FREELANCER = 25, 5, 10, 500, 100
_DAYS = 1095


def models(events: int, seed: int) -> dict[str, str]:
    """Published model → SQL that makes it of generated facts."""

    def any_of(column: str, below: int) -> str:
        return f"(hash(range * 1000003 + {seed}, '{column}') % {below})::BIGINT"

    day = f"DATE '2023-01-01' + {any_of('day', _DAYS)}::INTEGER"
    posting = (
        f"SELECT {day} AS day, {any_of('client', max(1, events // EVENTS_A_CLIENT))} AS client_id,"
        f" {any_of('freelancer', max(1, events // EVENTS_A_FREELANCER))} AS freelancer_id, 'C' || {any_of('currency', 25)} AS currency,"
        f" {any_of('flow', 3)} AS flow, {any_of('amount', 500_000)} AS amount FROM range({events // EVENTS_A_POSTING})"
    )
    sums = ", ".join(
        f"sum(amount) FILTER (WHERE flow = {number})::BIGINT AS {name}{unit}"
        for unit in ("_minor", "_usd_minor")
        for number, name in enumerate(("funded", "released", "refunded"))
    )
    wait = f"SELECT -ln(({any_of('wait', 10**12)} + 1) / 1e12) * 9 AS hours FROM range({events // EVENTS_A_JOB})"
    curve = (
        "SELECT hours, 1 - row_number() OVER (ORDER BY hours) / count(*) OVER () AS survival, 0.01 AS standard_error,"
        f" count(*) OVER () - row_number() OVER (ORDER BY hours) AS at_risk, 1::BIGINT AS events FROM ({wait})"
    )
    return {
        "admin.gsv_daily": f"SELECT day, currency, {sums}, sum(amount)::BIGINT AS net_minor, sum(amount)::BIGINT AS net_usd_minor,"
        f" 0::BIGINT AS unconverted_postings FROM ({posting}) GROUP BY ALL",
        "admin.take_rate_monthly": "SELECT date_trunc('month', day)::DATE AS month, currency, (sum(amount) / 10)::BIGINT AS net_fee_minor,"
        " sum(amount)::BIGINT AS released_minor, 0.1 AS take_rate, (sum(amount) / 10)::BIGINT AS net_fee_usd_minor, sum(amount)::BIGINT AS"
        f" released_usd_minor, 0::BIGINT AS unconverted_postings FROM ({posting}) GROUP BY ALL",
        "admin.fill_rate_weekly": "SELECT date_trunc('week', day)::DATE AS cohort_week, window_days, count(*) AS jobs, (count(*) / 3)::BIGINT AS"
        f" filled, 0.33 AS fill_rate, 0::BIGINT AS jobs_waiting FROM (SELECT {day} AS day FROM range({events // EVENTS_A_JOB})),"
        " (SELECT unnest([7, 14, 30]) AS window_days) GROUP BY ALL",
        "admin.time_to_first_bid": curve,
        "admin.time_to_hire": curve.replace("'wait'", "'hire'"),
        "admin.funnel": "SELECT (range + 1)::INTEGER AS position, 'stage ' || range AS stage, 1000 // (range + 1) AS \"count\", 0.5 AS share,"
        " 0.5 AS share_of_previous FROM range(8)",
        "admin.kpi_overview": "SELECT (range + 1)::INTEGER AS position, 'metric ' || range AS metric, 1.5 AS value, 'share' AS unit, 'USD' AS"
        " currency, TIMESTAMP '2025-12-31 00:00:00' AS as_of, repeat('what it says ', 20) AS definition FROM range(40)",
        "admin.freshness": "SELECT 'table ' || range AS table_name, 1000 AS logged_rows, 900 AS logged_keys, 7 AS last_run_seq, TIMESTAMP"
        " '2025-12-31 00:00:00' AS last_known_at, TIMESTAMP '2025-12-31 00:00:00' AS last_source_change_at, 12.5 AS lag_seconds, TIMESTAMP"
        " '2025-12-31 00:00:00' AS as_of FROM range(64)",
        "client.spend_monthly": f"SELECT client_id, date_trunc('month', day)::DATE AS month, currency, {sums} FROM ({posting}) GROUP BY ALL",
        "freelancer.proposals": f"SELECT {any_of('freelancer', max(1, events // EVENTS_A_FREELANCER))} AS freelancer_id, range AS proposal_id,"
        f" {any_of('job', max(1, events // EVENTS_A_JOB))} AS job_id, {any_of('bid', 500_000)} AS bid_minor, 'submitted' AS state,"
        f" TIMESTAMP '2023-01-01' + to_seconds({any_of('sent', _DAYS * 86_400)}) AS submitted_at FROM range({events // EVENTS_A_PROPOSAL})",
    }


def lay(folder: Path, events: int, seed: int) -> Path:
    """The parts, and the file of views over them."""
    (folder / "parts").mkdir(parents=True)
    path = folder / "marts.duckdb"
    with duckdb.connect(str(path), config={"memory_limit": "3GB", "temp_directory": str(folder / "spill")}) as db:
        for name, sql in models(events, seed).items():
            part = folder / "parts" / f"{name}.parquet"
            db.execute(f"COPY ({sql} ORDER BY ALL) TO '{part}' (FORMAT parquet, COMPRESSION zstd)")
            db.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
            db.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{part}')")
    return path


def ask(path: Path, events: int, seed: int) -> dict[str, list[float]]:
    """Question → milliseconds of each time it was asked."""
    from dashboards.queries import admin
    from pipelines import marts_reader

    def query(marts: Any, sql: str, values: Any = ()) -> Any:
        with marts_reader.open_read_only(path) as connection:
            return connection.execute(sql, list(values)).df()

    admin.query = query
    random_ = random.Random(seed)
    questions: dict[str, Callable[[], Any]] = {
        "kpis": lambda: admin.kpis(None),
        "money_30_days_before": lambda: admin.money_30_days_before(None),
        "volume by week": lambda: admin.volume(None, "week"),
        "take_rate_monthly": lambda: admin.take_rate_monthly(None),
        "fill_rate_monthly": lambda: admin.fill_rate_monthly(None),
        "waiting": lambda: admin.waiting(None),
        "funnel": lambda: admin.funnel(None),
        "freshness": lambda: admin.freshness(None),
        "a client's spend": lambda: query(
            None,
            "SELECT * FROM client.spend_monthly WHERE client_id = ? ORDER BY month",
            [random_.randrange(max(1, events // EVENTS_A_CLIENT))],
        ),
        "a freelancer's proposals": lambda: query(
            None,
            "SELECT * FROM freelancer.proposals WHERE freelancer_id = ? ORDER BY submitted_at DESC",
            [random_.randrange(max(1, events // EVENTS_A_FREELANCER))],
        ),
    }
    times: dict[str, list[float]] = {}
    for name, question in questions.items():
        question()
        for _ in range(REPEAT):
            begin = time.perf_counter()
            question()
            times.setdefault(name, []).append((time.perf_counter() - begin) * 1000)
    return times


def p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]
