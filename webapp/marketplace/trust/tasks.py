"""The clocks of reviews and of moderation."""

from __future__ import annotations

from celery import shared_task

from marketplace.core import clock
from marketplace.core.tasks import each_due

from . import case_reading, selectors, services


@shared_task(ignore_result=True, time_limit=300)
def open_due() -> int:
    """Open the reviews of contracts whose window has shut; returns how many were opened here."""
    return each_due(selectors.due_contract_ids(clock.now()), lambda pk: services.reviews_open(contract_id=pk), "review_open")


@shared_task(ignore_result=True, time_limit=300)
def advance_due() -> int:
    """End the claims, holds and proposals whose time is over, and tell of late decisions; returns how many cases moved."""
    return each_due(case_reading.due_case_ids(clock.now()), lambda pk: services.case_advance(case_id=pk), "case_advance")
