"""How allauth's account and OpenID provider see our users."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from django.core.exceptions import ValidationError

from .models import User
from .policies import roles_of

EMAIL_LENGTH = 191  # of User.email: what a unique utf8mb4 index of MySQL holds


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up by e-mail; the display name starts as what stands before the @ and can be changed."""

    def clean_email(self, email: str) -> str:
        email = super().clean_email(email)
        if len(email) > EMAIL_LENGTH:
            raise ValidationError(f"An e-mail address of at most {EMAIL_LENGTH} characters, please.", code="email_too_long")
        return email

    def save_user(self, request: Any, user: User, form: Any, commit: bool = True) -> User:
        user.display_name = form.cleaned_data["email"].split("@", 1)[0][:100]
        saved: User = super().save_user(request, user, form, commit=commit)
        return saved


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
            claims["roles"] = roles_of(user).names
        return claims

    def get_user_sub(self, client: Any, user: Any) -> str:
        return str(user.public_id)

    def get_user_by_sub(self, client: Any, sub: str) -> User | None:
        try:
            public_id = uuid.UUID(sub)
        except ValueError:
            return None
        return User.objects.filter(public_id=public_id, is_active=True).first()
