"""What contracts do when they hear of facts below: a client's payment for a milestone came through."""

from __future__ import annotations

from marketplace.core.events import handler
from marketplace.core.models import Event
from marketplace.payments import services as payments

from . import services


@handler("payment.succeed", name="contracts.milestone_fund")
def milestone_fund(event: Event) -> None:
    """Fund the milestone that the payment was made for. Safe to run twice, and after the request itself has done it."""
    if event.after.get("purpose") == "milestone":
        services.milestone_take_payment(milestone_id=event.after["purpose_id"], payment_id=event.aggregate_id)


def _documents(event: Event) -> None:
    """The invoices of what was paid, a moment after it. Once each, however often it runs."""
    subject = {"contracts.milestone": "milestone", "contracts.bonus": "bonus"}[event.aggregate_type]
    payments.documents_of_subject(subject_type=subject, subject_id=event.aggregate_id)


for _kind in ("milestone.release", "milestone.approve_part", "milestone.resolve", "milestone.close", "bonus.give"):
    handler(_kind, name="contracts.documents")(_documents)
