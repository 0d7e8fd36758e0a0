"""What contracts do when they hear of facts below: a client's payment for a milestone came through."""

from __future__ import annotations

from marketplace.core.events import handler
from marketplace.core.models import Event

from . import services


@handler("payment.succeed", name="contracts.milestone_fund")
def milestone_fund(event: Event) -> None:
    """Fund the milestone that the payment was made for. Safe to run twice, and after the request itself has done it."""
    if event.after.get("purpose") == "milestone":
        services.milestone_take_payment(milestone_id=event.after["purpose_id"], payment_id=event.aggregate_id)
