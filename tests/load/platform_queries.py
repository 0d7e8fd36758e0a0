"""What the pages ask of a publication of a market of so many events, for platform_bench.py.

Every published relation that a page reads is made from the seed with the columns and types of its contract, ids and days rising together as they do
in a market. Publishing itself lays them (sorted immutable parts, the file of views, definitions of metrics and their figures over everything), so that
what is asked is what people get. Each question is asked as its page asks it, on a connection of its own and into a frame, without the page's cache.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import duckdb
import yaml

REPO = Path(__file__).resolve().parents[2]
REPEAT = 20
#: events → how many of each; the sample markets have fewer of each for their events (docs/simulation.md), so this is the harder market
EVENTS_A_JOB, EVENTS_A_PROPOSAL, EVENTS_A_CLIENT, EVENTS_A_FREELANCER = 25, 5, 500, 100
SCHEMAS = ("admin", "client", "freelancer", "metrics")
_DAYS, CURRENCIES = 1095, 30
_FIRST, _LAST = "DATE '2023-01-01'", "TIMESTAMP '2025-12-31 00:00:00'"
#: relation → its rows in a market of so many events; a relation that grows with the market and is not here has one row for 100 events
GROWING: dict[str, int] = {
    "metrics.jobs": EVENTS_A_JOB,
    "metrics.proposals": EVENTS_A_PROPOSAL,
    "metrics.money": 15,
    "metrics.match_lists": 25,
    "metrics.milestones": 60,
    "metrics.payments": 80,
    "metrics.disputes": 5_000,
    "metrics.suspicions": 500,
    "client.spend_monthly": 25,
    "freelancer.proposals": EVENTS_A_PROPOSAL,
}
#: relations whose rows are bounded, at the most that they may have in three years: the curves have all their steps
BOUNDED: dict[str, int] = {
    "admin.kpi_overview": 16,
    "admin.funnel": 6,
    "admin.freshness": 120,
    "admin.data_quality": 120,
    "admin.data_quality_daily": _DAYS,
    "admin.data_quality_findings": 5_000,
    "admin.data_quality_failed_tests": 1_000,
    "admin.data_quality_failed_rounds": 1_000,
    "admin.time_to_first_bid": 1_061,
    "admin.time_to_hire": 1_061,
    "admin.gsv_daily": _DAYS * 25,
    "admin.take_rate_monthly": 36 * 25,
    "admin.fill_rate_weekly": 157 * 3,
    "metrics.searches": _DAYS * 4,
    "metrics.retention": 1_400,
    "metrics.skill_depth": 20_000,
    "metrics.usd_rates": _DAYS * CURRENCIES,
    "metrics.match_bins": 36 * 10 * 8,
}
#: not asked by a page, or by one of these only: left out of the bench's publication
NOT_ASKED = {"client.jobs", "client.usd_rates", "freelancer.earnings_monthly", "freelancer.usd_rates"}


def contracts() -> dict[str, dict[str, Any]]:
    """Published relation → what its YAML tells of it, for the schemas that pages read."""
    found = {}
    for path in sorted((REPO / "dbt_project" / "models" / "published").rglob("*.yml")):
        for model in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("models", []):
            schema, _, alias = model["name"].partition("_")
            if schema in SCHEMAS and f"{schema}.{alias}" not in NOT_ASKED:
                found[f"{schema}.{alias}"] = model
    return found


def _any(column: str, below: int, seed: int) -> str:
    """A whole number in [0, below) made of the seed, the column and the row."""
    return f"(hash(i * 1000003 + {seed}, '{column}') % {below})::BIGINT"


def _wait(column: str, hours: float, seed: int) -> str:
    return f"-ln(({_any(column, 10**12, seed)} + 1) / 1e12) * {hours}"


def _mature(days: int) -> str:
    return f"{_FIRST} + (i * {_DAYS} // n)::INTEGER + {days} <= {_LAST}"


def _special(relation: str, events: int, seed: int) -> dict[str, str]:
    """Columns whose values matter to what is asked."""
    people = {
        "client_id": _any("client", max(1, events // EVENTS_A_CLIENT), seed),
        "freelancer_id": _any("freelancer", max(1, events // EVENTS_A_FREELANCER), seed),
        "job_id": _any("job", max(1, events // EVENTS_A_JOB), seed),
    }
    curve = {
        # hour 0, the hours of 30 days, the days of a year, two years more and the quartiles
        "hours": "CASE WHEN i <= 720 THEN i WHEN i <= 1055 THEN (i - 690) * 24 ELSE 8760 + (i - 1055) * 3000 END::DOUBLE",
        "survival": "1 - i / n",
        "at_risk": f"{events // EVENTS_A_JOB} - i",
    }
    own = {
        "admin.time_to_first_bid": curve,
        "admin.time_to_hire": curve,
        "metrics.jobs": {
            "job_id": "i",
            "state": f"CASE WHEN {_any('state', 20, seed)} = 0 THEN 'open' ELSE 'closed' END",
            "in_market": f"{_any('market', 10, seed)} > 0",
            "hours_to_first_bid": _wait("bid", 9, seed),
            "hours_to_hire": _wait("hire", 300, seed),
            "got_bid": f"{_any('got_bid', 8, seed)} > 0",
            "got_hire": f"{_any('got_hire', 3, seed)} > 0",
            **{f"is_mature_{days}d": _mature(days) for days in (7, 14, 30)},
        },
        "metrics.proposals": {
            "proposal_id": "i",
            "is_last_30d": f"NOT {_mature(30)}",
            "is_due_14d": _mature(14),
            "is_due_30d": _mature(30),
        },
        "metrics.money": {
            "flow": f"list_element(['funded', 'released', 'refunded', 'fee', 'fee_refund'], 1 + {_any('flow', 5, seed)})",
            "currency": f"'C' || {_any('currency', 25, seed)}",
        },
        "metrics.usd_rates": {"currency": f"'C' || i % {CURRENCIES}", "currency_name": f"'Currency ' || i % {CURRENCIES}", "exponent": "2"},
        "client.spend_monthly": {"client_id": f"i % {max(1, events // EVENTS_A_CLIENT)}"},
        "freelancer.proposals": {"proposal_id": "i", "job_title": "'Somebody who writes a page of code, number ' || i"},
    }
    return people | own.get(relation, {})


def _plain(name: str, kind: str, seed: int) -> str:
    """A column by its type: days and instants rise with the rows, text has few values, the rest is at random."""
    if name == "as_of":
        return _LAST
    if name in ("month", "cohort_month"):
        return f"date_trunc('month', {_FIRST} + (i * {_DAYS} // n)::INTEGER)"
    return {
        "date": f"{_FIRST} + (i * {_DAYS} // n)::INTEGER",
        "timestamp": f"{_FIRST}::TIMESTAMP + to_seconds(i * {_DAYS * 86_400} // n)",
        "boolean": f"{_any(name, 2, seed)} = 0",
        "double": f"{_any(name, 10**9, seed)} / 1e9",
        "decimal(30,18)": f"{_any(name, 10**9, seed)} / 1e9",
        "varchar": f"'{name} ' || {_any(name, 23, seed)}",
        "integer": _any(name, 100, seed),
        "bigint": _any(name, 500_000, seed),
        "bigint[]": f"[{_any(name, 1000, seed)}]",
    }[kind]


def rows_of(relation: str, events: int) -> int:
    """How many rows a relation has in a market of so many events."""
    return BOUNDED.get(relation) or max(1, events // GROWING.get(relation, 100))


def select_of(relation: str, columns: list[dict[str, str]], events: int, seed: int) -> str:
    """SQL that makes the rows of a relation, with the columns and types of its contract."""
    special = _special(relation, events, seed)
    made = ", ".join(
        f'CAST({special.get(c["name"]) or _plain(c["name"], c["data_type"], seed)} AS {c["data_type"]}) AS "{c["name"]}"' for c in columns
    )
    rows = rows_of(relation, events)
    return f"SELECT {made} FROM (SELECT range AS i, {rows} AS n FROM range({rows}))"


def lay(folder: Path, events: int, seed: int) -> Path:
    """A publication for staff, laid by publishing itself; returns the file of views."""
    from pipelines.publish import publication
    from pipelines.publish.lineage import Lineage, Model

    models, parts = {}, []
    with duckdb.connect(config={"memory_limit": "3GB", "temp_directory": str(folder / "spill")}) as work:
        work.execute("SET TimeZone = 'UTC'")
        for relation, told in contracts().items():
            schema, alias = relation.split(".")
            about = (told["name"], told["name"], "published", relation, schema, alias, told.get("description", ""), "", "")
            columns = [{"name": c["name"], "type": c["data_type"], "description": ""} for c in told["columns"]]
            model = Model(*about, columns, told.get("config", {}).get("meta", {}), [], True)
            work.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            work.execute(f"CREATE VIEW {relation} AS {select_of(relation, told['columns'], events, seed)}")
            models[model.unique_id] = model
            parts.append(publication._write_part(work, model, folder / "parts")[0])
    known = publication._Known(Lineage(models, "bench", []), [], [])
    return publication._build(folder, "bench", datetime.now(UTC), known, "staff", parts)


def questions(path: Path, events: int, seed: int) -> dict[str, Callable[[], Any]]:
    """The overview's eight, the choice of a currency, the catalogue's, that of the page of data quality, and two of tenants: a client's and a freelancer's own."""
    from dashboards.queries import admin, ask_all, currencies, definitions, quality, query
    from pipelines.marts_reader import Published

    marts, random_ = Published("bench", path, datetime.now(UTC)), random.Random(seed)

    def own(relation: str, column: str, people: int, order: str) -> Any:
        return query(marts, f"SELECT * FROM {relation} WHERE {column} = ? ORDER BY {order}", [random_.randrange(max(1, people))])

    def catalogue() -> Any:
        return ask_all(marts, [(name, (), {}) for name, metric in definitions(marts).items() if not metric.required])

    return {
        "kpis": lambda: admin.kpis(marts),
        "money 30 days before": lambda: admin.money_30_days_before(marts),
        "volume by week": lambda: admin.volume(marts, "week"),
        "take rate by month": lambda: admin.take_rate_monthly(marts),
        "fill rate by month": lambda: admin.fill_rate_monthly(marts),
        "waiting": lambda: admin.waiting(marts),
        "funnel": lambda: admin.funnel(marts),
        "freshness": lambda: admin.freshness(marts),
        "currencies": lambda: (currencies.known(marts), currencies.rates(marts, "C7").spans),
        "all metrics": catalogue,
        "data quality": lambda: (quality.tables(marts), quality.daily(marts), quality.findings(marts), quality.tests(marts)),
        "a client's spend": lambda: own("client.spend_monthly", "client_id", events // EVENTS_A_CLIENT, "month"),
        "a freelancer's proposals": lambda: own(
            "freelancer.proposals", "freelancer_id", events // EVENTS_A_FREELANCER, "submitted_at DESC"
        ),
    }


def ask(path: Path, events: int, seed: int, repeat: int = REPEAT) -> dict[str, dict[str, list[float]]]:
    """Question → `ms` of each time it was asked, the first time left out, and `cpu_ms`: the processor's, of all threads together.

    On a machine that does nothing else the clock shows no more than the processor's milliseconds; on one that does, only these are the question's own.
    """
    import streamlit as st

    times: dict[str, dict[str, list[float]]] = {}
    for name, question in questions(path, events, seed).items():
        told = times.setdefault(name, {"ms": [], "cpu_ms": []})
        for number in range(repeat + 1):
            st.cache_data.clear()
            clock, used = time.perf_counter(), time.process_time()
            question()
            if number:
                told["ms"].append((time.perf_counter() - clock) * 1000)
                told["cpu_ms"].append((time.process_time() - used) * 1000)
    return times


def p95(times: list[float]) -> float:
    """The 95th percentile."""
    return quantiles(times, n=20)[-1]
