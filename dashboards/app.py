"""The router: signs the viewer in through the web app, then offers the pages that their roles open.

Served by serve.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

# Streamlit puts this file's folder on the path, not the one above
ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from dashboards.auth import Viewer, keep_checking, viewer_or_page, web_url  # noqa: E402
from dashboards.components import layout  # noqa: E402

st.set_page_config(page_title="Openlance dashboards", page_icon="◐", layout="wide")
st.html(layout.STYLE)


def pages_for(viewer: Viewer) -> list[st.Page]:
    """The pages of this viewer's roles; default deny."""
    if viewer.is_staff:
        return [
            st.Page("app_pages/admin/overview.py", title="Overview", icon=":material/monitoring:", default=True),
            st.Page("app_pages/admin/metrics.py", title="Metrics", icon=":material/menu_book:"),
            st.Page("app_pages/admin/served_scores.py", title="Scores served", icon=":material/sort:"),
            st.Page("app_pages/admin/data_quality.py", title="Data quality", icon=":material/fact_check:"),
        ]
    return []


def header(viewer: Viewer) -> None:
    """Whose numbers these are, and the ways out."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("**◐ Openlance** dashboards", width="content")
        with st.popover(viewer.name, icon=":material/account_circle:", type="tertiary"):
            st.link_button("Open the web app", web_url(), width="stretch")
            st.button("Sign out of the dashboards", on_click=st.logout, width="stretch")


def show(viewer: Viewer) -> None:
    """What the viewer's roles open, or why there is nothing."""
    pages = pages_for(viewer)
    header(viewer)
    keep_checking(viewer)
    if pages:
        st.navigation(pages, position="top").run()
    else:
        st.title("Nothing for you here yet", anchor=False)
        st.write("These dashboards are for staff. Your own numbers are on your contract and money pages in the web app.")


if viewer := viewer_or_page():
    show(viewer)
