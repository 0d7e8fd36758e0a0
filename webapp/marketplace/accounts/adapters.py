"""How allauth's account and OpenID provider see our users."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.internal.restkit.response import APIResponse
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.core.exceptions import ValidationError
from django.http import HttpResponse

from marketplace.core import features
from marketplace.core.checks import UNPRINTABLE

from . import second_factor
from .models import Suspension, User
from .policies import roles_of

EMAIL_LENGTH = 191  # of User.email: what a unique utf8mb4 index of MySQL holds


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up by e-mail; the display name starts as what stands before the @ and can be changed."""

    def is_open_for_signup(self, request: Any) -> bool:
        return bool(features.value("SIGN_UP_OPEN"))

    def clean_email(self, email: str) -> str:
        email = super().clean_email(email)
        if len(email) > EMAIL_LENGTH:
            raise ValidationError(f"An e-mail address of at most {EMAIL_LENGTH} characters, please.", code="email_too_long")
        return email

    def save_user(self, request: Any, user: User, form: Any, commit: bool = True) -> User:
        user.display_name = form.cleaned_data["email"].split("@", 1)[0][:100]
        saved: User = super().save_user(request, user, form, commit=commit)
        return saved

    def respond_user_inactive(self, request: Any, user: User) -> HttpResponse:
        """After the right password (or passkey, or provider), not before: why the account is shut."""
        suspension = Suspension.objects.filter(user=user, live=True).first()
        if suspension is not None:
            code, message = (
                "account_suspended",
                f"This account is suspended: {suspension.reason} Write to support if you think it is wrong.",
            )
        else:
            code, message = "account_inactive", "This account is closed."
        raise ImmediateHttpResponse(APIResponse(request, errors=[{"code": code, "message": message}], status=403))


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Sign-up through a provider named in the environment. A provider's word never opens an account that is here already: its owner signs in
    and connects the provider (SOCIALACCOUNT_EMAIL_AUTHENTICATION is off)."""

    def populate_user(self, request: Any, sociallogin: Any, data: dict[str, Any]) -> User:
        user: User = super().populate_user(request, sociallogin, data)
        named = data.get("name") or " ".join(filter(None, (data.get("first_name"), data.get("last_name"))))
        user.display_name = UNPRINTABLE.sub("", named or (user.email or "").split("@", 1)[0]).strip()[:100] or "Newcomer"
        return user


class OIDCAdapter(DefaultOIDCAdapter):
    """Claims for the dashboards: a stable subject and, with the `roles` scope, what the person may see."""

    scope_display = {**DefaultOIDCAdapter.scope_display, "roles": "View what you are here: client, freelancer, staff"}

    def get_claims(
        self, purpose: Any, user: Any, client: Any, scopes: Iterable[str], email: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        scopes = list(scopes)
        claims: dict[str, Any] = super().get_claims(purpose, user, client, scopes, email=email, **kwargs)
        if "profile" in scopes:
            claims["name"] = user.display_name
        if "roles" in scopes:
            held = roles_of(user)
            if second_factor.is_lacking(user):
                held = replace(held, staff=False, groups=())
            claims["roles"] = held.names
        return claims

    def get_user_sub(self, client: Any, user: Any) -> str:
        return str(user.public_id)

    def get_user_by_sub(self, client: Any, sub: str) -> User | None:
        try:
            public_id = uuid.UUID(sub)
        except ValueError:
            return None
        return User.objects.filter(public_id=public_id, is_active=True).first()
