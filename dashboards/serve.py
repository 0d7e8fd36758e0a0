"""The dashboards as they are served: the pages of app.py, and behind a sign-in the way back to the page on which it began.

streamlit run dashboards/serve.py

Streamlit itself comes back from each sign-in to the first page, without a query. Not here: who may see what (auth.py).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAVING, RETURNING = "/auth/login", "/oauth2callback"
COOKIE = "openlance_way_back"
#: for how long a sign-in may take
COOKIE_SECONDS = 600
#: a page of this server and its query: nothing that a browser could take for another server's address
PAGE = re.compile(r"/[A-Za-z0-9_-]*(\?[!-\[\]-~]{0,1000})?")
ADDRESS = re.compile(rf"https?://(?P<host>[^/?#\\@]+)(?P<page>{PAGE.pattern})")


def page_left(address: str, host: str) -> str | None:
    """The page, with its query, of an address of the dashboards at `host`; None for any other address."""
    found = ADDRESS.fullmatch(address)
    return found["page"] if found and found["host"] == host else None


class WayBack:
    """Keeps the page that is left for a sign-in in a cookie of that browser, and ends the sign-in there instead of on the first page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in (LEAVING, RETURNING):
            await self.app(scope, receive, send)
            return
        request, note = Request(scope), Response()
        page = None
        if scope["path"] == LEAVING:
            page = page_left(request.headers.get("referer", ""), request.headers.get("host", ""))
        elif PAGE.fullmatch(kept := unquote(request.cookies.get(COOKIE, ""))):
            page = kept
        if scope["path"] == LEAVING and page:
            note.set_cookie(COOKIE, quote(page, safe=""), max_age=COOKIE_SECONDS, path=RETURNING, httponly=True, samesite="lax")
        else:
            note.delete_cookie(COOKIE, path=RETURNING)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("set-cookie", note.headers["set-cookie"])
                if scope["path"] == RETURNING and page and headers.get("location") == "/":
                    headers["location"] = page
            await send(message)

        await self.app(scope, receive, answer)


app = st.App("app.py", middleware=[Middleware(WayBack)])
