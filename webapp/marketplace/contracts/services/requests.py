"""What one side asks of the other without moving money: a later due date, a word on progress, a pause; and the reports of progress."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed
from marketplace.core.files import attach
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .. import policies
from ..hours_selectors import is_week
from ..models import Contract, Milestone, ProgressReport, WorkRequest
from ..selectors import contract_for, contract_locked, milestone_for, milestone_locked, work_request_for
from ..states import MILESTONE_ENDED, WORK_REQUEST
from ..terms import MAX_DAYS
from .pauses import pause_begins

MAX_TEXT = 10_000
Kind = WorkRequest.Kind


def _text(value: object, field: str, *, shortest: int = 1) -> str:
    checks = Checks()
    text = checks.text(field, value, longest=MAX_TEXT, shortest=shortest)
    checks.raise_if_any()
    return text


@unit_of_work
def extension_ask(*, actor: User, milestone_id: int, due_at: datetime, reason: str) -> WorkRequest:
    """Either side asks for a later due date. Raises NotFound, NotAllowed, Conflict when the work is handed in or over, InvalidInput for a date that
    is not later, or later than the held money can wait.
    """
    milestone_for(actor, milestone_id)
    reason = _text(reason, "reason")
    contract, milestone = milestone_locked(milestone_id)
    policies.require_side(contract, actor, "extension")
    _extendable(contract, milestone)
    _later(milestone, due_at)
    return _ask(contract, milestone, Kind.EXTENSION, actor, reason, due_at=due_at)


def _extendable(contract: Contract, milestone: Milestone) -> None:
    if is_week(milestone.pk):
        raise Conflict("milestone_is_a_week", "This milestone holds a week of hours: its dates are those of the week.")
    if contract.state != "active" or milestone.state not in policies.EXTENDABLE:
        state = milestone.state if contract.state == "active" else contract.state
        raise Conflict("extension_impossible", f"This is {state.replace('_', ' ')}: its due date does not move any more.")


def _later(milestone: Milestone, due_at: datetime) -> None:
    """Raise InvalidInput unless the date is later than the present one, ahead, and within what held money can wait."""
    now = clock.now()
    message = ""
    if due_at <= max(now, milestone.due_at or now):
        message = "Name an instant that is ahead and later than the present due date."
    elif due_at > now + timedelta(days=MAX_DAYS):
        message = f"At most {MAX_DAYS} days ahead."
    elif milestone.hold_began_at is not None:
        limit = milestone.hold_began_at + timedelta(days=settings.HOLD_LIMIT_DAYS)
        if due_at > limit:
            message = f"The money of this milestone can be held until {limit:%Y-%m-%d %H:%M} UTC: name an earlier date."
    if message:
        raise InvalidInput("due_at_invalid", message, {"due_at": [message]})


@unit_of_work
def progress_ask(*, actor: User, milestone_id: int, text: str) -> WorkRequest:
    """The client asks how far the work is. The freelancer answers with a progress report."""
    milestone_for(actor, milestone_id)
    text = _text(text, "text")
    contract, milestone = milestone_locked(milestone_id)
    policies.require_role(contract, actor, "client", "progress_request")
    _at_work(contract, milestone)
    return _ask(contract, milestone, Kind.PROGRESS, actor, text)


def _at_work(contract: Contract, milestone: Milestone) -> None:
    if contract.state != "active" or milestone.state in MILESTONE_ENDED:
        state = milestone.state if contract.state == "active" else contract.state
        raise Conflict("milestone_over", f"This is {state.replace('_', ' ')}: there is no work on it now.")


@unit_of_work
def pause_ask(*, actor: User, contract_id: int, reason: str) -> WorkRequest:
    """A side asks the other to let the contract's clocks stand still. Raises Conflict when it is not active or paused already."""
    contract_for(actor, contract_id)
    reason = _text(reason, "reason")
    contract = contract_locked(contract_id)
    policies.require_side(contract, actor, "pause_request")
    if contract.state != "active" or contract.paused_at is not None:
        raise Conflict("contract_pause_impossible", "Only an active contract that is not paused can be paused.")
    return _ask(contract, None, Kind.PAUSE, actor, reason)


def _ask(
    contract: Contract, milestone: Milestone | None, kind: str, actor: User, text: str, *, due_at: datetime | None = None
) -> WorkRequest:
    about = contract.pk if milestone is None else milestone.pk
    key = f"{kind}:{about}"
    if WorkRequest.objects.filter(live_key=key).exists():
        raise Conflict("work_request_open", "Such a request is open already: it is answered or withdrawn first.")
    request = WorkRequest.objects.create(
        contract=contract, milestone=milestone, kind=kind, live_key=key, asker=actor, text=text, due_at=due_at, asked_at=clock.now()
    )
    told = {"contract_id": contract.pk, "milestone_id": None if milestone is None else milestone.pk, "state": request.state}
    if due_at is not None:
        told["due_at"] = due_at.isoformat()
    events.record(aggregate=request, kind=f"work_request.{kind}", actor_id=actor.pk, after=told, reason=text[:500])
    return request


