"""What a decision does, through the services of the app that the thing belongs to, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.db import transaction

from marketplace.accounts import services as accounts
from marketplace.accounts.models import User
from marketplace.core import audit
from marketplace.core.errors import Conflict
from marketplace.jobs import services as jobs
from marketplace.payments import services as payments

from ..models import Case
from ..policies import MONEY
from .reviews import review_hide, review_restore


def do(act: str, case: Case, actor: User, reason: str) -> None:
    """Take the act. Raises what the service raises when the thing has moved on meanwhile: then nothing is decided either."""
    reason = reason[: audit.REASON_LENGTH]
    action = "moderation_second" if case.needs_second else "moderation_decide"
    if case.subject_type in MONEY:
        told = {"reason": reason, "action": action}
        decide = partial(payments.risk_decide, actor=actor, act=case.subject_type, subject_id=case.subject_id, allow=act == "allow", **told)
        if act == "suspend":
            _undone(decide)  # whoever is to be suspended is, also when the payout has left meanwhile
        else:
            decide()
    if act == "suspend":
        accounts.user_suspend(actor=actor, user_id=case.about_id, reason=reason, action=action, case_id=case.pk)
    elif act in ("hold", "remove") and case.subject_type == "job":
        (jobs.job_hold if act == "hold" else jobs.job_remove)(actor=actor, job_id=case.subject_id, reason=reason, case_id=case.pk)
    elif act in ("hold", "remove") and case.subject_type not in MONEY and not case.content_held:
        review_hide(actor=actor, review_id=case.subject_id, reason=reason, reply=case.subject_type == "reply")


def lift_hold(case: Case, actor: User | None, reason: str) -> str:
    """Put held content back, for a moderator or for the clock; empty, or why that was not possible any more."""
    reason = reason[: audit.REASON_LENGTH]
    if case.subject_type == "job":
        return _undone(lambda: jobs.job_clear(actor=actor, job_id=case.subject_id, reason=reason, case_id=case.pk))
    return _undone(lambda: review_restore(actor=actor, review_id=case.subject_id, reason=reason, reply=case.subject_type == "reply"))


def undo(case: Case, actor: User, reason: str) -> str:
    """Take an act back after an appeal; empty, or why that was not possible any more."""
    reason = reason[: audit.REASON_LENGTH]
    if case.subject_type in MONEY:
        payments.risk_undo(actor=actor, act=case.subject_type, subject_id=case.subject_id, reason=reason, action="moderation_decide")
    if case.act == "suspend":
        return _undone(
            lambda: accounts.user_restore(actor=actor, user_id=case.about_id, reason=reason, action="moderation_decide", case_id=case.pk)
        )
    if case.act == "remove" and case.subject_type == "job":
        return _undone(lambda: jobs.job_restore(actor=actor, job_id=case.subject_id, reason=reason, case_id=case.pk))
    if case.act == "remove" and case.subject_type not in MONEY:
        return lift_hold(case, actor, reason)
    return ""


def _undone(work: Callable[[], object]) -> str:
    """A thing that has moved on (a post its client closed, an account its owner closed) is left as it is, and the case says so."""
    try:
        with transaction.atomic():
            work()
    except Conflict as e:
        return e.code
    return ""
