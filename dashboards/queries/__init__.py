"""SQL on one publication of the marts. A page reads the pointer once and asks everything of what it found, so that its numbers agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pipelines import marts_reader
from pipelines.marts_reader import Published


@st.cache_data(ttl=3600, max_entries=256, show_spinner=False)
def _cached(publish_id: str, path: Path, sql: str, values: tuple[Any, ...]) -> pd.DataFrame:
    with marts_reader.open_read_only(path) as connection:
        return connection.execute(sql, values).df()


def query(marts: Published, sql: str, values: Sequence[Any] = ()) -> pd.DataFrame:
    """Rows of `sql`, a `?` for each of `values`. Kept for an hour: a publication never changes."""
    return _cached(marts.publish_id, marts.path, sql, tuple(values))
