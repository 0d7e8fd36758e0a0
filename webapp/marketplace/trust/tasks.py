"""The clocks of reviews and of moderation."""

from __future__ import annotations

import structlog
from celery import shared_task

from marketplace.core import clock

from . import case_reading, selectors, services

log = structlog.get_logger(__name__)


@shared_task(ignore_result=True, time_limit=300)
def open_due() -> int:
    """Open the reviews of contracts whose window has shut; returns how many were opened here."""
    opened = 0
    for contract_id in selectors.due_contract_ids(clock.now()):
        try:
            opened += services.reviews_open(contract_id=contract_id)
        except Exception:  # one contract's fault must not stop the others; the next sweep tries again
            log.exception("review_open_failed", contract=contract_id)
    return opened


@shared_task(ignore_result=True, time_limit=300)
def advance_due() -> int:
    """End the claims, holds and proposals whose time is over, and tell of late decisions; returns how many cases moved."""
    moved = 0
    for case_id in case_reading.due_case_ids(clock.now()):
        try:
            moved += services.case_advance(case_id=case_id)
        except Exception:  # one case's fault must not stop the others; the next sweep tries again
            log.exception("case_advance_failed", case=case_id)
    return moved
