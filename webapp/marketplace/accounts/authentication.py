"""API clients sign in through allauth's headless API and send `X-Session-Token`."""

from __future__ import annotations

from allauth.headless.contrib.rest_framework.authentication import XSessionTokenAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from .models import User


class SessionTokenAuthentication(XSessionTokenAuthentication):
    """A session token in the X-Session-Token header, checked against the session store at each request."""

    def authenticate_header(self, request: object) -> str:
        return "X-Session-Token"


def actor_of(request: Request) -> User:
    """The signed-in person behind a request. Views that call it are closed to anonymous ones."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user
