"""Who is looking, asked from the web app again and again: the sign-in cookie alone never opens a page.

The cookie of st.login is a snapshot of the sign-in and lives for a month. The roles are read from the web app's userinfo endpoint with the
access token, and kept for TTL_SECONDS only. When the web app does not answer, or not with 200, nobody sees anything.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import httpx
import streamlit as st

TTL_SECONDS = 5
TIMEOUT_SECONDS = 3.0
STAFF = frozenset({"admin", "analyst", "finance", "moderator", "support"})


@dataclass(frozen=True, slots=True)
class Viewer:
    """A signed-in person as the web app describes them now. `roles` hold client, freelancer and staff groups."""

    subject: str
    name: str
    roles: frozenset[str]

    @property
    def is_staff(self) -> bool:
        return bool(self.roles & STAFF)


class Refused(Exception):
    """The web app does not vouch for this viewer any more; sign in again."""


class Unreachable(Exception):
    """The web app cannot be asked: fail closed."""


def web_url() -> str:
    """The web app's address, from OPENLANCE_BASE_URL."""
    return os.environ.get("OPENLANCE_BASE_URL", "http://localhost:8000").rstrip("/")


@st.cache_data(ttl=TTL_SECONDS, max_entries=1000, show_spinner=False)
def _userinfo(token: str, userinfo_url: str) -> dict[str, object]:
    # errors are raised, and therefore never cached
    try:
        answer = httpx.get(userinfo_url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as e:
        raise Unreachable(str(e)) from e
    if answer.status_code in (400, 401, 403):
        raise Refused(str(answer.status_code))
    if answer.status_code != 200:
        raise Unreachable(f"userinfo answers {answer.status_code}")
    return _object(answer, "sub")


@st.cache_data(ttl=3600, max_entries=4, show_spinner=False)
def _userinfo_url(issuer: str) -> str:
    try:
        answer = httpx.get(f"{issuer}/.well-known/openid-configuration", timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
    except httpx.HTTPError as e:
        raise Unreachable(str(e)) from e
    return str(_object(answer, "userinfo_endpoint")["userinfo_endpoint"])


def _object(answer: httpx.Response, needed: str) -> dict[str, object]:
    """The JSON object of an answer; one that is none, or lacks `needed`, did not come from the web app."""
    try:
        found = answer.json()
    except ValueError as e:
        raise Unreachable(f"{answer.url} does not answer in JSON") from e
    if not isinstance(found, dict) or needed not in found:
        raise Unreachable(f"{answer.url} answers without {needed}")
    return found


def ask(token: str) -> Viewer:
    """The viewer behind an access token. Raises Refused or Unreachable; roles that were not granted are no roles."""
    claims = _userinfo(token, _userinfo_url(web_url()))
    granted = claims.get("roles")
    roles = frozenset(str(r) for r in granted) if isinstance(granted, list) else frozenset()
    return Viewer(str(claims["sub"]), str(claims.get("name") or "you"), roles)


def viewer_or_page() -> Viewer | None:
    """The viewer of this run; None after drawing a page that says what to do.

    The run has to end by itself then, never by st.stop: a stopped run leaves the fragments of the page before it in the session, where a
    browser that asks for one late would have it drawn again, past this check.
    """
    if not st.user.is_logged_in:
        st.title("Openlance dashboards")
        st.write("Sign in with your Openlance account. There is no separate password.")
        st.button("Sign in", type="primary", on_click=st.login)
        return None
    tokens = getattr(st.user, "tokens", None) or {}
    token = tokens.get("access")
    try:
        if not token:
            raise Refused("no access token in the sign-in")
        return ask(token)
    except Refused:
        st.title("Please sign in again")
        st.write("Your sign-in has ended or was withdrawn.")
        st.button("Sign in again", type="primary", on_click=st.login)
    except Unreachable:
        st.title("The web app does not answer")
        st.error("Nothing is shown while it cannot be asked who you are. This page tries again by itself.")
        st.fragment(run_every=TTL_SECONDS)(_retry)()
    return None


def _retry() -> None:
    """Runs the whole page again when the web app answers."""
    try:
        _userinfo_url.clear()
        _userinfo_url(web_url())
    except Unreachable:
        return
    st.rerun()


@st.fragment(run_every=TTL_SECONDS)
def keep_checking(viewer: Viewer) -> None:
    """Asks again while the page stays open: who lost a role, or the web app's word, loses the page within two periods."""
    if _still() != viewer.roles:
        st.rerun()


def withdrawn() -> bool:
    """Whether the web app no longer vouches for the member of staff for whom this page was opened: asked by a part that runs without the rest."""
    return bool(st.user.get("is_logged_in")) and not _still() & STAFF


def _still() -> frozenset[str]:
    """The roles that the web app vouches for at this moment; none when it vouches for nothing."""
    try:
        return ask(str(st.user.tokens["access"])).roles
    except (Refused, Unreachable):
        return frozenset()
