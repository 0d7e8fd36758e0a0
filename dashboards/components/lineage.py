"""From a number back to its rows: definition, SQL, tests, source runs, parents. Opened from each group of cards and each chart."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboards.queries.meta import ModelCard, model_card
from pipelines.marts_reader import Published

RULES = {"grain": "One row", "filter": "Counted", "currency_rule": "Currencies", "late_data_rule": "Late data", "owner": "Owner"}
LAYERS = ("published", "marts", "features", "intermediate", "staging", "seed", "raw")


def lineage_button(marts: Published, *relations: str) -> None:
    """A button that tells where the numbers of the published models `relations` come from."""
    label, key = "Where from?", f"lineage-{'-'.join(relations)}"
    if st.button(label, icon=":material/account_tree:", type="tertiary", key=key, help="Definition, SQL, tests and source runs"):
        _dialog(marts, relations)


@st.dialog("Where do these numbers come from?", width="large")
def _dialog(marts: Published, relations: tuple[str, ...]) -> None:
    relation = relations[0]
    if len(relations) > 1:
        relation = st.segmented_control(
            "Model", relations, default=relation, required=True, format_func=_name, label_visibility="collapsed"
        )
    card = model_card(marts, relation)
    st.markdown(f"**`{card.relation}`** · {card.description}")
    st.markdown("\n".join(f"- *{label}:* {card.meta[key]}" for key, label in RULES.items() if card.meta.get(key)))
    tests, sources, parents, columns, sql = st.tabs(["Tests", "Source runs", "Parents", "Columns", "SQL"])
    with tests:
        _table(card.tests[["status", "name"]] if len(card.tests) else card.tests, "No test is attached to this model.")
    with sources:
        st.caption("The newest run of each source table. Changes before its high mark are in these numbers; drift is counted after repair.")
        _table(_runs(card.sources), "No source run is known.")
    with parents:
        _parents(card)
    with columns:
        _table(card.columns[["name", "description"]] if len(card.columns) else card.columns, "No columns are described.")
    with sql:
        st.code(card.sql, language="sql", wrap_lines=True)


def _name(relation: str) -> str:
    return relation.split(".", 1)[1]


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
            st.markdown(f"**{layer}** · " + ", ".join(f"`{_name(name)}`" for name in by_layer[layer]))


def _table(frame: pd.DataFrame, nothing: str) -> None:
    if frame.empty:
        st.caption(nothing)
    else:
        st.table(frame, border="horizontal", hide_index=True)
