"""Lineage as it was published with the marts: model, its SQL, parents, tests, and the source runs it rests on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from . import query


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One published model. `tests` and `columns` are dbt's, `sources` the extracted tables at the root of its ancestry."""

    relation: str
    description: str
    sql: str
    meta: dict[str, Any]
    columns: pd.DataFrame
    tests: pd.DataFrame
    ancestors: pd.DataFrame
    sources: pd.DataFrame


def _rows(text: str | None) -> pd.DataFrame:
    return pd.DataFrame(json.loads(text or "[]"))


def model_card(schema: str, name: str) -> ModelCard:
    """Raises LookupError when no such model was published."""
    found = query(
        f"select unique_id, relation, description, sql, columns::varchar as columns, meta::varchar as meta, tests::varchar as tests "
        f"from _meta.model where published and relation = '{schema}.{name}'"
    )
    if found.empty:
        raise LookupError(f"{schema}.{name} is not among the published models")
    row = found.iloc[0]
    ancestry = f"""
        with recursive up as (
            select '{row["unique_id"]}' as id, 0 as steps
            union
            select edge.parent, up.steps + 1 from up join _meta.edge as edge on edge.child = up.id
        )
        select model.unique_id, model.relation, model.layer, min(up.steps) as steps
        from up join _meta.model as model on model.unique_id = up.id where up.steps > 0 group by all order by steps, relation
    """
    ancestors = query(ancestry)
    sources = query(
        f"""
        select run."table", run.run_seq, run.L as low_watermark, run.H as high_mark, run.rows, run.deletes, run.drift, run.state, run.known_at
        from _meta.source_run as run
        where run."table" in (select split_part(relation, '.', 2) from ({ancestry}) where unique_id like 'source.%')
        order by run."table", run.run_seq desc
        """
    )
    return ModelCard(
        relation=str(row["relation"]),
        description=str(row["description"]),
        sql=str(row["sql"]),
        meta=json.loads(row["meta"] or "{}"),
        columns=_rows(row["columns"]),
        tests=_rows(row["tests"]),
        ancestors=ancestors[["relation", "layer", "steps"]],
        sources=sources,
    )
