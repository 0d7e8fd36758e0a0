"""SQL on one publication of the marts. A page reads the pointer once and asks everything of what it found, so that its numbers agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pipelines import marts_reader
from pipelines.marts_reader import Metric, Published
from pipelines.marts_reader.answers import answer, read_metric, read_metrics


@st.cache_data(ttl=3600, max_entries=256, show_spinner=False)
def _cached(publish_id: str, path: Path, sql: str, values: tuple[Any, ...]) -> pd.DataFrame:
    with marts_reader.open_read_only(path) as connection:
        return connection.execute(sql, values).df()


def query(marts: Published, sql: str, values: Sequence[Any] = ()) -> pd.DataFrame:
    """Rows of `sql`, a `?` for each of `values`. Kept for an hour: a publication never changes."""
    return _cached(marts.publish_id, marts.path, sql, tuple(values))


#: name, by, where: what `marts_reader.metric` is asked
Question = tuple[str, Sequence[str], Mapping[str, Any]]


@st.cache_data(ttl=3600, max_entries=512, show_spinner=False)
def _answered(marts: Published, questions: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, Any], ...]], ...]) -> list[pd.DataFrame]:
    with marts_reader.open_read_only(marts.path) as connection:
        known = {metric.name: metric for metric in read_metrics(connection)}
        tables = [answer(connection, known.get(name) or read_metric(connection, name), by, dict(where)) for name, by, where in questions]
    return [pd.DataFrame({column: table[column].to_pylist() for column in table.column_names}) for table in tables]


def ask_all(marts: Published, questions: Iterable[Question]) -> list[pd.DataFrame]:
    """Governed metrics, as `marts_reader.metric` answers them, over one connection. Kept for an hour. Raises UnknownMetric or BadQuestion."""
    return _answered(marts, tuple((name, tuple(by), tuple(where.items())) for name, by, where in questions))


def ask(marts: Published, name: str, by: Sequence[str] = (), where: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """One governed metric; see ask_all."""
    return ask_all(marts, [(name, by, where or {})])[0]


def definitions(marts: Published) -> dict[str, Metric]:
    """Every metric of the publication by name."""
    return {metric.name: metric for metric in marts_reader.metrics(marts)}
