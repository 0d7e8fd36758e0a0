"""Keys of a person's own programs: made, listed, revoked, and found again by their secret. What they open is accounts.scopes' matter."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models

from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict
from marketplace.core.policies import one_of, require
from marketplace.core.transactions import unit_of_work

from . import pace
from .models import ApiToken, User
from .scopes import SCOPES

MARK = "olp_"
_SHOWN = 12


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def tokens_of(actor: User) -> models.QuerySet[ApiToken]:
    """The actor's tokens that can still be used."""
    return ApiToken.objects.filter(user=actor.pk, revoked_at=None, expires_at__gt=clock.now())


@unit_of_work
def token_create(*, actor: User, name: str, scopes: list[str], days: int | None = None) -> tuple[ApiToken, str]:
    """A new token and its secret, which is told here and never again. It lives `days` (default API_TOKEN_DAYS, at most API_TOKEN_MAX_DAYS).

    Raises InvalidInput, NotAllowed("token_staff") for staff, Conflict("token_limit") at API_TOKENS_MOST live ones.
    """
    require(not actor.is_staff, "token_staff", "Staff act in a session with a second factor, not with a token.")
    checks = Checks()
    name = checks.text("name", name, longest=80, shortest=1)
    if not isinstance(scopes, list) or not scopes or not all(isinstance(s, str) and s in SCOPES for s in scopes):
        checks.add("scopes", f"Give at least one of: {', '.join(SCOPES)}.")
    lasting = checks.whole("days", settings.API_TOKEN_DAYS if days is None else days, low=1, high=settings.API_TOKEN_MAX_DAYS)
    checks.raise_if_any()
    owner = User.objects.select_for_update().get(pk=actor.pk)
    if tokens_of(owner).count() >= settings.API_TOKENS_MOST:
        raise Conflict("token_limit", f"You have {settings.API_TOKENS_MOST} tokens. Revoke one that you no longer use.")
    secret = MARK + secrets.token_urlsafe(32)
    now = clock.now()
    token = ApiToken.objects.create(
        user=owner,
        name=name,
        prefix=secret[:_SHOWN],
        digest=_digest(secret),
        scopes=[s for s in SCOPES if s in scopes],
        created_at=now,
        expires_at=now + timedelta(days=lasting),
    )
    events.record(aggregate=owner, kind="account.token_create", actor_id=actor.pk, after={"token_id": token.pk, "scopes": token.scopes})
    return token, secret


@unit_of_work
def token_revoke(*, actor: User, token_id: int) -> None:
    """End one of one's own tokens, at once. Raises NotFound for a stranger's and for one that is over already."""
    owner = User.objects.select_for_update().get(pk=actor.pk)
    token = one_of(tokens_of(owner), token_id, "token")
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=clock.now())
    events.record(aggregate=owner, kind="account.token_revoke", actor_id=actor.pk, after={"token_id": token.pk})


def revoke_all(user_id: int) -> int:
    """End every token of a person; returns how many were live. Part of a caller's unit of work."""
    return ApiToken.objects.filter(user=user_id, revoked_at=None).update(revoked_at=clock.now())


def token_of(secret: str) -> ApiToken | None:
    """The live token with this secret, with its owner, who may come in; marks it as used."""
    found: Any = ApiToken.objects.select_related("user").filter(digest=_digest(secret), revoked_at=None, user__is_active=True).first()
    now = clock.now()
    if found is None or found.expires_at <= now:
        return None
    if pace.due("token", found.digest):
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found
