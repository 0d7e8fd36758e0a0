"""API clients sign in through allauth's headless API and send `X-Session-Token`."""

from __future__ import annotations

from allauth.headless.contrib.rest_framework.authentication import XSessionTokenAuthentication


class SessionTokenAuthentication(XSessionTokenAuthentication):
    """A session token in the X-Session-Token header, checked against the session store at each request."""

    def authenticate_header(self, request: object) -> str:
        return "X-Session-Token"
