"""What journeys of disputes share: what is held, and the way through the stages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from marketplace.core import clock
from marketplace.disputes import tasks
from marketplace.disputes.models import Dispute

HELD = 40_000


def walk(dispute: Dispute, days: Callable[[float], Any], *stages: str) -> None:
    """Let the clock end stage after stage; each name is where it leads."""
    for stage in stages:
        dispute.refresh_from_db()
        days((dispute.decide_by - clock.now()) / timedelta(days=1) + 0.001)
        assert tasks.advance_due() == 1
        dispute.refresh_from_db()
        assert dispute.state == stage
