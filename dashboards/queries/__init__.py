"""SQL on the published marts. A result is cached for one publication: the key holds its id, so that a switch is seen at once."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pipelines import marts_reader


@st.cache_data(ttl=3600, max_entries=256, show_spinner=False)
def _cached(sql: str, publish_id: str) -> pd.DataFrame:
    with marts_reader.connect() as connection:
        return connection.execute(sql).df()


def query(sql: str) -> pd.DataFrame:
    """Rows of `sql` on the current publication. Raises marts_reader's error when nothing was published yet."""
    return _cached(sql, marts_reader.current().publish_id)
