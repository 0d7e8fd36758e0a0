"""Housekeeping of sign-in, and the clocks of exports and closings."""

from __future__ import annotations

import structlog
from allauth.idp.oidc.models import Token
from celery import shared_task

from marketplace.core import clock

from . import closing, exporting, impersonation
from .models import Impersonation

log = structlog.get_logger(__name__)


@shared_task(acks_late=True, ignore_result=True, time_limit=120)
def forget_expired_tokens() -> int:
    """Delete OpenID tokens that are no longer valid; returns how many."""
    return int(Token.objects.expired().delete()[0])


@shared_task(acks_late=True, ignore_result=True, time_limit=120)
def end_due_impersonations() -> int:
    """End impersonations whose time is up, so that the person is told; returns how many ended now."""
    due = Impersonation.objects.filter(ended_at=None, expires_at__lte=clock.now()).values_list("pk", flat=True)
    return sum(impersonation.expire(impersonation_id=pk) for pk in due[:500])


@shared_task(acks_late=True, ignore_result=True, time_limit=3600)
def make_export(export_id: int) -> bool:
    """Put one person's data together; delivered twice it is made once."""
    return exporting.export_make(export_id=export_id)


@shared_task(acks_late=True, ignore_result=True, time_limit=3600)
def sweep_exports() -> int:
    """Make what waits or was left behind by a worker that died, and delete what has expired; returns how many changed here."""
    changed = sum(exporting.export_make(export_id=pk) for pk in exporting.due_export_ids(clock.now()))
    for pk in exporting.expired_export_ids(clock.now()):
        try:
            changed += exporting.export_expire(export_id=pk)
        except Exception:  # one file's fault must not stop the others; the next sweep tries again
            log.exception("export_expire_failed", export=pk)
    return changed


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def close_due() -> int:
    """Shut and erase the accounts whose grace is over; returns how many steps were taken here."""
    done = 0
    for pk in closing.due_closing_ids(clock.now()):
        try:
            done += closing.closing_advance(closing_id=pk)
        except Exception:  # one account's fault must not stop the others; the next sweep tries again
            log.exception("closing_failed", closing=pk)
    return done
