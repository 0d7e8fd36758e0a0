"""Lineage as it was published with the marts: model, its SQL, parents, tests, and the source runs it rests on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from pipelines import marts_reader
from pipelines.marts_reader import Published, Trace

from . import query

ANCESTRY = """
    with recursive up as (
        select unique_id as id, 0 as steps from _meta.model where relation = ? and published
        union
        select edge.parent, up.steps + 1 from up join _meta.edge as edge on edge.child = up.id
    )
    select model.unique_id, model.relation, model.layer, min(up.steps) as steps
    from up join _meta.model as model on model.unique_id = up.id where up.steps > 0 group by all
"""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One published model. `tests` and `columns` are dbt's, `ancestors` all models it is made from, nearest first, and `sources` the newest
    run of each extracted table among them: rows changed before `high_mark` were seen by it. `metrics` are the SQL of the metrics that are worked out from it.
    """

    relation: str
    description: str
    sql: str
    meta: dict[str, Any]
    columns: pd.DataFrame
    tests: pd.DataFrame
    ancestors: pd.DataFrame
    sources: pd.DataFrame
    metrics: dict[str, str]


def _rows(text: str | None) -> pd.DataFrame:
    return pd.DataFrame(json.loads(text or "[]"))


def model_card(marts: Published, relation: str) -> ModelCard:
    """`relation` is schema.name, such as admin.funnel. Raises LookupError when no such model was published."""
    found = query(
        marts,
        "select description, sql, columns::varchar as columns, meta::varchar as meta, tests::varchar as tests "
        "from _meta.model where published and relation = ?",
        [relation],
    )
    if found.empty:
        raise LookupError(f"{relation} is not among the published models")
    row = found.iloc[0]
    ancestors = query(marts, f"select relation, layer, steps from ({ANCESTRY}) order by steps, relation", [relation])
    sources = query(
        marts,
        f"""
        select run."table", run.run_seq, run.L as low_watermark, run.H as high_mark, run.rows, run.deletes, run.drift, run.state
        from _meta.source_run as run
        where run."table" in (select split_part(relation, '.', 2) from ({ANCESTRY}) where layer = 'raw')
        qualify row_number() over (partition by run."table" order by run.run_seq desc) = 1
        order by run."table"
        """,
        [relation],
    )
    return ModelCard(
        relation=relation,
        description=str(row["description"]),
        sql=str(row["sql"]),
        meta=json.loads(row["meta"] or "{}"),
        columns=_rows(row["columns"]),
        tests=_rows(row["tests"]),
        ancestors=ancestors,
        sources=sources,
        metrics=dict(query(marts, "select name, sql from _meta.metric where relation = ?", [relation]).itertuples(index=False)),
    )


@st.cache_data(ttl=3600, max_entries=256, show_spinner=False)
def metric_trace(marts: Published, name: str) -> Trace:
    """What a metric is made of, down to the source's columns and runs. Raises UnknownMetric."""
    return marts_reader.trace(name, published=marts)
