"""Pages follow the published pointer: they say so when there is something newer, and never change numbers under the reader's eyes."""

from __future__ import annotations

import streamlit as st

from pipelines import marts_reader
from pipelines.marts_reader import Published

EVERY_SECONDS = 5


@st.fragment(run_every=EVERY_SECONDS)
def newer(shown: Published) -> None:
    """A button once the pointer names another publication than the one shown."""
    try:
        now = marts_reader.current()
    except marts_reader.NothingPublished:
        return  # what is shown is still true; the next run of the page says that it was withdrawn
    if now.publish_id != shown.publish_id and st.button("Newer numbers are there: show them", icon=":material/refresh:"):
        st.rerun()


@st.fragment(run_every=EVERY_SECONDS)
def first() -> None:
    """Runs the page again once something is published."""
    try:
        marts_reader.current()
    except marts_reader.NothingPublished:
        return
    st.rerun()
