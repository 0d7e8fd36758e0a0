"""The clocks of disputes."""

from __future__ import annotations

import structlog
from celery import shared_task

from marketplace.core import clock

from . import selectors, services

log = structlog.get_logger(__name__)


@shared_task(ignore_result=True, time_limit=300)
def advance_due() -> int:
    """End the stages whose time is over; returns how many disputes moved. One dispute takes one step a sweep: the next stage has its own time."""
    moved = 0
    for dispute_id in selectors.due_ids(clock.now()):
        try:
            moved += services.dispute_advance(dispute_id=dispute_id)
        except Exception:  # one dispute's fault must not stop the others; the next sweep tries again
            log.exception("dispute_advance_failed", dispute=dispute_id)
    return moved
