"""How the API's document describes the three proofs of identity."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension


def register() -> None:
    """Define the extensions, which drf-spectacular finds by their classes being defined."""

    class SessionTokenScheme(OpenApiAuthenticationExtension):
        target_class = "marketplace.accounts.authentication.SessionTokenAuthentication"
        name = "sessionToken"

        def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
            about = "From signing in through /_allauth/app/v1/."
            return {"type": "apiKey", "in": "header", "name": "X-Session-Token", "description": about}

    class BearerScheme(OpenApiAuthenticationExtension):
        target_class = "marketplace.accounts.authentication.BearerAuthentication"
        name = "apiToken"

        def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
            about = "A token of a program of yours, made at /api/v1/me/tokens. It opens what its scopes say, and no security settings."
            return {"type": "http", "scheme": "bearer", "description": about}

    class CookieScheme(OpenApiAuthenticationExtension):
        target_class = "marketplace.accounts.authentication.CookieAuthentication"
        name = "cookieAuth"

        def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
            return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
