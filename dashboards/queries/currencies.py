"""In which currencies a publication lets money in USD be read, and by which rates: those that were published with it."""

from __future__ import annotations

from datetime import date

import streamlit as st

from pipelines import marts_reader
from pipelines.marts_reader import MetricError, Published
from pipelines.marts_reader.currencies import Currency, Rates, read_currencies, read_good_until, read_rates


@st.cache_data(ttl=3600, max_entries=64, show_spinner=False)
def known(marts: Published) -> tuple[Currency, ...]:
    """USD first, the others by code; empty when the publication was made before it had rates."""
    with marts_reader.open_read_only(marts.path) as connection:
        try:
            return read_currencies(connection)
        except MetricError:
            return ()


@st.cache_data(ttl=3600, max_entries=256, show_spinner=False)
def rates(marts: Published, code: str) -> Rates:
    """Raises BadQuestion for a currency that is not `known`."""
    with marts_reader.open_read_only(marts.path) as connection:
        return read_rates(connection, code)


@st.cache_data(ttl=3600, max_entries=256, show_spinner=False)
def good_until(marts: Published, code: str) -> date | None:
    """The last day of the newest rate; None where the publication does not tell it."""
    with marts_reader.open_read_only(marts.path) as connection:
        try:
            return read_good_until(connection, code)
        except MetricError:
            return None
