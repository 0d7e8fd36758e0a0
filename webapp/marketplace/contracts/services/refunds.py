"""Partial approval, and the client's requests for held money. docs/adr/0010-held-money.md says why it runs so.

Held money moves only when both sides stand behind it: what is released was handed in by the freelancer and approved by the client; what goes
back to the wallet or on to the next milestone was asked for by the client and agreed to by the freelancer, or by their silence.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments import selectors as money
from marketplace.payments import services as payments

from .. import policies
from ..hours_selectors import is_week
from ..models import Contract, Milestone, PartRelease, RefundRequest
from ..rest import held_until, next_for
from ..selectors import milestone_for, milestone_locked, refund_request_for
from ..states import FUNDED_STATES, MILESTONE, REFUND_REQUEST
from .ending import end_if_done, moves_anything
from .holds import empty_to_wallet, request_ends

MAX_TEXT = 10_000


def _reason(value: object, field: str = "reason", *, shortest: int = 1) -> str:
    checks = Checks()
    text = checks.text(field, value, longest=MAX_TEXT, shortest=shortest)
    checks.raise_if_any()
    return text


@unit_of_work
def milestone_approve_part(*, actor: User, milestone_id: int, amount_minor: int, rest: str, reason: str) -> Milestone:
    """The client pays a part of what is held for handed-in work, and says where the rest shall go: "wallet" or "next".

    The part is released at once: the submission and this approval stand behind it. The rest stays held; the freelancer is asked, and has
    REFUND_ANSWER_DAYS. Raises NotFound, NotAllowed, Conflict outside review, with a request open, or when no next milestone can take it;
    InvalidInput unless 0 < amount_minor < what is held.
    """
    milestone_for(actor, milestone_id)
    reason = _reason(reason)
    contract, milestone = milestone_locked(milestone_id)
    policies.require_role(contract, actor, "client", "milestone_approve_part")
    if rest not in RefundRequest.To.values:
        raise InvalidInput("rest_invalid", "Say where the rest shall go.", {"rest": ["Use wallet or next."]})
    if milestone.state != "submitted":
        raise Conflict(
            "milestone_approve_part_impossible",
            f"This milestone is {milestone.state.replace('_', ' ')}: only work that was handed in is approved in part.",
        )
    _can_be_asked(milestone)
    held = money.held_locked(milestone.pk, milestone.currency)
    if type(amount_minor) is not int or not 0 < amount_minor < held.minor:
        message = f"Approve a part: a whole number from 1 to {held.minor - 1} of the {held.minor} minor units that are held."
        raise InvalidInput("amount_invalid", message, {"amount_minor": [message]})
    if rest == RefundRequest.To.NEXT:
        _next_for(milestone)
    part, left = Money(amount_minor, milestone.currency), held - Money(amount_minor, milestone.currency)
    _release_part(contract, milestone, part, actor)
    _open(contract, milestone, left, to=rest, reason=reason, actor=actor)
    return milestone


def _release_part(contract: Contract, milestone: Milestone, gross: Money, actor: User) -> PartRelease:
    now = clock.now()
    paid = PartRelease.objects.create(
        milestone=milestone,
        part=milestone.part_releases.count() + 2,
        gross_minor=gross.minor,
        currency=gross.currency,
        released_at=now,
        clears_at=now + timedelta(days=settings.CLEARING_DAYS),
    )
    amounts = {"amount_minor": gross.minor, "currency": gross.currency, "clears_at": paid.clears_at.isoformat()}
    move(milestone, MILESTONE, "approve_part", role="client", actor_id=actor.pk, extra=amounts)
    payments.release(
        contract_id=contract.pk,
        milestone_id=milestone.pk,
        payee_id=contract.freelancer_id,
        gross=gross,
        payee_currency=contract.payee_currency,
        fee_schedule=contract.fee_schedule,
        actor_id=actor.pk,
        rule="client_approval_part",
        part=paid.part,
    )
    return paid


@unit_of_work
def part_clear(*, part_id: int) -> bool:
    """Make a part's money available once it has waited CLEARING_DAYS; says whether it did here. Once only."""
    milestone_id = PartRelease.objects.values_list("milestone_id", flat=True).get(pk=part_id)
    contract, milestone = milestone_locked(milestone_id)
    paid, now = PartRelease.objects.get(pk=part_id), clock.now()
    if paid.cleared_at is not None or paid.clears_at > now:
        return False
    moved = moves_anything(
        lambda: payments.clear_part(contract_id=contract.pk, milestone_id=milestone.pk, part=paid.part, payee_id=contract.freelancer_id)
    )
    paid.cleared_at = now
    paid.save(update_fields=["cleared_at"])
    if not moved:
        return False
    told = {"cleared_at": now.isoformat(), "amount_minor": paid.gross_minor, "currency": paid.currency}
    events.record(aggregate=milestone, kind="milestone.clear_part", actor_id=None, after=told)
    return True


