"""The work of a milestone: start, submit, ask for changes, approve, and the clocks that act on silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.files import attach
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments import selectors as money
from marketplace.payments import services as payments

from .. import policies
from ..hours_selectors import is_week
from ..models import Contract, Milestone, Submission
from ..selectors import milestone_for, milestone_locked
from ..states import FUNDED_STATES, MILESTONE
from .ending import end_if_done, moves_anything
from .holds import empty_to_wallet, request_ends

MAX_TEXT = 10_000
MAX_ITEM_TEXT = 2_000


def _text(value: str, field: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= MAX_TEXT:
        message = f"Write 1 to {MAX_TEXT} characters."
        raise InvalidInput("text_invalid", message, {field: [message]})
    return text


def _not_a_week(milestone: Milestone) -> None:
    if is_week(milestone.pk):
        raise Conflict("milestone_is_a_week", "This milestone holds a week of hours: submit, question and answer its timesheet instead.")


@unit_of_work
def milestone_start(*, actor: User, milestone_id: int) -> Milestone:
    """The freelancer begins a funded milestone."""
    milestone_for(actor, milestone_id)
    contract, milestone = milestone_locked(milestone_id)
    milestone.started_at = clock.now()
    move(milestone, MILESTONE, "start", role=policies.role_in(contract, actor), actor_id=actor.pk, also=["started_at"])
    return milestone


@unit_of_work
def milestone_submit(*, actor: User, milestone_id: int, note: str, file_ids: Sequence[int] = ()) -> Milestone:
    """The freelancer confirms that the work is done: a new version with its files, and the clock of silence starts (AUTO_APPROVE_DAYS).

    Work that is handed in answers an open refund request: it is refused by it, and the client reviews the work.
    """
    milestone_for(actor, milestone_id)
    note = _text(note, "note")
    contract, milestone = milestone_locked(milestone_id)
    _not_a_week(milestone)
    now = clock.now()
    version = milestone.submissions.count() + 1
    role = policies.role_in(contract, actor)
    if role == "freelancer" and (milestone.state, "submit") in MILESTONE.transitions:
        request_ends(contract, milestone, "refuse", role=role, actor_id=actor.pk, reason="The work was handed in.")
    milestone.submitted_at = now
    milestone.auto_approve_at = now + timedelta(days=settings.AUTO_APPROVE_DAYS)
    move(
        milestone,
        MILESTONE,
        "submit",
        role=role,
        actor_id=actor.pk,
        also=["submitted_at", "auto_approve_at"],
        extra={"version": version, "auto_approve_at": milestone.auto_approve_at.isoformat()},
    )
    submission = Submission.objects.create(milestone=milestone, version=version, note=note, submitted_at=now)
    attach(actor=actor, file_ids=file_ids, to=submission)
    return milestone


@unit_of_work
def milestone_request_changes(
    *, actor: User, milestone_id: int, text: str, unmet: Sequence[int] = (), items: Sequence[Mapping[str, Any]] = ()
) -> Milestone:
    """The client answers the newest version: `text`, and which items of the acceptance list (from 0) are not met, by `unmet` alone or by `items`
    with what is missing of each ({"item": position, "text": …}). Stops the clock.

    Raises Conflict while a refund request is open: the client has asked for the money then, not for changes.
    """
    milestone_for(actor, milestone_id)
    text = _text(text, "text")
    contract, milestone = milestone_locked(milestone_id)
    _not_a_week(milestone)
    notes = _item_notes(milestone, items)
    unmet = [*unmet, *(n["item"] for n in notes)]
    if any(type(i) is not int or not 0 <= i < len(milestone.acceptance) for i in unmet):
        message = f"Name items of the acceptance list by position, from 0; it has {len(milestone.acceptance)}."
        raise InvalidInput("unmet_invalid", message, {"unmet": [message]})
    role = policies.role_in(contract, actor)
    if role == "client" and milestone.refund_asked_at is not None:
        raise Conflict("refund_request_open", "You asked for the money of this milestone: withdraw that before you ask for changes.")
    milestone.auto_approve_at = None
    version = milestone.submissions.count()
    move(
        milestone,
        MILESTONE,
        "request_changes",
        role=role,
        actor_id=actor.pk,
        also=["auto_approve_at"],
        extra={"version": version},
    )
    milestone.submissions.filter(version=version).update(
        change_request=text, unmet=sorted(set(unmet)), item_notes=notes, change_requested_at=clock.now()
    )
    return milestone


def _item_notes(milestone: Milestone, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The checked notes, one an item, in the order of the acceptance list."""
    checks = Checks()
    last = len(milestone.acceptance) - 1
    found: dict[int, str] = {}
    for n, given in enumerate(items):
        item = given.get("item")
        if type(item) is not int or not 0 <= item <= last:
            checks.add(f"items.{n}.item", f"Name an item of the acceptance list by position, from 0; it has {last + 1}.")
        elif item in found:
            checks.add(f"items.{n}.item", "This item is named twice.")
        else:
            found[item] = checks.text(f"items.{n}.text", given.get("text"), longest=MAX_ITEM_TEXT, shortest=1)
    checks.raise_if_any()
    return [{"item": item, "text": found[item]} for item in sorted(found)]


