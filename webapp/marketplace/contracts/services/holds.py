"""What empties a hold other than an approval, and the age that no hold may pass. Callers hold the contract's lock."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from marketplace.core import clock, events
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments import selectors as money
from marketplace.payments import services as payments

from ..models import Contract, Milestone, RefundRequest
from ..selectors import milestone_locked
from ..states import FUNDED_STATES, MILESTONE, REFUND_REQUEST
from .ending import end_if_done


def clock_goes_on(contract: Contract, milestone: Milestone, at_least: timedelta = timedelta(0)) -> None:
    """Put a running auto-approval off by as long as the refund request stood in its way, and to no sooner than `at_least` from now.

    While the contract is paused contract_resume counts from the pause on: no moment is counted twice. The caller saves the milestone.
    """
    since, milestone.refund_asked_at = milestone.refund_asked_at, None
    if milestone.auto_approve_at is None or since is None:
        return
    until = contract.paused_at or clock.now()
    milestone.auto_approve_at = max(milestone.auto_approve_at + max(timedelta(0), until - since), until + at_least)


def request_ends(
    contract: Contract,
    milestone: Milestone,
    action: str,
    *,
    role: str,
    actor_id: int | None,
    answer: str = "",
    reason: str = "",
    at_least: timedelta = timedelta(0),
) -> RefundRequest | None:
    """End the milestone's open refund request, if there is one, by `action`; its clock goes on. The caller saves what it moves of the milestone
    beyond refund_asked_at and auto_approve_at.
    """
    if milestone.refund_asked_at is None:
        return None
    request = RefundRequest.objects.select_for_update().get(live_key=str(milestone.pk))
    request.live_key, request.closed_at, request.answer = None, clock.now(), answer
    request.milestone = milestone
    clock_goes_on(contract, milestone, at_least)
    milestone.save(update_fields=["refund_asked_at", "auto_approve_at"])
    move(
        request,
        REFUND_REQUEST,
        action,
        role=role,
        actor_id=actor_id,
        reason=reason[:500],
        also=["live_key", "closed_at", "answer"],
        extra={"milestone_id": milestone.pk, "amount_minor": request.amount_minor, "currency": request.currency, "to": request.to},
    )
    return request


def empty_to_wallet(contract: Contract, milestone: Milestone, *, role: str, actor_id: int | None, rule: str, reason: str) -> Money:
    """All that is held returns to the client's wallet and the milestone ends: refunded, or released when a part of it had been paid.

    Returns what went back. The contract ends when nothing else can happen on it.
    """
    paid = milestone.part_releases.exists()
    now = clock.now()
    milestone.auto_approve_at = milestone.refund_asked_at = None
    held = money.held_locked(milestone.pk, milestone.currency)
    if paid:  # its price is what was paid of it
        milestone.released_at, milestone.amount_minor = now, milestone.amount_minor - held.minor
    else:
        milestone.refunded_at = now
    move(
        milestone,
        MILESTONE,
        "close" if paid else "refund",
        role=role,
        actor_id=actor_id,
        reason=reason[:500],
        also=[*(["released_at", "amount_minor"] if paid else ["refunded_at"]), "auto_approve_at", "refund_asked_at"],
        extra={"amount_minor": held.minor, "currency": held.currency},
    )
    payments.refund(
        contract_id=contract.pk,
        milestone_id=milestone.pk,
        payer_id=contract.client_id,
        amount=held,
        actor_id=actor_id,
        rule=rule,
        reason=reason[:500],
        fee_schedule=contract.fee_schedule,
    )
    end_if_done(contract, actor_id=actor_id, reason=reason[:500])
    return held


@unit_of_work
def hold_limit(*, milestone_id: int) -> bool:
    """The clock's act on old holds; says whether anything was done here.

    At HOLD_ALARM_DAYS both sides are told, and once more a day before HOLD_LIMIT_DAYS; at the limit an undisputed hold returns to the wallet.
    A disputed one is decided in its dispute. Decides under lock: run twice, the second does nothing.
    """
    contract, milestone = milestone_locked(milestone_id)
    began, now = milestone.hold_began_at, clock.now()
    undisputed = milestone.state in FUNDED_STATES
    if began is None or not (undisputed or milestone.state == "disputed"):
        return False
    ends = began + timedelta(days=settings.HOLD_LIMIT_DAYS)
    if undisputed and now >= ends:
        why = f"The money was held for {settings.HOLD_LIMIT_DAYS} days, the longest it can be."
        request_ends(contract, milestone, "supersede", role="system", actor_id=None, reason=why)
        empty_to_wallet(contract, milestone, role="system", actor_id=None, rule=f"hold_limit_{settings.HOLD_LIMIT_DAYS}d", reason=why)
        return True
    if milestone.hold_warnings == 0 and now >= began + timedelta(days=settings.HOLD_ALARM_DAYS):
        kind = "milestone.hold_alarm" if undisputed else "milestone.hold_alarm_disputed"
    elif milestone.hold_warnings == 1 and undisputed and now >= ends - timedelta(days=1):
        kind = "milestone.hold_reminder"
    else:
        return False
    milestone.hold_warnings += 1
    milestone.save(update_fields=["hold_warnings"])
    told = {"held_since": began.isoformat(), "ends_at": ends.isoformat()}
    events.record(aggregate=milestone, kind=kind, actor_id=None, after=told)
    return True
