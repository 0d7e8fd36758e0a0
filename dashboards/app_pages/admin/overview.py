"""Admin overview: volume, take rate, fill rate, waiting times, the funnel, and how fresh all of it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pandas as pd
import streamlit as st

from dashboards.components import figures, follow
from dashboards.components.currency import US_DOLLARS, Reading, titled
from dashboards.components.lineage import lineage_popover
from dashboards.queries import admin
from pipelines import marts_reader
from pipelines.marts_reader import Published

#: heading → metric → title; together they are every metric of queries.admin.OVERVIEW
GROUPS = {
    "Last 30 days": {
        "gsv_funded_30d": "Funded",
        "gsv_released_30d": "Released",
        "gsv_net_30d": "Net",
        "active_freelancers_30d": "Active bidders",
    },
    "Since the beginning": {
        "gsv_funded": "GSV funded",
        "gsv_released": "GSV released",
        "gsv_net": "GSV net",
        "take_rate": "Take rate",
    },
    "The market": {
        "open_jobs": "Open jobs",
        "fill_rate_14d": "Filled in 14 d",
        "median_hours_to_first_bid": "Wait for a bid",
        "median_hours_to_hire": "Wait for a hire",
    },
    "Care and quality": {
        "funds_held": "Funds held",
        "search_zero_share": "Empty searches",
        "unconverted_postings": "Postings without rate",
        "unconverted_holds": "Holds without rate",
    },
}
#: what a dash means, where it is not simply "nothing yet"
UNREACHED = {
    "median_hours_to_first_bid": "under half got one",
    "median_hours_to_hire": "under half hired",
}


@contextmanager
def panel(marts: Published, title: str, *relations: str, metrics: Sequence[str] = (), reading: Reading = US_DOLLARS) -> Iterator[None]:
    """A framed part of the page: its title, and the way to where its numbers come from, and to how money among them was converted."""
    with st.container(border=True, height="stretch"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(title, anchor=False, width="content")
            lineage_popover(marts, title.lower().replace(" ", "-"), metrics=metrics, relations=relations, reading=reading)
        yield


def change_text(now: float, before: float) -> str | None:
    """ "+12 %"; None when there was nothing before."""
    return f"{now / before - 1:+.0%}".replace("%", " %") if before else None


def cards(marts: Published, rows: pd.DataFrame, reading: Reading) -> None:
    """Every metric in its group, each with its definition and exact value behind the question mark."""
    by_metric = rows.set_index("metric")
    before = admin.money_30_days_before(marts).iloc[0]
    for number, (heading, titles) in enumerate(GROUPS.items()):
        st.subheader(heading, anchor=False)
        with st.container(key=f"cards-{number}"):
            for metric, title in titles.items():
                with st.container(border=True, height="stretch", gap="small"):
                    row = by_metric.loc[metric]
                    as_read = reading if row["currency"] == "USD" else US_DOLLARS
                    card(metric, title, row, before, as_read)
                    lineage_popover(marts, metric, metrics=[metric], reading=as_read)


def card(metric: str, title: str, row: pd.Series, before: pd.Series, reading: Reading) -> None:
    value, about = row["value"], str(row["definition"])
    if row["currency"] == "USD" and not pd.isna(value):
        about += f" Exactly {US_DOLLARS.text(value, exact=True)}"
        if reading.is_estimate:
            about += f", which is {reading.text(value, exact=True)}: an estimate at {reading.terms}."
    note = None
    if metric in before.index and before["complete"]:
        note = change_text(value, before[metric])
    elif pd.isna(value):
        note = UNREACHED.get(metric, "nothing yet")
    st.metric(
        title,
        figures.number_text(value, row["unit"], row["currency"], reading),
        note,
        delta_color="normal" if metric in before.index else "off",
        delta_arrow="auto" if metric in before.index else "off",
        help=about,
    )


def volume(marts: Published, unconverted: int, reading: Reading) -> None:
    with panel(marts, "Volume", metrics=["gsv_funded", "gsv_released", "gsv_refunded"], reading=reading):
        period = st.segmented_control("Period", ["month", "week"], default="month", required=True, label_visibility="collapsed")
        bars = admin.volume(marts, period)
        if bars.empty:
            st.info("No money has moved in this time. Fund a milestone in the web app, then run `make pipeline`.")
        else:
            last = bars[bars["start"] == bars["start"].max()].set_index("measure")["usd"]
            alt = f"Bars of the last 13 {period}s. The newest: " + ", ".join(
                f"{name} {reading.text(round(usd * 100))}" for name, usd in last.items()
            )
            figures.show(figures.volume_bars(bars, reading), "volume", alt)
        missing = f" {unconverted:,} postings have no rate and are missing here." if unconverted else ""
        then = f", then all in {reading.currency.code} at the newest" if reading.is_estimate else ""
        st.caption(f"US dollars at the rate of each day{then}; the newest {period} is not over yet.{missing}")


def take_rate(marts: Published, reading: Reading) -> None:
    with panel(marts, "Take rate by month", metrics=["take_rate"], reading=reading):
        monthly = admin.take_rate_monthly(marts)
        if monthly.empty:
            st.info("Nothing was released yet: there is no take rate.")
        else:
            newest = monthly.iloc[-1]["take_rate"]
            figures.show(figures.take_rate_line(monthly, reading), "take-rate", f"Take rate by month, lately {newest:.1%}")
        st.caption("Fees less fee refunds, divided by GSV released.")


def fill_rate(marts: Published) -> None:
    with panel(marts, "Fill rate by month", metrics=[f"fill_rate_{days}d" for days in admin.FILL_WINDOWS]):
        fill = admin.fill_rate_monthly(marts)
        if fill.empty:
            st.info(f"No month has {admin.ENOUGH_JOBS} jobs that waited long enough yet.")
        else:
            newest = fill[fill["window_days"] == 14].tail(1)["fill_rate"]
            alt = "Share of jobs filled within 7, 14 and 30 days" + "".join(f"; within 14 days lately {rate:.0%}" for rate in newest)
            figures.show(figures.fill_rate_lines(fill), "fill-rate", alt)
        st.caption(
            f"Jobs by the month they were published, filled within 7, 14 and 30 days. Only jobs whose window has passed, months of {admin.ENOUGH_JOBS} jobs or more."
        )


def waiting(marts: Published) -> None:
    with panel(marts, "Time to bid and hire", "admin.time_to_first_bid", "admin.time_to_hire"):
        curves = admin.waiting(marts)
        if not curves["at_risk"].sum():
            st.info("No job has been open yet.")
        else:
            most = curves.groupby("what")["reached"].max()
            alt = "Share of jobs by days since opening: " + ", ".join(f"{what} up to {share:.0%}" for what, share in most.items())
            figures.show(figures.waiting_curves(curves), "waiting", alt)
        st.caption("Share of jobs that got there (Kaplan–Meier: a job that ended without counts until its end). Dotted: half of the jobs.")


def funnel(marts: Published) -> None:
    with panel(marts, "Funnel", "admin.funnel"):
        stages = admin.funnel(marts)
        if stages.empty or not stages["count"].iloc[0]:
            st.info("No job was shown to anybody yet.")
        else:
            alt = "Pairs of freelancer and job: " + ", ".join(f"{s} {n:,}" for s, n in zip(stages["stage"], stages["count"], strict=True))
            figures.show(figures.funnel_bars(stages), "funnel", alt)
        st.caption("Pairs of freelancer and job, from shown to completed; each stage counts those who reached it or a later one.")


def freshness(marts: Published) -> None:
    with panel(marts, "Freshness", "admin.freshness"):
        tables = admin.freshness(marts)
        st.dataframe(
            tables,
            hide_index=True,
            width="stretch",
            column_config={
                "table_name": st.column_config.TextColumn("source table"),
                "lag_seconds": st.column_config.NumberColumn("known after, s", format="%.0f", width="small"),
                "last_source_change_at": st.column_config.DatetimeColumn("last change (UTC)", format="D MMM HH:mm:ss"),
                "logged_rows": st.column_config.NumberColumn("rows", format="localized", width="small"),
            },
        )
        st.caption("When each source table last changed, and how long it took until the platform knew.")


def page(marts: Published) -> None:
    rows = admin.kpis(marts)
    reading = titled(marts, "Overview")
    st.caption(
        f"As of {admin.as_of(marts):%d %b %Y, %H:%M} UTC · {reading.told} · changes against the 30 days before · publication {marts.publish_id}"
    )
    follow.newer(marts)
    cards(marts, rows, reading)
    volume(marts, int(rows.set_index("metric").loc["unconverted_postings", "value"] or 0), reading)
    for left, right in ((partial(take_rate, reading=reading), fill_rate), (waiting, funnel)):
        for column, part in zip(st.columns(2, gap="small"), (left, right), strict=True):
            with column:
                part(marts)
    freshness(marts)


try:
    page(marts_reader.current())
except marts_reader.NothingPublished:
    st.title("Overview", anchor=False)
    st.info("Nothing has been published yet. Run `make pipeline`: this page shows the numbers as soon as they are there.")
    follow.first()
