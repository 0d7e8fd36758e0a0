"""Admin overview: volume, take rate, fill rate, time to first bid, the funnel, and how fresh all of it is."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboards.components import figures
from dashboards.components.lineage import lineage
from dashboards.queries import admin
from pipelines import marts_reader

TITLES = {
    "gsv_funded": "GSV funded", "gsv_released": "GSV released", "gsv_net": "GSV net", "gsv_funded_30d": "Funded, 30 days",
    "gsv_released_30d": "Released, 30 days", "gsv_net_30d": "Net, 30 days", "funds_held": "Funds held", "take_rate": "Take rate",
    "fill_rate_14d": "Fill rate, 14 days", "time_to_first_bid_median": "Time to first bid", "time_to_hire_median": "Time to hire",
}  # fmt: skip


def title_of(metric: str) -> str:
    return TITLES.get(metric, metric.replace("_", " ").capitalize())


def cards(rows: pd.DataFrame) -> None:
    """Four numbers a line on a desk, two on a phone; each opens its definition and lineage."""
    for start in range(0, len(rows), 4):
        for column, (_, row) in zip(st.columns(4), rows.iloc[start : start + 4].iterrows(), strict=False):
            with column, st.container(border=True):
                value = figures.number_text(row["value"], row["unit"], row["currency"])
                st.metric(title_of(row["metric"]), value, help=row["definition"])


def page() -> None:
    published = marts_reader.current()
    rows = admin.kpis()
    as_of = pd.Timestamp(rows["as_of"].max())
    st.title("Overview")
    st.caption(f"As of {as_of:%d %b %Y %H:%M} UTC · publication {published.publish_id}")
    cards(rows)
    lineage("admin", "kpi_overview")

    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Volume by week")
        weekly = admin.gsv_weekly()
        if weekly.empty:
            st.info("No money has moved yet. Fund a milestone in the web app, then run `make pipeline`.")
        else:
            figures.show(figures.bars_over_time(weekly, x="week", y="usd", color="measure"), "gsv")
        missing = admin.unconverted_postings()
        st.caption("US dollars at the rate of each day." + (f" {missing:,} postings have no rate and are missing here." if missing else ""))
        lineage("admin", "gsv_daily")
    with right:
        st.subheader("Take rate by month")
        monthly = admin.take_rate_monthly().dropna(subset=["take_rate"])
        if monthly.empty:
            st.info("Nothing was released yet: there is no take rate.")
        else:
            figures.show(figures.lines_over_time(monthly, x="month", y="take_rate"), "take-rate")
        st.caption("Fees less fee refunds, divided by GSV released.")
        lineage("admin", "take_rate_monthly")

    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Fill rate by week of publication")
        fill = admin.fill_rate_weekly()
        if fill.empty:
            st.info("No week of jobs has waited long enough yet.")
        else:
            fill["window_days"] = fill["window_days"].astype(str)
            figures.show(figures.lines_over_time(fill, x="cohort_week", y="fill_rate", color="window_days"), "fill-rate")
        st.caption("Share of the week's jobs that were filled within 7, 14 and 30 days; only weeks whose window has passed.")
        lineage("admin", "fill_rate_weekly")
    with right:
        st.subheader("Time to first bid")
        curve = admin.time_to_first_bid()
        if curve.empty:
            st.info("No job has been open yet.")
        else:
            figures.show(figures.survival_curve(curve), "first-bid")
        st.caption("Share of jobs with a bid by then (Kaplan–Meier: jobs that ended without one stay in the count until they end).")
        lineage("admin", "time_to_first_bid")

    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Funnel")
        stages = admin.funnel()
        if stages.empty or not stages["count"].iloc[0]:
            st.info("No job was shown to anybody yet.")
        else:
            figures.show(figures.funnel_bars(stages), "funnel")
        st.caption("Pairs of freelancer and job, from shown to completed.")
        lineage("admin", "funnel")
    with right:
        st.subheader("Freshness")
        st.dataframe(
            admin.freshness(),
            hide_index=True,
            width="stretch",
            column_config={
                "table_name": "table",
                "last_known_at": st.column_config.DatetimeColumn("known (UTC)", format="D MMM HH:mm:ss"),
                "last_source_change_at": st.column_config.DatetimeColumn("changed (UTC)", format="D MMM HH:mm:ss"),
                "lag_seconds": st.column_config.NumberColumn("lag, s", format="%.0f"),
                "logged_rows": st.column_config.NumberColumn("rows", format="localized"),
            },
        )
        st.caption("When each source table last brought a change, and how long it took to be known.")
        lineage("admin", "freshness")


try:
    page()
except marts_reader.NothingPublished as e:
    st.title("Overview")
    st.info(f"{e}")
