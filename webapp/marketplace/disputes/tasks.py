"""The clocks of disputes."""

from __future__ import annotations

from celery import shared_task

from marketplace.core import clock
from marketplace.core.tasks import each_due

from . import selectors, services


@shared_task(ignore_result=True, time_limit=300)
def advance_due() -> int:
    """End the stages whose time is over; returns how many disputes moved. One dispute takes one step a sweep: the next stage has its own time."""
    return each_due(selectors.due_ids(clock.now()), lambda pk: services.dispute_advance(dispute_id=pk), "dispute_advance")
