"""The contract's clocks. Beat asks what is due; each milestone is decided on its own, under lock, so that a fault stops only one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog
from celery import shared_task

from marketplace.core import clock

from . import selectors, services

log = structlog.get_logger(__name__)


def _each(ids: Iterable[int], act: Callable[..., bool], name: str) -> int:
    done = 0
    for milestone_id in ids:
        try:
            done += act(milestone_id=milestone_id)
        except Exception:  # one milestone's fault must not stop the clocks of all others; the next sweep tries again
            log.exception(name, milestone=milestone_id)
    return done


@shared_task(ignore_result=True, time_limit=300)
def auto_approve_due() -> int:
    """Approve what silence has approved; returns how many milestones were released here."""
    return _each(selectors.auto_approval_due_ids(clock.now()), services.milestone_auto_approve, "auto_approve_failed")


@shared_task(ignore_result=True, time_limit=300)
def clear_due() -> int:
    """Make money available that has waited its days; returns how many milestones were cleared here."""
    return _each(selectors.clearing_due_ids(clock.now()), services.milestone_clear, "clearing_failed")
