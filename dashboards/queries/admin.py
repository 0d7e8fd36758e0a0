"""What the staff pages read from the `admin` schema. Amounts are whole and fractional US dollars unless a name ends in `_minor`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd

from pipelines.marts_reader import Between, Published

from . import ask, ask_all, definitions, query

#: cohorts of fewer jobs say nothing about a rate
ENOUGH_JOBS = 5
FILL_WINDOWS = (7, 14, 30)


#: the numbers of the overview, all of them governed metrics
OVERVIEW = (
    "gsv_funded",
    "gsv_released",
    "gsv_net",
    "gsv_funded_30d",
    "gsv_released_30d",
    "gsv_net_30d",
    "funds_held",
    "take_rate",
    "fill_rate_14d",
    "median_hours_to_first_bid",
    "median_hours_to_hire",
    "open_jobs",
    "active_freelancers_30d",
    "search_zero_share",
    "unconverted_postings",
    "unconverted_holds",
)


def as_of(marts: Published) -> pd.Timestamp:
    """The newest instant that the platform had heard of; every "now" of the page."""
    return pd.Timestamp(query(marts, "select max(as_of) as as_of from admin.kpi_overview")["as_of"].iloc[0])


def kpis(marts: Published) -> pd.DataFrame:
    """One row a metric of OVERVIEW, in that order: metric, value (null when it cannot be said), unit, currency, definition."""
    known = definitions(marts)
    rows = []
    for name, answer in zip(OVERVIEW, ask_all(marts, [(name, (), {}) for name in OVERVIEW]), strict=True):
        value, told = answer["value"].iloc[0], known[name]
        rows.append((name, None if value is None else float(value), told.unit, told.currency or None, told.description))
    return pd.DataFrame(rows, columns=["metric", "value", "unit", "currency", "definition"]).astype({"value": "float64"})


def money_30_days_before(marts: Published) -> pd.DataFrame:
    """One row: gsv_funded_30d, gsv_released_30d, gsv_net_30d of the 30 days before the last 30, in US cents, and complete: whether the
    market was there for all of them.
    """
    today = as_of(marts).date()
    month = Between(today - timedelta(days=59), today - timedelta(days=29))
    names = ("gsv_funded", "gsv_released", "gsv_net")
    before = Between(until=today - timedelta(days=58))
    *sums, earlier = ask_all(marts, [*((name, (), {"day": month}) for name in names), ("gsv_funded", (), {"day": before})])
    row: dict[str, Any] = {f"{name}_30d": int(found["value"].iloc[0]) for name, found in zip(names, sums, strict=True)}
    return pd.DataFrame([row | {"complete": bool(earlier["base_rows"].iloc[0])}])


def volume(marts: Published, period: str) -> pd.DataFrame:
    """start, measure (funded, released, refunded), usd: the newest 13 periods up to as_of. `period` is "week" (from Monday) or "month"."""
    if period not in ("week", "month"):
        raise ValueError(f"period is week or month, not {period!r}")
    newest = as_of(marts).to_period("W-SUN" if period == "week" else "M")
    since = (newest - 12).start_time.date()
    measures = ("funded", "released", "refunded")
    found = ask_all(marts, [(f"gsv_{measure}", [period], {"day": Between(since=since)}) for measure in measures])
    parts = [flows.set_index(period)["value"].rename(measure) for measure, flows in zip(measures, found, strict=True)]
    wide = pd.concat(parts, axis=1).fillna(0).sort_index() if any(len(part) for part in parts) else pd.DataFrame()
    rows = [
        (pd.Timestamp(start), measure, float(cents) / 100) for start, flows in wide.iterrows() for measure, cents in sorted(flows.items())
    ]
    return pd.DataFrame(rows, columns=["start", "measure", "usd"])


def take_rate_monthly(marts: Published) -> pd.DataFrame:
    """month, take_rate (share), released (dollars), over all currencies in US dollars of their days; months in which nothing was released are left out."""
    found = ask(marts, "take_rate", ["month"])
    found = found[found["denominator"] > 0] if len(found) else found
    return pd.DataFrame(
        {
            "month": pd.to_datetime(found["month"]),
            "take_rate": found["value"].astype("float64"),
            "released": found["denominator"].astype("float64") / 100,
        }
    ).reset_index(drop=True)


def fill_rate_monthly(marts: Published) -> pd.DataFrame:
    """month (of opening), window_days, fill_rate, jobs. Only jobs whose window has passed count, and only months with ENOUGH_JOBS of them."""
    parts = []
    answers = ask_all(marts, [(f"fill_rate_{days}d", ["month"], {}) for days in FILL_WINDOWS])
    for days, found in zip(FILL_WINDOWS, answers, strict=True):
        part = {
            "month": pd.to_datetime(found["month"]),
            "window_days": days,
            "fill_rate": found["value"].astype("float64"),
            "jobs": found["base_rows"].astype("int64"),
        }
        parts.append(pd.DataFrame(part))
    every = pd.concat(parts)
    return every[every["jobs"] >= ENOUGH_JOBS].sort_values(["month", "window_days"]).reset_index(drop=True)


def waiting(marts: Published) -> pd.DataFrame:
    """Kaplan–Meier of both waits: what (first bid, hire), days, reached (share, 1 − survival), at_risk, events."""
    return query(
        marts,
        """
        select 'first bid' as what, hours / 24 as days, 1 - survival as reached, at_risk, events from admin.time_to_first_bid
        union all
        select 'hire', hours / 24, 1 - survival, at_risk, events from admin.time_to_hire
        order by what, days
        """,
    )


def funnel(marts: Published) -> pd.DataFrame:
    """position, stage, count, share, share_of_previous."""
    return query(marts, 'select position, stage, "count", share, share_of_previous from admin.funnel order by position')


def freshness(marts: Published) -> pd.DataFrame:
    """One row an extracted table, the slowest first: table_name, lag_seconds, last_source_change_at, logged_rows."""
    return query(
        marts,
        """
        select table_name, lag_seconds, last_source_change_at, logged_rows from admin.freshness
        order by lag_seconds desc nulls last, table_name
        """,
    )
