"""Housekeeping of sign-in."""

from __future__ import annotations

from allauth.idp.oidc.models import Token
from celery import shared_task


@shared_task(acks_late=True, ignore_result=True, time_limit=120)
def forget_expired_tokens() -> int:
    """Delete OpenID tokens that are no longer valid; returns how many."""
    return int(Token.objects.expired().delete()[0])
