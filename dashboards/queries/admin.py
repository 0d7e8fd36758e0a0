"""What the staff pages read from the `admin` schema, and the lineage of each of its models."""

from __future__ import annotations

import pandas as pd

from . import query


def kpis() -> pd.DataFrame:
    """One row a metric: metric, value, unit, currency, as_of, definition."""
    return query("select metric, value, unit, currency, as_of, definition from admin.kpi_overview order by position")


def gsv_weekly() -> pd.DataFrame:
    """week, measure (funded, released, refunded), usd: major units."""
    return query(
        """
        unpivot (
            select date_trunc('week', day)::date as week,
                sum(funded_usd_minor) / 100 as funded, sum(released_usd_minor) / 100 as released, sum(refunded_usd_minor) / 100 as refunded
            from admin.gsv_daily group by 1
        ) on funded, released, refunded into name measure value usd
        order by week, measure
        """
    )


def unconverted_postings() -> int:
    """Postings without an exchange rate: they are missing from every amount in US dollars."""
    return int(query("select coalesce(sum(unconverted_postings), 0)::bigint as n from admin.gsv_daily")["n"][0])


def take_rate_monthly() -> pd.DataFrame:
    """month, take_rate (share), over all currencies in US dollars of their days."""
    return query(
        """
        select month, sum(net_fee_usd_minor) / nullif(sum(released_usd_minor), 0) as take_rate, sum(released_usd_minor) / 100 as released_usd
        from admin.take_rate_monthly group by month order by month
        """
    )


def fill_rate_weekly() -> pd.DataFrame:
    """cohort_week, window_days, fill_rate, jobs; cohorts whose window has not passed are left out."""
    return query(
        "select cohort_week, window_days, fill_rate, jobs from admin.fill_rate_weekly where jobs > 0 order by cohort_week, window_days"
    )


def time_to_first_bid() -> pd.DataFrame:
    """Kaplan–Meier: hours, survival (share without a bid), at_risk, events."""
    return query("select hours, survival, at_risk, events from admin.time_to_first_bid order by hours")


def funnel() -> pd.DataFrame:
    """position, stage, count, share, share_of_previous."""
    return query('select position, stage, "count", share, share_of_previous from admin.funnel order by position')


def freshness() -> pd.DataFrame:
    """One row an extracted table: table_name, last_known_at, last_source_change_at, lag_seconds, logged_rows."""
    return query(
        "select table_name, last_known_at, last_source_change_at, lag_seconds, logged_rows from admin.freshness order by table_name"
    )
