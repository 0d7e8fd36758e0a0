"""Who is at the API's door, by one of three proofs: the browser's session cookie, the `X-Session-Token` of an app's session, or the
`Authorization: Bearer olp_…` of a program. Every view is behind the rules of `door`, because every proof leads through it.
"""

from __future__ import annotations

from typing import Any

from allauth.headless.contrib.rest_framework.authentication import XSessionTokenAuthentication
from django.http import QueryDict
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from . import api_tokens, door
from .models import ApiToken, User


class SessionTokenAuthentication(XSessionTokenAuthentication):
    """A session token in the X-Session-Token header, checked against the session store at each request."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        found = super().authenticate(request)
        return None if found is None else (door.by_session(request, found[0], found[1].session_key), found[1])

    def authenticate_header(self, request: object) -> str:
        return "X-Session-Token"


class BearerAuthentication(BaseAuthentication):
    """A token of `me/tokens`. Another kind of bearer token is none of ours and is left to others."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip().startswith(api_tokens.MARK):
            return None
        token = api_tokens.token_of(secret.strip())
        if token is None:
            raise AuthenticationFailed("This token is not valid: it never was, has expired or was revoked.", code="token_invalid")
        return door.by_token(request, token), token

    def authenticate_header(self, request: object) -> str:
        return "Bearer"


class _WithoutBody:
    """A request as the CSRF check sees it. Else the check looks for its token in the form first: that reads the whole body, files and all, before
    anybody has asked who sent it."""

    POST = QueryDict()

    def __init__(self, request: Any) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class CookieAuthentication(SessionAuthentication):
    """The browser's session, with CSRF protection: the token comes in the header X-CSRFToken, and no body is read for it."""

    def enforce_csrf(self, request: Any) -> None:
        seen: Any = _WithoutBody(request)
        super().enforce_csrf(seen)

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        return door.by_session(request, found[0], request._request.session.session_key), None


def actor_of(request: Request) -> User:
    """The signed-in person behind a request. Views that call it are closed to anonymous ones."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user
