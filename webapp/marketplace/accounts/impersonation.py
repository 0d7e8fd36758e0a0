"""Staff acting as somebody else: with a reason, for half an hour, within one session, every request kept, and told to the person afterwards.

Money and security settings stay closed, and so is all in which the person would speak to others: what is open is accounts.scopes.HELP.

The client sends its own session and the header `X-Impersonation: <id>`: without the header staff are themselves, and the header opens
nothing outside the session in which the impersonation was started. allauth's routes and Django's admin do not know the header.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.http import HttpRequest, HttpResponse

from marketplace.core import audit, clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.policies import one_of, require, require_staff, staff_may
from marketplace.core.transactions import unit_of_work

from .models import ImpersonatedRequest, Impersonation, User

HEADER = "X-Impersonation"
ACTION = "account_impersonate"
MOST_DIGITS = 18


def _digest(session_key: str | None) -> str:
    return hashlib.sha256((session_key or "").encode()).hexdigest()


@unit_of_work
def impersonation_start(*, actor: User, user_id: int, reason: str, session_key: str | None) -> Impersonation:
    """Let the actor act as the person for IMPERSONATION_MINUTES, within this session. A running one of the actor's ends.

    Raises InvalidInput, NotFound, NotAllowed("staff_only"), NotAllowed("impersonate_staff") for staff and for oneself,
    Conflict("account_inactive").
    """
    require_staff(actor, ACTION)
    checks = Checks()
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound("person")
    require(not (user.is_staff or user.is_superuser), "impersonate_staff", "Nobody acts as a member of staff.")
    if not user.is_active:
        raise Conflict("account_inactive", "This account is suspended or closed.")
    now = clock.now()
    for other in Impersonation.objects.select_for_update().filter(staff=actor.pk, ended_at=None):
        _end(other, now, actor.pk)
    found = Impersonation.objects.create(
        staff=actor,
        user=user,
        reason=reason,
        session_digest=_digest(session_key),
        started_at=now,
        expires_at=now + timedelta(minutes=settings.IMPERSONATION_MINUTES),
    )
    audit.record(actor=actor, action=ACTION, obj=user, reason=reason)
    events.record(aggregate=user, kind="account.impersonate", actor_id=actor.pk, after={"impersonation_id": found.pk}, reason=reason)
    return found


@unit_of_work
def impersonation_end(*, actor: User, impersonation_id: int) -> Impersonation:
    """Stop. Ending again changes nothing. Raises NotFound for another's."""
    require_staff(actor, ACTION)
    found = one_of(Impersonation.objects.select_for_update().filter(staff=actor.pk), impersonation_id, "impersonation")
    if found.ended_at is None:
        _end(found, clock.now(), actor.pk)
    return found


@unit_of_work
def expire(*, impersonation_id: int) -> bool:
    """End an impersonation whose time is up; False when somebody did before, or it is not."""
    found = Impersonation.objects.select_for_update().get(pk=impersonation_id)
    if found.ended_at is not None or found.expires_at > clock.now():
        return False
    _end(found, found.expires_at, None)
    return True


def end_all_of(user: User) -> None:
    """End what staff run as this person, and what this person runs as staff. Part of a caller's unit of work."""
    mine = models.Q(user=user) | models.Q(staff=user)
    for found in Impersonation.objects.select_for_update().filter(mine, ended_at=None):
        _end(found, clock.now(), None)


def _end(found: Impersonation, at: Any, actor_id: int | None) -> None:
    found.ended_at = min(at, found.expires_at)
    found.save(update_fields=["ended_at"])
    made = found.requests.count()
    person = User.objects.select_for_update().get(pk=found.user_id)
    after = {"impersonation_id": found.pk, "requests": made}
    events.record(aggregate=person, kind="account.impersonate_end", actor_id=actor_id, after=after, reason=found.reason)


def running(staff: User, wanted: str, session_key: str | None) -> Impersonation | None:
    """The impersonation that the header names, while it may be used: started by this person in this session, within its time, by somebody
    who still may, as somebody who still may come in."""
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= MOST_DIGITS) or not session_key or not staff_may(staff, ACTION):
        return None
    found = Impersonation.objects.select_related("user").filter(pk=int(wanted), staff=staff.pk, ended_at=None).first()
    if found is None or found.session_digest != _digest(session_key) or found.expires_at <= clock.now():
        return None
    return found if found.user.is_active and not found.user.is_staff else None


def trace(request: HttpRequest, found: Impersonation) -> None:
    """Keep the request, before anything is decided about it; TraceMiddleware adds how it was answered."""
    path = request.get_full_path()[:500]
    kept = ImpersonatedRequest.objects.create(impersonation=found, method=(request.method or "")[:8], path=path, at=clock.now())
    request.impersonated = kept  # type: ignore[attr-defined]


class TraceMiddleware:
    """Writes the answer's status to the trace, and says in a header as whom the request was answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        kept = getattr(request, "impersonated", None)
        if kept is not None:
            ImpersonatedRequest.objects.filter(pk=kept.pk).update(status=response.status_code)
            response["X-Impersonating"] = str(kept.impersonation.user_id)
        return response


def impersonations_for(actor: User) -> models.QuerySet[Impersonation]:
    """One's own, or all for those who may read the audit. Raises NotAllowed("staff_only")."""
    if staff_may(actor, "audit_see"):
        return Impersonation.objects.all()
    require_staff(actor, ACTION)
    return Impersonation.objects.filter(staff=actor.pk)


def requests_for(actor: User, impersonation_id: int) -> models.QuerySet[ImpersonatedRequest]:
    """What was asked under an impersonation. Raises NotAllowed("staff_only"), NotFound."""
    found = one_of(impersonations_for(actor), impersonation_id, "impersonation")
    return ImpersonatedRequest.objects.filter(impersonation=found)
