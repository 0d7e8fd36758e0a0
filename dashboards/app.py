"""The router: signs the viewer in through the web app, then offers the pages that their roles open.

streamlit run dashboards/app.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

# Streamlit puts this file's folder on the path, not the one above
ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from dashboards.auth import Viewer, keep_checking, require_viewer  # noqa: E402

st.set_page_config(page_title="Openlance dashboards", page_icon="◐", layout="wide")


def pages_for(viewer: Viewer) -> list[st.Page]:  # type: ignore[valid-type]
    """The pages of this viewer's roles; default deny."""
    if viewer.is_staff:
        return [st.Page("app_pages/admin/overview.py", title="Overview", icon=":material/monitoring:", default=True)]
    return []


viewer = require_viewer()
pages = pages_for(viewer)
with st.sidebar:
    st.caption(f"Signed in as {viewer.name}")
    st.button("Sign out", on_click=st.logout, use_container_width=True)
if not pages:
    st.title("Nothing for you here yet")
    st.write("These dashboards are for staff. Your own numbers are on your contract and balance pages in the web app.")
    st.stop()
keep_checking(viewer)
st.navigation(pages).run()
