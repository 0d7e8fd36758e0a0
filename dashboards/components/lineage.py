"""From a number back to its rows: definition, rules, freshness, SQL, columns, parents, source runs, tests. Opened from every card and chart."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboards import auth
from dashboards.queries import admin
from dashboards.queries.meta import ModelCard, metric_trace, model_card
from pipelines.marts_reader import Metric, Published, Trace
from pipelines.marts_reader.currencies import RATES

from .currency import US_DOLLARS, Reading

RULES = {"grain": "One row", "filter": "Counted", "currency_rule": "Currencies", "late_data_rule": "Late data", "owner": "Owner"}
METRIC_RULES = {
    "grain": "Worked out from one row each",
    "filter_rule": "Counted",
    "currency_rule": "Currencies",
    "late_data_rule": "Late data",
}
METRIC_RULES |= {"example": "Example", "owner": "Owner"}
LAYERS = ("published", "marts", "features", "intermediate", "staging", "seed", "raw")


@st.fragment
def lineage_popover(
    marts: Published, key: str, *, metrics: Sequence[str] = (), relations: Sequence[str] = (), reading: Reading = US_DOLLARS
) -> None:
    """A small button that opens where the numbers of these metrics, or of these published models, come from.

    Where money of theirs is told in another currency, `reading` says how, and the rates are one of the models. What is shown is worked out when it is opened, and only this part of the page runs again for it.
    """
    if reading.is_estimate:
        relations = [*relations, RATES]
    opened = st.popover(
        "Where from?",
        icon=":material/account_tree:",
        type="tertiary",
        key=f"lineage-{key}",
        on_change="rerun",
        help=f"{', '.join([*metrics, *relations])}: definition, SQL, parents, source runs and tests",
    )
    # a browser that holds its other requests back would never lose the page otherwise
    if opened.open and not auth.withdrawn():
        with opened:
            _body(marts, key, tuple(metrics), tuple(relations), reading)


def _body(marts: Published, key: str, metrics: tuple[str, ...], relations: tuple[str, ...], reading: Reading) -> None:
    names = metrics + relations
    name = names[0]
    if len(names) > 1:
        name = st.segmented_control(
            "Of which", names, default=name, required=True, key=f"of-{key}", format_func=_short, label_visibility="collapsed"
        )
    if name in metrics:
        trace = metric_trace(marts, name)
        _metric(marts, trace.metric, trace, reading)
    else:
        card = model_card(marts, name)
        st.markdown(f"**`{card.relation}`** · {card.description}")
        _freshness(marts, list(card.sources["table"]))
        st.markdown("\n".join(f"- *{label}:* {card.meta[rule]}" for rule, label in RULES.items() if card.meta.get(rule)))
        _model(card)


def _metric(marts: Published, metric: Metric, trace: Trace, reading: Reading) -> None:
    st.markdown(f"**{metric.label}** · `{metric.name}`\n\n{metric.description}")
    if reading.is_estimate:
        _converted(trace, reading)
    _freshness(marts, [run.table for run in trace.sources if run.feeds])
    st.markdown("\n".join(f"- *{label}:* {getattr(metric, rule)}" for rule, label in METRIC_RULES.items() if getattr(metric, rule, "")))
    _model(model_card(marts, metric.relation), trace)


def _converted(trace: Trace, reading: Reading) -> None:
    """How money in USD came to be told in another currency, and by which row of the published rates."""
    code, whole = reading.currency.code, ""
    if trace.metric.unit == "minor" and trace.value is not None:
        whole = f" Over everything: {US_DOLLARS.text(trace.value, exact=True)} {reading.text(trace.value, exact=True)}."
    st.markdown(
        f":material/currency_exchange: **Shown in {code}, an estimate.** Money is summed in US cents first, and converted then: "
        f"× {reading.rate.normalize():f} minor units of {code} for a cent, rounded half to even. That is {reading.terms}, the row "
        f"`{code}`, `{reading.since}` of `{RATES}`.{whole}"
    )


def _freshness(marts: Published, tables: list[str]) -> None:
    """How old the number can be: the newest instant known, and the slowest of its source tables."""
    known = admin.freshness(marts)
    lags = known[known["table_name"].isin(tables)].dropna(subset=["lag_seconds"])
    slowest = (
        ""
        if lags.empty
        else f" · slowest table `{lags.iloc[0]['table_name']}`, known {lags.iloc[0]['lag_seconds']:,.0f} s after its newest change"
    )
    st.caption(f"As of {admin.as_of(marts):%d %b %Y, %H:%M} UTC · publication {marts.publish_id}{slowest}")


def _model(card: ModelCard, trace: Trace | None = None) -> None:
    names = ["SQL", *(["Columns"] if trace else []), "Parents", "Source runs", "Tests"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    with tabs["SQL"]:
        if trace:
            st.caption("The metric")
            st.code(card.metrics.get(trace.metric.name, ""), language="sql", wrap_lines=True)
        st.caption(f"The model `{card.relation}`")
        st.code(card.sql, language="sql", wrap_lines=True)
    if trace:
        with tabs["Columns"]:
            _columns(trace)
    with tabs["Parents"]:
        _parents(card)
    with tabs["Source runs"]:
        st.caption("The newest run of each source table. Changes before its high mark are in these numbers; drift is counted after repair.")
        feeding = {run.table for run in trace.sources if run.feeds} if trace else set(card.sources["table"])
        _table(_runs(card.sources[card.sources["table"].isin(feeding)]), "No source run is known.")
        others = sorted(set(card.sources["table"]) - feeding)
        if others:
            st.caption("These choose rows, or say what is now, but give no value: " + ", ".join(f"`{table}`" for table in others))
    with tabs["Tests"]:
        _table(card.tests[["status", "name"]] if len(card.tests) else card.tests, "No test is attached to this model.")


def _columns(trace: Trace) -> None:
    """Column by column down to the source: a line a step."""
    st.caption("What the figure's values are made of, column by column, down to the source.")
    if not trace.columns:
        st.caption("It counts rows; no column gives a value.")
    st.markdown(
        "\n".join(
            f"{'  ' * (c.steps - 1)}- `{_short(c.relation)}.{c.column}` ← `{_short(c.parent)}.{c.parent_column}` *{c.how.replace('_', ' ')}*"
            for c in trace.columns
        )
    )


def _short(name: str) -> str:
    return name.split(".", 1)[-1].removeprefix("stg_marketplace__")


def _runs(sources: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "table": sources["table"],
            "run": sources["run_seq"].astype(str),
            "high mark (UTC)": sources["high_mark"].dt.strftime("%d %b %H:%M:%S"),
            "rows": [f"{n:,}" for n in sources["rows"]],
            "drift": sources["drift"].astype(str),
        }
    )


def _parents(card: ModelCard) -> None:
    by_layer = card.ancestors.groupby("layer")["relation"].agg(sorted)
    for layer in LAYERS:
        if layer in by_layer:
            st.markdown(f"**{layer}** · " + ", ".join(f"`{_short(name)}`" for name in by_layer[layer]))


def _table(frame: pd.DataFrame, nothing: str) -> None:
    if frame.empty:
        st.caption(nothing)
    else:
        st.table(frame, border="horizontal", hide_index=True)
