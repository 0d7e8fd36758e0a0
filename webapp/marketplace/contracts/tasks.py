"""The contract's clocks. Beat asks what is due; each row is decided on its own, under lock, so that a fault stops only one."""

from __future__ import annotations

from celery import shared_task

from marketplace.core import clock
from marketplace.core.tasks import each_due

from . import hours_selectors, selectors, services


@shared_task(ignore_result=True, time_limit=300)
def auto_approve_due() -> int:
    """Approve what silence has approved; returns how many milestones were released here."""
    due = selectors.auto_approval_due_ids(clock.now())
    return each_due(due, lambda pk: services.milestone_auto_approve(milestone_id=pk), "auto_approve")


@shared_task(ignore_result=True, time_limit=300)
def clear_due() -> int:
    """Make money available that has waited its days; returns how many milestones, parts of milestones and bonuses were cleared here."""
    now = clock.now()
    return (
        each_due(selectors.part_clearing_due_ids(now), lambda pk: services.part_clear(part_id=pk), "part_clearing")
        + each_due(selectors.clearing_due_ids(now), lambda pk: services.milestone_clear(milestone_id=pk), "clearing")
        + each_due(selectors.bonus_clearing_due_ids(now), lambda pk: services.bonus_clear(bonus_id=pk), "bonus_clearing")
    )


@shared_task(ignore_result=True, time_limit=300)
def grant_refunds_due() -> int:
    """Do what unanswered refund requests ask for; returns how many were ended here."""
    due = selectors.refund_requests_due_ids(clock.now())
    return each_due(due, lambda pk: services.refund_request_expire(request_id=pk), "refund_grant")


@shared_task(ignore_result=True, time_limit=300)
def remind_due() -> int:
    """Tell people a day before their silence moves money; returns how many were told here."""
    now = clock.now()
    return each_due(
        selectors.approval_reminder_ids(now), lambda pk: services.milestone_remind(milestone_id=pk), "approval_reminder"
    ) + each_due(selectors.refund_reminder_ids(now), lambda pk: services.refund_request_remind(request_id=pk), "refund_reminder")


@shared_task(ignore_result=True, time_limit=300)
def limit_holds() -> int:
    """Tell of old holds, and return undisputed ones to the wallet at their limit; returns how many acts were done here."""
    return each_due(selectors.old_hold_ids(clock.now()), lambda pk: services.hold_limit(milestone_id=pk), "hold_limit")


@shared_task(ignore_result=True, time_limit=300)
def open_weeks_due() -> int:
    """Open the weeks of hourly contracts; returns on how many contracts a week began here."""
    return each_due(hours_selectors.weeks_due_ids(clock.now()), lambda pk: services.weeks_open(contract_id=pk), "weeks_open")


@shared_task(ignore_result=True, time_limit=300)
def close_weeks_due() -> int:
    """Submit what was logged of the weeks that are over; returns how many were closed here."""
    return each_due(hours_selectors.closing_due_ids(clock.now()), lambda pk: services.week_close(timesheet_id=pk), "week_close")


@shared_task(ignore_result=True, time_limit=300)
def grant_questions_due() -> int:
    """Grant the questions that nobody answered; returns how many were granted here."""
    return each_due(
        hours_selectors.unanswered_due_ids(clock.now()), lambda pk: services.questions_grant(timesheet_id=pk), "questions_grant"
    )


@shared_task(ignore_result=True, time_limit=300)
def expire_offers_due() -> int:
    """End offers that nobody answered in time; returns how many ended here."""
    return each_due(selectors.offers_due_ids(clock.now()), lambda pk: services.offer_expire(contract_id=pk), "offer_expiry")
