"""The catalogue: every governed metric with its definition, rules, owner and present value, made from what was published."""

from __future__ import annotations

import streamlit as st

from dashboards.components import figures, follow
from dashboards.components.currency import US_DOLLARS, Reading, titled
from dashboards.components.lineage import lineage_popover
from dashboards.queries import admin, ask_all, definitions
from pipelines import marts_reader
from pipelines.marts_reader import Metric, Published

SUBJECTS = {"money": "Money", "market": "The market", "work": "Work", "trust": "Trust and safety", "matching": "Matching"}


def matches(metric: Metric, words: str) -> bool:
    """Every word stands somewhere in the metric's names, definition, rules or dimensions."""
    text = " ".join(
        [metric.name, metric.label, metric.description, metric.filter_rule, metric.owner, *(d.name for d in metric.dimensions)]
    ).lower()
    return all(word in text for word in words.lower().split())


def value_text(metric: Metric, value: float | None, reading: Reading) -> str:
    """The metric over everything, as people read it; by what it must be split when it has no such figure."""
    if metric.required:
        return "by " + " and ".join(metric.required)
    if metric.unit == "number" and value is not None:
        return f"{value:,.3f}"
    return figures.number_text(value, metric.unit, metric.currency, reading)


def entry(marts: Published, metric: Metric, value: float | None, reading: Reading) -> None:
    with st.container(border=True, gap="small", key=f"metric-{metric.name}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{metric.label}** · `{metric.name}`", width="content")
            st.markdown(value_text(metric, value, reading), width="content")
        st.markdown(metric.description)
        st.caption(f"Split by {', '.join(d.name for d in metric.dimensions)} · owner {metric.owner}")
        lineage_popover(marts, metric.name, metrics=[metric.name], reading=reading if metric.currency == "USD" else US_DOLLARS)


def page(marts: Published) -> None:
    known = definitions(marts)
    reading = titled(marts, "Metrics")
    st.caption(f"{len(known)} metrics, as of {admin.as_of(marts):%d %b %Y, %H:%M} UTC · {reading.told} · publication {marts.publish_id}")
    follow.newer(marts)
    words = st.text_input("Search", placeholder="Search: take rate, bid, month …", label_visibility="collapsed", max_chars=100)
    found = [metric for metric in known.values() if matches(metric, words)]
    if not found:
        st.info("No metric has all of these words.")
    sayable = [metric.name for metric in known.values() if not metric.required]
    values = dict(zip(sayable, (answer["value"].iloc[0] for answer in ask_all(marts, [(name, (), {}) for name in sayable])), strict=True))
    for subject in sorted({m.subject for m in found}, key=lambda s: list(SUBJECTS).index(s) if s in SUBJECTS else len(SUBJECTS)):
        st.subheader(SUBJECTS.get(subject, subject.capitalize()), anchor=False)
        for metric in found:
            if metric.subject == subject:
                entry(marts, metric, values.get(metric.name), reading)


try:
    page(marts_reader.current())
except marts_reader.NothingPublished:
    st.title("Metrics", anchor=False)
    st.info("Nothing has been published yet. Run `make pipeline`: the catalogue is made from what it publishes.")
    follow.first()
