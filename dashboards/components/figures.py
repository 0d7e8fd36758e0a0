"""Numbers and charts in one look: readable on a phone, the same colours for the same thing everywhere."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
import streamlit as st

INK, TEAL, AMBER, RUST, GRID = "#1d2a2a", "#0f6e64", "#c98a1b", "#b04a2f", "#e4e0d5"
COLORS = {"funded": AMBER, "released": TEAL, "refunded": RUST, "7": "#8fb8b2", "14": "#3f938a", "30": TEAL}
CONFIG = {"displayModeBar": False, "responsive": True}


def number_text(value: float | None, unit: str, currency: str | None) -> str:
    """A value as people read it: "12,345 USD", "41.2 %", "3.5 h", "—" when nothing can be said yet."""
    if value is None or pd.isna(value):
        return "—"
    if unit == "minor":
        # every amount of these pages is in US cents: see the metric's currency rule
        return f"{Decimal(int(value)).scaleb(-2):,.0f} {currency or ''}".strip()
    if unit == "share":
        return f"{value:.1%}".replace("%", " %")
    if unit == "hours":
        return f"{value:,.1f} h" if value < 72 else f"{value / 24:,.1f} d"
    return f"{value:,.0f}"


def tidy(figure: go.Figure, *, height: int = 300, money: bool = False, share: bool = False) -> go.Figure:
    """The house's look; legends above, so that they do not eat a phone's width."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 13},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0, "title": ""},
        hovermode="x unified",
        xaxis={"title": "", "gridcolor": GRID},
        yaxis={
            "title": "",
            "gridcolor": GRID,
            "rangemode": "tozero",
            "tickformat": ".0%" if share else ",.0f",
            "tickprefix": "$" if money else "",
        },
    )
    return figure


def show(figure: go.Figure, key: str) -> None:
    st.plotly_chart(figure, width="stretch", config=CONFIG, key=key)


def bars_over_time(frame: pd.DataFrame, *, x: str, y: str, color: str) -> go.Figure:
    return tidy(px.bar(frame, x=x, y=y, color=color, barmode="group", color_discrete_map=COLORS), money=True)


def lines_over_time(frame: pd.DataFrame, *, x: str, y: str, color: str | None = None) -> go.Figure:
    figure = px.line(frame, x=x, y=y, color=color, color_discrete_map=COLORS, markers=True)
    if color is None:
        figure.update_traces(line_color=TEAL)
    return tidy(figure, share=True)


def survival_curve(frame: pd.DataFrame) -> go.Figure:
    """Share of jobs that have a bid by then: 1 − survival, as steps."""
    figure = go.Figure(
        go.Scatter(x=frame["hours"], y=1 - frame["survival"], line={"shape": "hv", "color": TEAL}, fill="tozeroy", name="with a bid")
    )
    figure.update_traces(
        customdata=frame[["at_risk", "events"]], hovertemplate="%{y:.1%} by %{x:.1f} h · %{customdata[0]} watched<extra></extra>"
    )
    tidy(figure, share=True)
    figure.update_layout(hovermode="closest", xaxis={"ticksuffix": " h"}, yaxis={"range": [0, 1.02]})
    return figure


def funnel_bars(frame: pd.DataFrame) -> go.Figure:
    """One bar a stage, its count and share of all pairs that were shown."""
    text = [f"{count:,} · {share:.1%}" for count, share in zip(frame["count"], frame["share"], strict=True)]
    figure = go.Figure(
        go.Bar(x=frame["share"], y=frame["stage"], orientation="h", text=text, textposition="auto", marker_color=TEAL, cliponaxis=False)
    )
    tidy(figure, height=280, share=True)
    figure.update_layout(hovermode=False, xaxis={"visible": False, "range": [0, 1.05]}, yaxis={"autorange": "reversed", "tickformat": None})
    return figure