@unit_of_work
def milestone_approve(*, actor: User, milestone_id: int) -> Milestone:
    """The client approves: what is held is released in the same transaction and becomes available after CLEARING_DAYS.

    An open refund request of the client is over with it.
    """
    milestone_for(actor, milestone_id)
    contract, milestone = milestone_locked(milestone_id)
    role = policies.role_in(contract, actor)
    if role == "client" and milestone.state == "submitted":
        request_ends(contract, milestone, "supersede", role=role, actor_id=actor.pk, reason="The work was approved.")
    _approve_and_release(contract, milestone, role=role, actor_id=actor.pk, rule="client_approval")
    return milestone


@unit_of_work
def milestone_auto_approve(*, milestone_id: int) -> bool:
    """Silence approves once the clock has run out; says whether it did here.

    Decides under lock: never when the client answered or asked for money, a dispute took the milestone, the contract is paused, or it was done
    before.
    """
    contract, milestone = milestone_locked(milestone_id)
    due = milestone.auto_approve_at is not None and milestone.auto_approve_at <= clock.now()
    if milestone.state != "submitted" or not due or contract.paused_at is not None:
        return False
    if milestone.refund_asked_at is not None:
        return False
    milestone.approved_by_clock = True
    rule = "week_review_silence" if is_week(milestone.pk) else f"auto_approval_{settings.AUTO_APPROVE_DAYS}d"
    _approve_and_release(contract, milestone, role="system", actor_id=None, rule=rule)
    return True


@unit_of_work
def milestone_remind(*, milestone_id: int) -> bool:
    """Tell the client within REMIND_HOURS of the end that silence approves; says whether it did here. Once for each end."""
    contract, milestone = milestone_locked(milestone_id)
    now, ends = clock.now(), milestone.auto_approve_at
    if ends is None or not now < ends <= now + timedelta(hours=settings.REMIND_HOURS) or milestone.reminded_for == ends:
        return False
    if milestone.state != "submitted" or contract.paused_at is not None or milestone.refund_asked_at is not None:
        return False
    milestone.reminded_for = ends
    milestone.save(update_fields=["reminded_for"])
    events.record(aggregate=milestone, kind="milestone.remind_approval", actor_id=None, after={"auto_approve_at": ends.isoformat()})
    return True


def _approve_and_release(contract: Contract, milestone: Milestone, *, role: str, actor_id: int | None, rule: str) -> None:
    now = clock.now()
    milestone.approved_at = now
    milestone.auto_approve_at = None
    move(
        milestone,
        MILESTONE,
        "approve",
        role=role,
        actor_id=actor_id,
        also=["approved_at", "approved_by_clock", "auto_approve_at"],
        extra={"by_clock": milestone.approved_by_clock},
    )
    gross = money.held_locked(milestone.pk, milestone.currency)
    payments.release(
        contract_id=contract.pk,
        milestone_id=milestone.pk,
        payee_id=contract.freelancer_id,
        gross=gross,
        payee_currency=contract.payee_currency,
        fee_schedule=contract.fee_schedule,
        actor_id=actor_id,
        rule=rule,
    )
    milestone.released_at = now
    milestone.clears_at = now + timedelta(days=settings.CLEARING_DAYS)
    move(
        milestone,
        MILESTONE,
        "release",
        role=role,
        actor_id=actor_id,
        also=["released_at", "clears_at"],
        extra={"amount_minor": gross.minor, "currency": gross.currency, "clears_at": milestone.clears_at.isoformat()},
    )
    end_if_done(contract, actor_id=actor_id)


@unit_of_work
def milestone_clear(*, milestone_id: int) -> bool:
    """Make released money available once it has waited CLEARING_DAYS; says whether it did here. Once only."""
    contract, milestone = milestone_locked(milestone_id)
    now = clock.now()
    if milestone.cleared_at is not None or milestone.clears_at is None or milestone.clears_at > now:
        return False
    if not moves_anything(lambda: payments.clear(contract_id=contract.pk, milestone_id=milestone.pk, payee_id=contract.freelancer_id)):
        milestone.clears_at = None
        milestone.save(update_fields=["clears_at"])
        return False
    milestone.part_releases.filter(cleared_at=None).update(cleared_at=now)  # parts are older: their money went with it
    milestone.cleared_at = now
    milestone.save(update_fields=["cleared_at"])
    events.record(aggregate=milestone, kind="milestone.clear", actor_id=None, after={"cleared_at": now.isoformat()})
    return True


@unit_of_work
def milestone_refund(*, actor: User, milestone_id: int, reason: str = "") -> Milestone:
    """The freelancer gives the held money back: the hold returns to the client's wallet and the milestone ends."""
    milestone_for(actor, milestone_id)
    contract, milestone = milestone_locked(milestone_id)
    policies.require_role(contract, actor, "freelancer", "milestone_refund")
    request_ends(contract, milestone, "supersede", role="freelancer", actor_id=actor.pk, reason="All of it was given back.")
    if milestone.state in FUNDED_STATES:
        empty_to_wallet(contract, milestone, role="freelancer", actor_id=actor.pk, rule="freelancer_gives_back", reason=reason)
        return milestone
    move(milestone, MILESTONE, "refund", role="freelancer", actor_id=actor.pk)  # refuses, and says why
    return milestone
