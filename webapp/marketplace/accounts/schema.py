"""How the API's document describes our session token."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


def register() -> None:
    """Define the extension, which drf-spectacular finds by its class being defined."""

    class SessionTokenScheme(OpenApiAuthenticationExtension):
        target_class = "marketplace.accounts.authentication.SessionTokenAuthentication"
        name = "sessionToken"

        def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
            about = "From signing in through /_allauth/app/v1/."
            return {"type": "apiKey", "in": "header", "name": "X-Session-Token", "description": about}
