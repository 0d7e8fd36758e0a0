"""From a number back to its rows: definition, SQL, parents, source runs, tests. Opened below each card and chart."""

from __future__ import annotations

import streamlit as st

from dashboards.queries.meta import ModelCard, model_card

RULES = {"grain": "One row is", "filter": "Counted", "currency_rule": "Currencies", "late_data_rule": "Late data", "owner": "Owner"}


def lineage(schema: str, name: str) -> None:
    """A popover with everything that is known of one published model."""
    with st.popover("Where does this come from?", icon=":material/account_tree:"):
        card = model_card(schema, name)
        st.markdown(f"**{card.relation}** — {card.description}")
        for key, label in RULES.items():
            if card.meta.get(key):
                st.markdown(f"{label}: {card.meta[key]}")
        _details(card)


def _details(card: ModelCard) -> None:
    tests, sources, parents, columns, sql = st.tabs(["Tests", "Source runs", "Parents", "Columns", "SQL"])
    with tests:
        _frame(card, "tests", "No test is attached to this model.")
    with sources:
        st.caption("Rows from the low watermark on were read; everything before the high mark is in.")
        _frame(card, "sources", "No source run is known.")
    with parents:
        _frame(card, "ancestors", "This model has no parents.")
    with columns:
        _frame(card, "columns", "No columns are described.")
    with sql:
        st.code(card.sql, language="sql", wrap_lines=True)


def _frame(card: ModelCard, part: str, nothing: str) -> None:
    frame = getattr(card, part)
    if frame.empty:
        st.caption(nothing)
    else:
        st.dataframe(frame, hide_index=True, width="stretch")
