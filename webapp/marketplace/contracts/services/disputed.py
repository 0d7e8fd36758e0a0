"""What a dispute does to a milestone. The dispute itself lives in its own app, which calls these inside its transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.core import clock
from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments import selectors as money
from marketplace.payments import services as payments

from .. import policies
from ..models import Contract, Milestone
from ..selectors import milestone_for, milestone_locked
from ..states import MILESTONE
from .ending import end_if_done
from .holds import request_ends
from .weeks import put_off_clocks


@unit_of_work
def milestone_freeze(*, actor: User, milestone_id: int, decide_by: datetime, reason: str) -> tuple[Milestone, Money]:
    """Stop the milestone for a dispute: no clock acts on it until it is thawed or resolved. Returns it with what it holds.

    An open refund request is over with it: the dispute decides about the money.
    """
    milestone_for(actor, milestone_id)
    contract, milestone = milestone_locked(milestone_id)
    now = clock.now()
    role = policies.role_in(contract, actor)
    if role in policies.SIDES:
        request_ends(contract, milestone, "supersede", role=role, actor_id=actor.pk, reason="The milestone is disputed.")
    milestone.disputed_from = milestone.state
    milestone.disputed_at = now
    milestone.decide_by = decide_by
    held = money.held_locked(milestone.pk, milestone.currency)
    move(
        milestone,
        MILESTONE,
        "dispute",
        role=role,
        actor_id=actor.pk,
        reason=reason[:500],
        also=["disputed_from", "disputed_at", "decide_by"],
        extra={"decide_by": decide_by.isoformat(), "amount_minor": held.minor, "currency": held.currency},
    )
    if contract.disputed_at is None:
        contract.disputed_at = now
        contract.save(update_fields=["disputed_at"])
    return milestone, held


@unit_of_work
def milestone_thaw(*, actor: User, milestone_id: int) -> Milestone:
    """Put the milestone back where it was before the dispute; a running auto-approval is put off by as long as it stood still."""
    milestone_for(actor, milestone_id)
    contract, milestone = milestone_locked(milestone_id)
    if milestone.auto_approve_at is not None and milestone.disputed_at is not None:
        # while the contract is paused, contract_resume counts from the pause on: no moment is counted twice
        stood_still_until = contract.paused_at or clock.now()
        milestone.auto_approve_at += max(timedelta(0), stood_still_until - milestone.disputed_at)
    if milestone.disputed_at is not None:
        put_off_clocks(contract, milestone.disputed_at, contract.paused_at or clock.now(), milestone)
    action = f"return_to_{milestone.disputed_from}"
    milestone.disputed_from, milestone.disputed_at, milestone.decide_by = "", None, None
    move(
        milestone,
        MILESTONE,
        action,
        role=policies.role_in(contract, actor),
        actor_id=actor.pk,
        also=["disputed_from", "disputed_at", "decide_by", "auto_approve_at"],
    )
    _lift_flag(contract)
    return milestone


@unit_of_work
def milestone_stage_ends(*, milestone: Milestone, decide_by: datetime) -> Milestone:
    """Carry the end of the dispute's present stage to the locked milestone, whose clocks the contract's page shows."""
    milestone.decide_by = decide_by
    milestone.save(update_fields=["decide_by"])
    return milestone


@unit_of_work
def milestone_resolve(
    *,
    actor: User | None,
    milestone_id: int,
    to_freelancer: Money,
    to_client: Money,
    reason: str,
    rule: str = "dispute_decision",
    on_behalf_of: int | None = None,
) -> Milestone:
    """Settle a disputed milestone: its held money is split exactly, and moves in this transaction.

    `actor` is the member of staff who decided; None when a rule settled it (`rule` names it: an agreement, silence, a decision that became
    final), `on_behalf_of` whose act fulfilled the rule. Raises InvalidInput("split_invalid") unless both parts are >= 0 and sum to what is held.
    """
    if actor is not None:
        milestone_for(actor, milestone_id)
        on_behalf_of = actor.pk
    contract, milestone = milestone_locked(milestone_id)
    held = money.held_locked(milestone.pk, milestone.currency)
    if to_freelancer.minor < 0 or to_client.minor < 0 or to_freelancer + to_client != held:
        message = f"The two parts must not be negative and must sum to the {held.minor} minor units ({held.currency}) that are held."
        fields = {"to_freelancer_minor": [message], "to_client_minor": [message]}
        raise InvalidInput("split_invalid", message, fields)
    now = clock.now()
    milestone.resolved_at = now
    milestone.disputed_at, milestone.decide_by, milestone.auto_approve_at = None, None, None
    if to_freelancer:
        milestone.clears_at = now + timedelta(days=settings.CLEARING_DAYS)
    move(
        milestone,
        MILESTONE,
        "resolve",
        role="system" if actor is None else policies.role_in(contract, actor),
        actor_id=on_behalf_of,
        reason=reason[:500],
        also=["resolved_at", "disputed_at", "decide_by", "auto_approve_at", "clears_at"],
        extra={"to_freelancer_minor": to_freelancer.minor, "to_client_minor": to_client.minor, "currency": held.currency},
    )
    payments.settle(
        contract_id=contract.pk,
        milestone_id=milestone.pk,
        payer_id=contract.client_id,
        payee_id=contract.freelancer_id,
        payee_currency=contract.payee_currency,
        to_payee=to_freelancer,
        to_payer=to_client,
        fee_schedule=contract.fee_schedule,
        actor_id=on_behalf_of,
        rule=rule,
        reason=reason[:500],
    )
    _lift_flag(contract)
    end_if_done(contract, actor_id=on_behalf_of)
    return milestone


def _lift_flag(contract: Contract) -> None:
    if not contract.milestones.filter(state="disputed").exists():
        contract.disputed_at = None
        contract.save(update_fields=["disputed_at"])