@unit_of_work
def refund_request_open(*, actor: User, milestone_id: int, reason: str, amount_minor: int | None = None) -> RefundRequest:
    """The client asks for the held money back, all of it or `amount_minor`. Silence approves nothing while the request is open; the
    freelancer's silence until `answer_by` gives the money back.

    Raises NotFound, NotAllowed, Conflict when nothing is held, the milestone is disputed, or one is open, InvalidInput.
    """
    milestone_for(actor, milestone_id)
    reason = _reason(reason)
    contract, milestone = milestone_locked(milestone_id)
    policies.require_role(contract, actor, "client", "refund_request")
    if milestone.state not in FUNDED_STATES:
        raise Conflict(
            "refund_request_impossible",
            f"This milestone is {milestone.state.replace('_', ' ')}: only undisputed money that is held can be asked back.",
        )
    _can_be_asked(milestone)
    held = money.held_locked(milestone.pk, milestone.currency)
    wanted = held.minor if amount_minor is None else amount_minor
    if type(wanted) is not int or not 0 < wanted <= held.minor:
        message = f"Ask for a whole number from 1 to the {held.minor} minor units that are held, or leave it out for all of it."
        raise InvalidInput("amount_invalid", message, {"amount_minor": [message]})
    return _open(contract, milestone, Money(wanted, milestone.currency), to=RefundRequest.To.WALLET, reason=reason, actor=actor)


def ask_back_everything(contract: Contract, actor: User, reason: str) -> int:
    """Open a request for each undisputed hold of the locked contract that has none; returns how many. For the client who ends the contract."""
    asked = 0
    for milestone in contract.milestones.filter(state__in=FUNDED_STATES, refund_asked_at=None, timesheet__isnull=True).order_by("position"):
        milestone.contract = contract
        held = money.held_locked(milestone.pk, milestone.currency)
        _open(contract, milestone, held, to=RefundRequest.To.WALLET, reason=reason, actor=actor, ends_contract=True)
        asked += 1
    return asked


def _can_be_asked(milestone: Milestone) -> None:
    if is_week(milestone.pk):
        raise Conflict("milestone_is_a_week", "This milestone holds a week of hours: question its timesheet or dispute it instead.")
    if milestone.refund_asked_at is not None:
        raise Conflict("refund_request_open", "A refund request is open on this milestone: wait for its answer or withdraw it first.")


def _open(
    contract: Contract, milestone: Milestone, amount: Money, *, to: str, reason: str, actor: User, ends_contract: bool = False
) -> RefundRequest:
    now = clock.now()
    since = milestone.submitted_at or milestone.funded_at or now
    if milestone.refund_requests.filter(asked_at__gte=since).count() >= settings.REFUND_REQUESTS_PER_VERSION:
        raise Conflict(
            "refund_requests_spent",
            f"You asked {settings.REFUND_REQUESTS_PER_VERSION} times since this work was handed in or funded: approve it or open a dispute.",
        )
    request = RefundRequest.objects.create(
        milestone=milestone,
        live_key=str(milestone.pk),
        to=to,
        amount_minor=amount.minor,
        currency=amount.currency,
        reason=reason,
        ends_contract=ends_contract,
        asked_at=now,
        answer_by=now + timedelta(days=settings.REFUND_ANSWER_DAYS),
    )
    milestone.refund_asked_at = now
    milestone.save(update_fields=["refund_asked_at"])
    events.record(
        aggregate=request,
        kind="refund_request.open" if to == RefundRequest.To.WALLET else "refund_request.open_roll",
        actor_id=actor.pk,
        after={
            "state": request.state,
            "milestone_id": milestone.pk,
            "amount_minor": amount.minor,
            "currency": amount.currency,
            "answer_by": request.answer_by.isoformat(),
        },
        reason=reason[:500],
    )
    return request


