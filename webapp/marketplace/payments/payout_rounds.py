"""The payouts of schedules: at its time the available balance is asked for, once a round."""

from __future__ import annotations

from django.db import transaction

from marketplace.core import clock, events, features
from marketplace.core.errors import DomainError
from marketplace.core.money import Money
from marketplace.core.transactions import unit_of_work

from . import payout_methods
from .models import AccountBalance, PayoutSchedule
from .payouts import payout_request
from .providers import gateway


@unit_of_work
def payout_schedule_run(*, schedule_id: int) -> bool:
    """The clock's act: ask for the payout of a round, or say what kept it, and set the next one. Run twice, the second does nothing.

    While PAYOUTS_OPEN is off, or the person suspended, the round waits. A round that a day's outage missed is made up for once.
    """
    row = payout_methods.schedule_locked(schedule_id)
    if row is None or not features.on("PAYOUTS_OPEN"):
        return False
    result = _request(row)
    row.last_at, row.last_result = clock.now(), result
    row.next_at = payout_methods.next_round(row.pace, row.last_at)
    row.save(update_fields=["last_at", "last_result", "next_at"])
    if result not in ("requested", "nothing"):
        told = {"currency": row.currency, "user_id": row.user_id}
        events.record(aggregate=row, kind="payout_schedule.skip", actor_id=None, after=told, reason=result)
    return True


def _request(row: PayoutSchedule) -> str:
    """The code of what came of it."""
    mine = {"account__user": row.user_id, "account__kind": "available", "account__currency": row.currency}
    available = AccountBalance.objects.filter(**mine).values_list("available", flat=True).first() or 0
    if available == 0:
        return "nothing"
    if available < row.least_minor:
        return "too_little"
    if row.method is None or row.method.removed_at is not None:
        return "payout_method_missing"
    key = f"schedule:{row.pk}:{row.next_at:%Y%m%d%H}"
    try:
        with transaction.atomic():
            # what is finer than the gateway's steps, or more than it moves at once, waits for the next round
            amount = gateway(row.method.provider).movable(Money(available, row.currency), purpose="payout")
            if amount.minor == 0:
                return "payout_below_minimum"
            payout_request(actor=row.user, amount=amount, method=row.method.details, idempotency_key=key, provider=row.method.provider)
    except DomainError as e:
        return e.code[:64]
    return "requested"
