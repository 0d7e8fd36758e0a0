"""The contract's clocks. Beat asks what is due; each milestone is decided on its own, under lock, so that a fault stops only one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog
from celery import shared_task

from marketplace.core import clock

from . import hours_selectors, selectors, services

log = structlog.get_logger(__name__)


def _each(ids: Iterable[int], act: Callable[..., bool], name: str, of: str = "milestone_id") -> int:
    done = 0
    for pk in ids:
        try:
            done += act(**{of: pk})
        except Exception:  # one object's fault must not stop the clocks of all others; the next sweep tries again
            log.exception(name, **{of: pk})
    return done


@shared_task(ignore_result=True, time_limit=300)
def auto_approve_due() -> int:
    """Approve what silence has approved; returns how many milestones were released here."""
    return _each(selectors.auto_approval_due_ids(clock.now()), services.milestone_auto_approve, "auto_approve_failed")


@shared_task(ignore_result=True, time_limit=300)
def clear_due() -> int:
    """Make money available that has waited its days; returns how many milestones were cleared here."""
    return _each(selectors.clearing_due_ids(clock.now()), services.milestone_clear, "clearing_failed")


@shared_task(ignore_result=True, time_limit=300)
def open_weeks_due() -> int:
    """Open the weeks of hourly contracts; returns on how many contracts a week began here."""
    return _each(hours_selectors.weeks_due_ids(clock.now()), services.weeks_open, "weeks_open_failed", "contract_id")


@shared_task(ignore_result=True, time_limit=300)
def close_weeks_due() -> int:
    """Submit what was logged of the weeks that are over; returns how many were closed here."""
    return _each(hours_selectors.closing_due_ids(clock.now()), services.week_close, "week_close_failed", "timesheet_id")


@shared_task(ignore_result=True, time_limit=300)
def grant_questions_due() -> int:
    """Grant the questions that nobody answered; returns how many were granted here."""
    return _each(hours_selectors.unanswered_due_ids(clock.now()), services.questions_grant, "questions_grant_failed", "timesheet_id")


@shared_task(ignore_result=True, time_limit=300)
def expire_offers_due() -> int:
    """End offers that nobody answered in time; returns how many ended here."""
    return _each(selectors.offers_due_ids(clock.now()), services.offer_expire, "offer_expiry_failed", "contract_id")
