"""Housekeeping of sign-in."""

from __future__ import annotations

from allauth.idp.oidc.models import Token
from celery import shared_task

from marketplace.core import clock

from . import impersonation
from .models import Impersonation


@shared_task(acks_late=True, ignore_result=True, time_limit=120)
def forget_expired_tokens() -> int:
    """Delete OpenID tokens that are no longer valid; returns how many."""
    return int(Token.objects.expired().delete()[0])


@shared_task(acks_late=True, ignore_result=True, time_limit=120)
def end_due_impersonations() -> int:
    """End impersonations whose time is up, so that the person is told; returns how many ended now."""
    due = Impersonation.objects.filter(ended_at=None, expires_at__lte=clock.now()).values_list("pk", flat=True)
    return sum(impersonation.expire(impersonation_id=pk) for pk in due[:500])
