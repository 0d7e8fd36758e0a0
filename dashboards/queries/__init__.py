"""SQL on one publication of the marts. A page reads the pointer once and asks everything of what it found, so that its numbers agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pipelines import marts_reader
from pipelines.marts_reader import Metric, Published


@st.cache_data(ttl=3600, max_entries=256, show_spinner=False)
def _cached(publish_id: str, path: Path, sql: str, values: tuple[Any, ...]) -> pd.DataFrame:
    with marts_reader.open_read_only(path) as connection:
        return connection.execute(sql, values).df()


def query(marts: Published, sql: str, values: Sequence[Any] = ()) -> pd.DataFrame:
    """Rows of `sql`, a `?` for each of `values`. Kept for an hour: a publication never changes."""
    return _cached(marts.publish_id, marts.path, sql, tuple(values))


@st.cache_data(ttl=3600, max_entries=512, show_spinner=False)
def _answered(marts: Published, name: str, by: tuple[str, ...], where: tuple[tuple[str, Any], ...]) -> pd.DataFrame:
    table = marts_reader.metric(name, by, dict(where), published=marts)
    return pd.DataFrame({column: table[column].to_pylist() for column in table.column_names})


def ask(marts: Published, name: str, by: Sequence[str] = (), where: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """A governed metric, as `marts_reader.metric` answers it. Kept for an hour. Raises UnknownMetric or BadQuestion."""
    return _answered(marts, name, tuple(by), tuple((where or {}).items()))


@st.cache_data(ttl=3600, max_entries=8, show_spinner=False)
def definitions(marts: Published) -> dict[str, Metric]:
    """Every metric of the publication by name."""
    return {metric.name: metric for metric in marts_reader.metrics(marts)}
