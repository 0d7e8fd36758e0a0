"""Reports by people and flags by the system: both open or join the one undecided case on a thing."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from marketplace.accounts.models import User
from marketplace.accounts.services import user_locked
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, Unavailable
from marketplace.core.policies import require
from marketplace.core.transactions import unit_of_work

from ..models import Case, CheckedText, ReasonCode, Report
from ..subjects import REPORTABLE, Subject, subject, subject_for

MAX_TEXT = 2_000
#: what only a decision says
_DECIDED = (ReasonCode.NO_BREACH, ReasonCode.FRAUD)
REPORT_CODES = tuple(c for c in ReasonCode.values if c not in _DECIDED)


@unit_of_work
def report_file(*, actor: User, subject_type: str, subject_id: int, reason_code: str, text: str = "") -> Report:
    """Say that something the actor sees breaks the rules; a moderator will look. Once a person and thing, REPORTS_A_DAY in any 24 hours.

    Raises InvalidInput, NotFound, NotAllowed("report_own"), Conflict("report_exists"), Conflict("report_limit").
    """
    checks = Checks()
    checks.choice("subject_type", subject_type, REPORTABLE)
    checks.choice("reason_code", reason_code, REPORT_CODES)
    text = checks.text("text", text, longest=MAX_TEXT, shortest=1 if reason_code == ReasonCode.OTHER else 0)
    checks.raise_if_any()
    there = subject_for(actor, subject_type, subject_id)
    require(there.about_id != actor.pk, "report_own", "This is yours. Change it or take it back instead.")
    user_locked(actor.pk)  # reports of one person are counted one after the other
    now = clock.now()
    if Report.objects.filter(reporter=actor, subject_type=subject_type, subject_id=subject_id).exists():
        raise Conflict("report_exists", "You have reported this already. You will be told when it was looked at.")
    if Report.objects.filter(reporter=actor, at__gt=now - timedelta(days=1)).count() >= settings.REPORTS_A_DAY:
        raise Conflict("report_limit", f"You can report {settings.REPORTS_A_DAY} things a day. Try again tomorrow, or write to support.")
    case = _live_case(there)
    report = Report.objects.create(
        case=case, reporter=actor, subject_type=subject_type, subject_id=subject_id, reason_code=reason_code, text=text, at=now
    )
    said = {"case_id": case.pk, "subject_type": subject_type, "subject_id": subject_id, "reason_code": reason_code}
    events.record(aggregate=report, kind="report.file", actor_id=actor.pk, after=said)
    return report


def case_flag(*, there: Subject, checked: QuerySet[CheckedText]) -> Case:
    """In the caller's transaction: warnings that were ignored become a case on the newest of what was sent."""
    case = _live_case(there)
    checked.update(case=case)
    return case


@unit_of_work
def case_open_risk(*, act: str, subject_id: int) -> Case:
    """A velocity rule holds a payout, or somebody's payments: a moderator looks. Several rules on the same thing are one case."""
    return _live_case(subject(act, subject_id))


def _live_case(there: Subject) -> Case:
    """The undecided case on the thing, locked; a new one when there is none."""
    for _ in range(3):
        case = Case.objects.select_for_update().filter(live_key=there.key).first()
        if case is not None:
            return case
        now = clock.now()
        try:
            with transaction.atomic():
                case = Case.objects.create(
                    subject_type=there.type,
                    subject_id=there.id,
                    live_key=there.key,
                    about_id=there.about_id,
                    opened_at=now,
                    decide_by=now + timedelta(days=settings.MODERATION_DECISION_DAYS),
                )
        except IntegrityError:
            continue  # somebody else opened it in this moment
        said = {"subject_type": there.type, "subject_id": there.id, "state": case.state}
        events.record(aggregate=case, kind="moderation.flag", actor_id=None, after=said)
        return case
    raise Unavailable("busy", "Too many people report this at once. Please try again.")