def _entered(actor: User, request_id: int, action: str) -> tuple[Contract, WorkRequest, str]:
    """The contract locked, the request re-read, and the actor's side. Raises NotFound, NotAllowed, Conflict unless it is open."""
    seen = work_request_for(actor, request_id)
    contract = contract_locked(seen.contract_id)
    side = policies.require_side(contract, actor, f"work_request_{action}")
    request = WorkRequest.objects.select_related("milestone").get(pk=request_id)
    request.contract = contract
    mine = actor.pk == request.asker_id
    if mine != (action == "withdraw"):
        message = "The other side answers what you asked." if mine else "Only whoever asked can withdraw it."
        raise NotAllowed(f"work_request_{action}_not_yours", message)
    if request.state != "open":
        raise Conflict(f"work_request_{action}_impossible", f"This request is {request.state} already.")
    return contract, request, side


def _close(request: WorkRequest, action: str, *, role: str, actor_id: int | None, answer: str = "") -> WorkRequest:
    request.live_key, request.closed_at, request.answer = None, clock.now(), answer
    extra = {"kind": request.kind, "milestone_id": request.milestone_id, "contract_id": request.contract_id}
    also = ["live_key", "closed_at", "answer"]
    move(request, WORK_REQUEST, action, role=role, actor_id=actor_id, reason=answer[:500], also=also, extra=extra)
    return request


@unit_of_work
def work_request_accept(*, actor: User, request_id: int, answer: str = "") -> WorkRequest:
    """The other side agrees: the due date moves, or the contract is paused. Progress is answered by a report instead.

    Raises NotFound, NotAllowed for whoever asked, Conflict when it is closed or cannot be done any more.
    """
    answer = _text(answer, "answer", shortest=0)
    contract, request, side = _entered(actor, request_id, "accept")
    if request.kind == Kind.PROGRESS:
        raise Conflict("work_request_accept_impossible", "Answer this with a progress report.")
    _close(request, "accept", role=side, actor_id=actor.pk, answer=answer)
    if request.kind == Kind.PAUSE:
        if contract.state != "active" or contract.paused_at is not None:
            raise Conflict("contract_pause_impossible", "Only an active contract that is not paused can be paused.")
        pause_begins(contract, actor_id=actor.pk, by_staff=False, reason=request.text)
    else:
        _move_due_date(contract, request, actor)
    return request


def _move_due_date(contract: Contract, request: WorkRequest, actor: User) -> None:
    milestone, due_at = request.milestone, request.due_at
    if milestone is None or due_at is None:
        raise AssertionError("an extension without milestone or date")
    _extendable(contract, milestone)
    if due_at <= clock.now():
        raise Conflict("extension_too_late", "The date that was asked for has passed: ask for a later one.")
    try:
        _later(milestone, due_at)  # since it was asked for, a pause may have moved the date, or money of some age come in
    except InvalidInput as e:
        raise Conflict("extension_impossible", e.message) from e
    before = milestone.due_at
    milestone.due_at = due_at
    milestone.save(update_fields=["due_at"])
    events.record(
        aggregate=milestone,
        kind="milestone.extend",
        actor_id=actor.pk,
        before={"due_at": before.isoformat() if before is not None else None},
        after={"due_at": due_at.isoformat()},
        reason=request.text[:500],
    )


@unit_of_work
def work_request_decline(*, actor: User, request_id: int, answer: str = "") -> WorkRequest:
    """The other side says no; nothing changes."""
    answer = _text(answer, "answer", shortest=0)
    _, request, side = _entered(actor, request_id, "decline")
    return _close(request, "decline", role=side, actor_id=actor.pk, answer=answer)


@unit_of_work
def work_request_withdraw(*, actor: User, request_id: int) -> WorkRequest:
    """Whoever asked takes it back."""
    _, request, side = _entered(actor, request_id, "withdraw")
    return _close(request, "withdraw", role=side, actor_id=actor.pk)


@unit_of_work
def progress_report(
    *, actor: User, milestone_id: int, text: str, percent: int | None = None, file_ids: Sequence[int] = ()
) -> ProgressReport:
    """The freelancer tells how far the work is, asked or not; an open progress request is answered by it.

    Raises NotFound, NotAllowed, Conflict when the milestone is over, InvalidInput.
    """
    milestone_for(actor, milestone_id)
    checks = Checks()
    text = checks.text("text", text, longest=MAX_TEXT, shortest=1)
    if percent is not None:
        checks.whole("percent", percent, low=0, high=100)
    checks.raise_if_any()
    contract, milestone = milestone_locked(milestone_id)
    policies.require_role(contract, actor, "freelancer", "progress_report")
    _at_work(contract, milestone)
    asked = WorkRequest.objects.filter(live_key=f"{Kind.PROGRESS}:{milestone.pk}").first()
    if asked is not None:
        _close(asked, "accept", role="freelancer", actor_id=actor.pk)
    report = ProgressReport.objects.create(milestone=milestone, request=asked, text=text, percent=percent, reported_at=clock.now())
    attach(actor=actor, file_ids=file_ids, to=report)
    told = {"milestone_id": milestone.pk, "percent": percent, "answers": None if asked is None else asked.pk}
    events.record(aggregate=report, kind="progress_report.add", actor_id=actor.pk, after=told)
    return report
