"""Signing in as people and programs really do, over HTTP: for tests of what stands between a proof of identity and a view."""

from __future__ import annotations

import time
import uuid
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

PASSWORD = "correct horse battery"
AUTH = "/_allauth/app/v1"


def verified(user: Any) -> Any:
    """The user, whose address is proven."""
    EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
    return user


def totp_code(secret: str) -> str:
    """What an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


class Caller:
    """Speaks JSON with fixed headers: an app with its session, or a program with its token."""

    def __init__(self, agent: str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", **headers: str) -> None:
        self.headers = {"HTTP_USER_AGENT": agent, **headers}
        self.client = Client(raise_request_exception=False)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        address = path if path.startswith("/") else f"/api/v1/{path}"
        sent = {"content_type": "application/json", "data": body if body is not None else {}} if method != "get" else {}
        keyed = {"HTTP_IDEMPOTENCY_KEY": uuid.uuid4().hex} if method == "post" and not path.startswith("/_") else {}
        return getattr(self.client, method)(address, **sent, **{**self.headers, **keyed, **headers})

    def get(self, path: str, **headers: str) -> Any:
        return self.call("get", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("post", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return self.call("put", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.call("patch", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("delete", path, **headers)

    def acting(self, impersonation: int) -> Caller:
        """The same session, acting as somebody else."""
        return Caller(self.headers["HTTP_USER_AGENT"], **{**self.headers, "HTTP_X_IMPERSONATION": str(impersonation)})


def sign_in(user: Any, password: str = PASSWORD, **more: str) -> Caller:
    """A new app session of the person. Fails when it does not come about."""
    app = Caller(**more)
    answer = app.post(f"{AUTH}/auth/login", {"email": verified(user).email, "password": password})
    assert answer.status_code == 200, answer.content
    app.headers["HTTP_X_SESSION_TOKEN"] = answer.json()["meta"]["session_token"]
    return app


def prove_again(app: Caller, password: str = PASSWORD) -> None:
    """Security settings ask for the password once more."""
    assert app.post(f"{AUTH}/auth/reauthenticate", {"password": password}).status_code == 200


def set_up_totp(app: Caller) -> str:
    """Set up an authenticator app in this session; returns its secret."""
    prove_again(app)
    secret = app.get(f"{AUTH}/account/authenticators/totp").json()["meta"]["secret"]
    answer = app.post(f"{AUTH}/account/authenticators/totp", {"code": totp_code(secret)})
    assert answer.status_code == 200, answer.content
    return str(secret)


def program(secret: str) -> Caller:
    """A program with a token."""
    return Caller("time-tracker/2.1", HTTP_AUTHORIZATION=f"Bearer {secret}")