def _entered(actor: User, request_id: int, role: str, action: str) -> tuple[Contract, Milestone, RefundRequest]:
    """The request, re-read after its contract was locked. Raises NotFound, NotAllowed, Conflict unless it is open."""
    seen = refund_request_for(actor, request_id)
    contract, milestone = milestone_locked(seen.milestone_id)
    policies.require_role(contract, actor, role, f"refund_request_{action}")
    request = RefundRequest.objects.get(pk=request_id)
    if (request.state, action) not in REFUND_REQUEST.transitions:
        raise Conflict(f"refund_request_{action}_impossible", f"This refund request is {request.state} already.")
    return contract, milestone, request


@unit_of_work
def refund_request_accept(*, actor: User, request_id: int) -> RefundRequest:
    """The freelancer agrees: the money moves in the same transaction. Raises Conflict when the next milestone cannot take it (any more)."""
    contract, milestone, request = _entered(actor, request_id, "freelancer", "accept")
    return _carry_out(contract, milestone, request, "accept", role="freelancer", actor_id=actor.pk, rule="freelancer_agrees")


@unit_of_work
def refund_request_refuse(*, actor: User, request_id: int, answer: str) -> RefundRequest:
    """The freelancer refuses: the money stays held. Either side may now dispute the milestone; an auto-approval that stood still goes on where
    it stood, but no sooner than REFUND_ANSWER_DAYS from now, so that the client has time for that.
    """
    answer = _reason(answer, "answer")
    contract, milestone, request = _entered(actor, request_id, "freelancer", "refuse")
    request_ends(
        contract,
        milestone,
        "refuse",
        role="freelancer",
        actor_id=actor.pk,
        answer=answer,
        reason=answer,
        at_least=timedelta(days=settings.REFUND_ANSWER_DAYS),
    )
    request.refresh_from_db()
    return request


@unit_of_work
def refund_request_withdraw(*, actor: User, request_id: int) -> RefundRequest:
    """The client takes the request back; an auto-approval that stood still goes on where it stood."""
    contract, milestone, request = _entered(actor, request_id, "client", "withdraw")
    request_ends(contract, milestone, "withdraw", role="client", actor_id=actor.pk)
    request.refresh_from_db()
    return request


@unit_of_work
def refund_request_expire(*, request_id: int) -> bool:
    """Silence agrees once `answer_by` has passed; says whether the request ended here. Decides under lock, and never in a pause.

    When the next milestone cannot take the money any more, the request lapses and the money stays where it is.
    """
    milestone_id = RefundRequest.objects.values_list("milestone_id", flat=True).get(pk=request_id)
    contract, milestone = milestone_locked(milestone_id)
    request = RefundRequest.objects.get(pk=request_id)
    if request.state != "open" or request.answer_by > clock.now() or contract.paused_at is not None:
        return False
    if request.to == RefundRequest.To.NEXT:
        try:
            _next_for(milestone)
        except Conflict as e:
            grace = timedelta(days=settings.REFUND_ANSWER_DAYS)
            request_ends(contract, milestone, "lapse", role="system", actor_id=None, reason=e.message, at_least=grace)
            return True
    rule = f"refund_silence_{settings.REFUND_ANSWER_DAYS}d"
    _carry_out(contract, milestone, request, "grant", role="system", actor_id=None, rule=rule)
    return True


