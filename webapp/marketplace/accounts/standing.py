"""Keeping somebody out, and letting them in again. Re-exported by `services`; moderation calls it there.

A suspension moves no money and stops none of the clocks that a contract's sides were shown. What is held stays held; the other side may approve, refund or dispute, and silence has the
effect that both sides were shown. Payouts of the suspended person wait until the suspension is lifted or finance staff refuse them.
Nobody else sees the person's profiles and posts meanwhile; the days of the posts stand still.
"""

from __future__ import annotations

from typing import Any

from marketplace.core import audit, clock, events, ports
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.policies import require, require_staff
from marketplace.core.transactions import unit_of_work

from . import api_tokens, impersonation, sessions, staffing
from .models import Suspension, User

#: what allows it: the account desk, or a decision of moderation
ACTIONS = ("account_manage", "moderation_decide", "moderation_second")


@unit_of_work
def user_suspend(*, actor: User, user_id: int, reason: str, action: str = "account_manage", case_id: int | None = None) -> Suspension:
    """Keep a person out from now on: nobody signs in, and sessions, tokens and impersonations end in the same transaction.

    `action` is what allows the actor, one of ACTIONS; a `case_id` says that it carries out a decision of moderation, which tells the person
    itself. Only who may change groups suspends staff, and only a superuser a superuser. Raises InvalidInput, NotFound, NotAllowed,
    Conflict("already_suspended") and Conflict("last_admin").
    """
    reason = _allowed(actor, action, reason)
    with staffing.guarded():
        user = _person(user_id)
        require(user.pk != actor.pk, "suspend_self", "Nobody suspends themselves.")
        _require_rank(actor, user)
        if not user.is_active:
            raise Conflict("already_suspended", "This account is suspended or closed already.")
        user.is_active = False
        user.save(update_fields=["is_active"])
    suspension = Suspension.objects.create(user=user, reason=reason, at=clock.now(), by_id=actor.pk)
    ended = {"sessions": sessions.end(user.pk), "tokens": api_tokens.revoke_all(user.pk)}
    impersonation.end_all_of(user)
    audit.record(actor=actor, action=action, obj=user, reason=reason, before={"is_active": True}, after={"is_active": False})
    told = {"active": False, **ended, **_case(case_id)}
    events.record(aggregate=user, kind="account.suspend", actor_id=actor.pk, before={"active": True}, after=told, reason=reason)
    return suspension


@unit_of_work
def user_restore(*, actor: User, user_id: int, reason: str, action: str = "account_manage", case_id: int | None = None) -> Suspension:
    """Lift the live suspension: the person signs in again; sessions and tokens do not come back. What stood still goes on (see the port
    suspension_lifted).

    Raises InvalidInput, NotFound, NotAllowed, Conflict("not_suspended"), also for accounts that their owners closed.
    """
    reason = _allowed(actor, action, reason)
    user = _person(user_id)
    _require_rank(actor, user)
    suspension = Suspension.objects.filter(user=user, live=True).first()
    if suspension is None or user.is_active:
        raise Conflict("not_suspended", "This account is not suspended.")
    suspension.live, suspension.lifted_at, suspension.lifted_by_id = None, clock.now(), actor.pk
    suspension.save(update_fields=["live", "lifted_at", "lifted_by"])
    user.is_active = True
    user.save(update_fields=["is_active"])
    audit.record(actor=actor, action=action, obj=user, reason=reason, before={"is_active": False}, after={"is_active": True})
    resumed = ports.suspension_lifted.all(user_id=user.pk, since=suspension.at, until=suspension.lifted_at)
    after = {"active": True, "resumed": resumed, **_case(case_id)}
    events.record(aggregate=user, kind="account.restore", actor_id=actor.pk, before={"active": False}, after=after, reason=reason)
    return suspension


def _require_rank(actor: User, user: User) -> None:
    """Who suspends or lets in staff arranges staff, too."""
    if user.is_staff:
        require_staff(actor, "groups_change")
    require(actor.is_superuser or not user.is_superuser, "superuser", "A superuser answers to superusers only.")


def _allowed(actor: User, action: str, reason: Any) -> str:
    if action not in ACTIONS:
        raise KeyError(action)
    require_staff(actor, action)
    checks = Checks()
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    return reason


def _case(case_id: int | None) -> dict[str, int]:
    return {} if case_id is None else {"case_id": case_id}


def _person(user_id: int) -> User:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound("person")
    return user
