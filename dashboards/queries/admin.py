"""What the staff pages read from the `admin` schema. Amounts are whole and fractional US dollars unless a name ends in `_minor`."""

from __future__ import annotations

import pandas as pd

from pipelines.marts_reader import Published

from . import query

#: cohorts of fewer jobs say nothing about a rate
ENOUGH_JOBS = 5


def kpis(marts: Published) -> pd.DataFrame:
    """One row a metric: metric, value, unit, currency, as_of, definition."""
    return query(marts, "select metric, value, unit, currency, as_of, definition from admin.kpi_overview order by position")


def money_30_days_before(marts: Published) -> pd.DataFrame:
    """One row: gsv_funded_30d, gsv_released_30d, gsv_net_30d of the 30 days before the last 30, in US cents, and complete: whether the
    market was there for all of them.
    """
    return query(
        marts,
        """
        with moment as (select max(as_of)::date as today from admin.kpi_overview),
        before as (
            select * from admin.gsv_daily, moment where day > today - 60 and day <= today - 30
        )
        select
            coalesce(sum(funded_usd_minor), 0)::bigint as gsv_funded_30d,
            coalesce(sum(released_usd_minor), 0)::bigint as gsv_released_30d,
            coalesce(sum(net_usd_minor), 0)::bigint as gsv_net_30d,
            coalesce((select min(day) from admin.gsv_daily) <= (select today - 59 from moment), false) as complete
        from before
        """,
    )


def volume(marts: Published, period: str) -> pd.DataFrame:
    """start, measure (funded, released, refunded), usd: the newest 13 periods up to as_of. `period` is "week" (from Monday) or "month"."""
    if period not in ("week", "month"):
        raise ValueError(f"period is week or month, not {period!r}")
    return query(
        marts,
        f"""
        unpivot (
            select date_trunc('{period}', day)::date as start,
                coalesce(sum(funded_usd_minor), 0)::double / 100 as funded,
                coalesce(sum(released_usd_minor), 0)::double / 100 as released,
                coalesce(sum(refunded_usd_minor), 0)::double / 100 as refunded
            from admin.gsv_daily
            where day >= date_trunc('{period}', (select max(as_of) from admin.kpi_overview)) - 12 * interval 1 {period}
            group by 1
        ) on funded, released, refunded into name measure value usd
        order by start, measure
        """,
    )


def take_rate_monthly(marts: Published) -> pd.DataFrame:
    """month, take_rate (share), released (dollars), over all currencies in US dollars of their days."""
    return query(
        marts,
        """
        select month, sum(net_fee_usd_minor) / nullif(sum(released_usd_minor), 0) as take_rate, sum(released_usd_minor) / 100 as released
        from admin.take_rate_monthly group by month having sum(released_usd_minor) > 0 order by month
        """,
    )


def fill_rate_monthly(marts: Published) -> pd.DataFrame:
    """month, window_days, fill_rate, jobs: weeks of publication put together by the month of their Monday.

    Only weeks whose window has passed count, and only months with ENOUGH_JOBS such jobs.
    """
    return query(
        marts,
        """
        select date_trunc('month', cohort_week)::date as month, window_days, sum(filled) / sum(jobs) as fill_rate, sum(jobs)::bigint as jobs
        from admin.fill_rate_weekly group by all having sum(jobs) >= ? order by month, window_days
        """,
        [ENOUGH_JOBS],
    )


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