@unit_of_work
def refund_request_remind(*, request_id: int) -> bool:
    """Tell the freelancer within REMIND_HOURS of the end that silence moves money; says whether it did here. Once for each end."""
    milestone_id = RefundRequest.objects.values_list("milestone_id", flat=True).get(pk=request_id)
    contract, _ = milestone_locked(milestone_id)
    request, now = RefundRequest.objects.get(pk=request_id), clock.now()
    soon = now < request.answer_by <= now + timedelta(hours=settings.REMIND_HOURS)
    if request.state != "open" or not soon or contract.paused_at is not None or request.reminded_for == request.answer_by:
        return False
    request.reminded_for = request.answer_by
    request.save(update_fields=["reminded_for"])
    events.record(aggregate=request, kind="refund_request.remind", actor_id=None, after={"answer_by": request.answer_by.isoformat()})
    return True


def _carry_out(
    contract: Contract, milestone: Milestone, request: RefundRequest, action: str, *, role: str, actor_id: int | None, rule: str
) -> RefundRequest:
    amount, held = Money(request.amount_minor, request.currency), money.held_locked(milestone.pk, milestone.currency)
    target = _next_for(milestone) if request.to == RefundRequest.To.NEXT else None
    request_ends(contract, milestone, action, role=role, actor_id=actor_id)
    common: dict[str, Any] = {"contract_id": contract.pk, "milestone_id": milestone.pk, "payer_id": contract.client_id, "amount": amount,
              "actor_id": actor_id, "rule": rule, "reason": request.reason[:500], "fee_schedule": contract.fee_schedule}  # fmt: skip
    if target is not None:
        payments.roll(to_milestone_id=target.pk, **common)
        _closed_by_roll(contract, milestone, target, amount, role=role, actor_id=actor_id)
    elif amount == held:
        empty_to_wallet(contract, milestone, role=role, actor_id=actor_id, rule=rule, reason=request.reason)
    else:
        payments.refund(part=f"request-{request.pk}", **common)
        milestone.amount_minor -= amount.minor
        milestone.save(update_fields=["amount_minor"])
        told = {"amount_minor": amount.minor, "currency": amount.currency, "held_minor": (held - amount).minor}
        events.record(aggregate=milestone, kind="milestone.refund_part", actor_id=actor_id, after=told, reason=request.reason[:500])
    request.refresh_from_db()
    return request


def _closed_by_roll(contract: Contract, milestone: Milestone, target: Milestone, amount: Money, *, role: str, actor_id: int | None) -> None:
    """The milestone is over with what was paid of it; the next one is worth the rest more, and holds it as old as it was."""
    milestone.released_at, milestone.auto_approve_at = clock.now(), None
    milestone.amount_minor -= amount.minor
    extra = {"amount_minor": amount.minor, "currency": amount.currency, "to_milestone_id": target.pk}
    move(milestone, MILESTONE, "close", role=role, actor_id=actor_id, also=["released_at", "auto_approve_at", "amount_minor"], extra=extra)
    began = [t for t in (milestone.hold_began_at, target.hold_began_at) if t is not None]
    before, target.held_since = target.hold_began_at, min(began)
    if before is None or target.held_since < before:
        target.hold_warnings = 0  # they told of a later end
    target.amount_minor += amount.minor
    target.save(update_fields=["held_since", "hold_warnings", "amount_minor"])
    ends = held_until(target)
    assert ends is not None
    took = {
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "from_milestone_id": milestone.pk,
        "held_since": target.held_since.isoformat(),
        "ends_at": ends.isoformat(),
    }
    why = f"All that is held for it can be held until {ends:%Y-%m-%d %H:%M} UTC."
    events.record(aggregate=target, kind="milestone.take_rest", actor_id=actor_id, after=took, reason=why)
    end_if_done(contract, actor_id=actor_id)


def _next_for(milestone: Milestone) -> Milestone:
    """The next milestone of the locked contract, which takes the rest. Raises Conflict saying what is in the way."""
    later = Milestone.objects.filter(contract=milestone.contract_id, position__gt=milestone.position)
    return next_for(milestone, later, clock.now())
