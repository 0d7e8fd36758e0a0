"""Numbers and charts in one look: readable on a phone, the same colours for the same thing everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from .currency import US_DOLLARS, Reading

INK, MUTED, TEAL, AMBER, RUST, GRID = "#1d2a2a", "#5d6765", "#0f6e64", "#d09a35", "#b04a2f", "#e4e0d5"
COLORS = {"funded": AMBER, "released": TEAL, "refunded": RUST, "first bid": TEAL, "hire": AMBER, 7: "#a9cdc7", 14: "#4d9a90", 30: TEAL}
#: the year stands below the first month of it only
MONTHS = {"nticks": 7, "tickformat": "%b\n%Y", "hoverformat": "%d %b %Y", "tickangle": 0}
CONFIG = {"displayModeBar": False, "responsive": True, "scrollZoom": False}


def hours(value: float) -> str:
    """ "3.5 h" below two days, "4.2 days" from there on."""
    return f"{value:,.1f} h" if value < 48 else f"{value / 24:,.1f} days"


def number_text(value: float | None, unit: str, currency: str | None, reading: Reading = US_DOLLARS) -> str:
    """A metric as people read it: "$12,345", "41.2 %", "3.5 h", "—" when nothing can be said yet.

    Money in USD is told as `reading` has it. Other minor units are those of a currency with two decimals: "12,345 EUR".
    """
    if value is None or pd.isna(value):
        return "—"
    if unit == "minor":
        return reading.text(value) if currency == "USD" else f"{Decimal(int(value)).scaleb(-2):,.0f} {currency or ''}".strip()
    if unit == "share":
        return f"{100 * value:.1f} %"
    return hours(value) if unit == "hours" else f"{value:,.0f}"


def tidy(figure: go.Figure, *, height: int = 300, x: dict[str, Any] | None = None, y: dict[str, Any] | None = None) -> go.Figure:
    """The house's look: the legend above, so that it does not eat a phone's width; nothing can be dragged out of sight."""
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 8, "t": 34, "b": 4},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 13, "family": "Source Sans, sans-serif"},
        hoverlabel={"bgcolor": "#ffffff", "bordercolor": GRID, "font": {"color": INK}},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hovermode="x unified",
        dragmode=False,
        bargap=0.25,
        xaxis={"showgrid": False, "tickcolor": GRID, "linecolor": GRID, "automargin": True, "fixedrange": True, **(x or {})},
        yaxis={"gridcolor": GRID, "zerolinecolor": GRID, "rangemode": "tozero", "automargin": True, "fixedrange": True, **(y or {})},
    )
    return figure


def powers_of_ten(most: float) -> dict[str, Any]:
    """A logarithmic axis of counts up to `most`, marked at powers of ten alone; a bar of one is still to be seen."""
    top = max(1, math.ceil(math.log10(max(most, 1))))
    return {"type": "log", "range": [-0.3, top + 0.1], "dtick": 1, "tick0": 0, "tickformat": "~s", "minor": {"ticks": ""}}


def show(figure: go.Figure, key: str, alt: str) -> None:
    """`alt` says in words what the picture shows, for those who do not see it."""
    st.plotly_chart(figure, width="stretch", theme=None, config=CONFIG, key=key, alt=alt)


def volume_bars(frame: pd.DataFrame, reading: Reading = US_DOLLARS) -> go.Figure:
    """Groups of bars, one group a period."""
    told = "≈ " if reading.is_estimate else ""
    figure = go.Figure()
    for measure in ("funded", "released", "refunded"):
        part = frame[frame["measure"] == measure]
        amounts = part["usd"].map(reading.units)
        figure.add_bar(
            x=part["start"], y=amounts, name=measure, marker_color=COLORS[measure], hovertemplate=f"{told}{reading.sign}%{{y:,.0f}}"
        )
    ticks = {"separatethousands": True, "exponentformat": "B", "minexponent": 5} if reading.is_estimate else {"tickformat": ",.0f"}
    return tidy(figure, height=320, x=MONTHS, y={**ticks, "tickprefix": reading.sign, "nticks": 6})


def take_rate_line(frame: pd.DataFrame, reading: Reading = US_DOLLARS) -> go.Figure:
    """A point a month; what was released in it is told on hovering."""
    figure = go.Figure(
        go.Scatter(
            x=frame["month"],
            y=frame["take_rate"],
            customdata=[[reading.text(round(dollars * 100))] for dollars in frame["released"]],
            line={"color": TEAL, "width": 2.5},
            marker={"size": 6},
            mode="lines+markers",
            hovertemplate="%{y:.2%} of %{customdata[0]} released<extra></extra>",
        )
    )
    return tidy(figure, x=MONTHS, y={"tickformat": ".0%", "range": [0, max(0.12, 1.2 * frame["take_rate"].max())]})


def fill_rate_lines(frame: pd.DataFrame) -> go.Figure:
    """One line a window; the number of jobs is told on hovering."""
    figure = go.Figure()
    for days, part in frame.groupby("window_days"):
        figure.add_scatter(
            x=part["month"],
            y=part["fill_rate"],
            customdata=part[["jobs"]],
            name=f"{days} days",
            mode="lines+markers",
            line={"color": COLORS[days], "width": 2.5},
            marker={"size": 6},
            hovertemplate="%{y:.0%} of %{customdata[0]} jobs",
        )
    return tidy(figure, x=MONTHS, y={"tickformat": ".0%"})


def waiting_curves(frame: pd.DataFrame, *, until_days: float = 30) -> go.Figure:
    """Share of jobs that have a bid, or have hired, by then: 1 − survival, as steps, up to `until_days`."""
    figure, watched = go.Figure(), frame[frame["days"] <= until_days]
    for what, part in watched.groupby("what"):
        figure.add_scatter(
            x=part["days"],
            y=part["reached"],
            customdata=part[["at_risk"]],
            name=str(what),
            line={"shape": "hv", "color": COLORS[what], "width": 2.5},
            mode="lines",
            hovertemplate="%{y:.0%} · %{customdata[0]} jobs watched",
        )
    figure.add_hline(y=0.5, line={"color": MUTED, "width": 1, "dash": "dot"})
    tidy(figure, x={"ticksuffix": " d", "range": [0, watched["days"].max()], "nticks": 7}, y={"tickformat": ".0%", "range": [0, 1.02]})
    return figure


def funnel_bars(frame: pd.DataFrame) -> go.Figure:
    """One bar a stage: its length is the share of all pairs shown, its text the count and the share of the stage before."""
    before = frame["stage"].shift()
    text = [
        f"{count:,}" if pd.isna(step) else f"{count:,} · {step:.0%} of {previous}"
        for count, step, previous in zip(frame["count"], frame["share_of_previous"], before, strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            x=frame["share"],
            y=frame["stage"],
            orientation="h",
            text=text,
            textposition=["inside" if share > 0.6 else "outside" for share in frame["share"]],
            textfont={"size": 13},
            marker_color=TEAL,
            cliponaxis=False,
        )
    )
    tidy(figure, x={"visible": False, "range": [0, 1.02]}, y={"autorange": "reversed", "showgrid": False, "ticklabelstandoff": 6})
    figure.update_layout(hovermode=False, margin_t=8)
    return figure


def contribution_bars(bars: Sequence[tuple[str, float, str, str]]) -> go.Figure:
    """(name, value, the value as people read it, what it stands for) in the order given: to the right what lifts a score, to the left what lowers it."""
    values = [value for _, value, _, _ in bars]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[name for name, _, _, _ in bars],
            orientation="h",
            text=[text for _, _, text, _ in bars],
            textposition="outside",
            textfont={"size": 13},
            customdata=[about for _, _, _, about in bars],
            marker_color=[TEAL if value > 0 else RUST for value in values],
            cliponaxis=False,
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    # room for the numbers at the ends of the longest bars
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.22 * (high - low)
    ends = [low - (room if low < 0 else 0), high + (room if high > 0 else 0)]
    y = {"autorange": "reversed", "showgrid": False, "ticklabelstandoff": 6}
    tidy(figure, height=80 + 30 * len(bars), x={"visible": False, "range": ends}, y=y)
    figure.update_layout(hovermode="closest", margin_t=8)
    return figure
