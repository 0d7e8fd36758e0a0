"""Hours that the client asks about. Their money leaves the week for a hold of its own, so that the rest of the week goes on undisturbed.

Once a week: the client names entries and reasons; the freelancer answers each, with fewer minutes or a reason to stand by it; then the client
approves, disputes or stays silent (which approves). Questions without an answer are granted. Only this part can still be disputed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments import services as payments

from .. import hours_calendar as calendar
from .. import policies
from ..hours_policies import was_questioned
from ..hours_selectors import entries_of, sheet_for, sheet_locked
from ..models import Contract, Milestone, TimeEntry, Timesheet
from ..states import MILESTONE
from .ending import end_if_done
from .weeks import close_hold, give_back_part, hand_in, next_position

MAX_TEXT = 2_000


@unit_of_work
def week_question(*, actor: User, timesheet_id: int, questions: Sequence[Mapping[str, object]]) -> Timesheet:
    """The client asks about entries of a submitted week: `[{"entry_id", "reason"}, …]`, within its review and once.

    Their share of the week's money is held apart until they are settled; the returned part is their timesheet. The other entries go on to
    approval. Raises Conflict when it is too late or was done before, InvalidInput naming the question at fault.
    """
    policies.require_role(sheet_for(actor, timesheet_id).contract, actor, "client", "week_question")
    contract, sheet = sheet_locked(timesheet_id)
    now, milestone = clock.now(), sheet.milestone
    if contract.state != "active" or milestone.state != "submitted" or sheet.part != Timesheet.Part.WEEK:
        raise Conflict("week_question_impossible", "Only a week that was submitted and waits for approval can be questioned.")
    if contract.paused_at is None and (milestone.auto_approve_at is None or milestone.auto_approve_at <= now):
        raise Conflict("week_review_over", "The review of this week is over.")
    if was_questioned(sheet):
        raise Conflict("week_questioned_before", "You have questioned this week once. What was questioned can be disputed.")
    chosen = _chosen(entries_of(sheet), questions, "questions", "reason")
    amount = sum(e.amount_minor or 0 for e, _ in chosen)
    if amount == 0:
        message = "These entries are worth nothing after rounding: there is nothing to hold back."
        raise InvalidInput("questions_invalid", message, {"questions": [message]})
    part = _set_apart(contract, sheet, amount, actor)
    for entry, question in chosen:
        entry.timesheet, entry.question, entry.questioned_at, entry.minutes_questioned = (
            part,
            str(question["reason"]).strip(),
            now,
            entry.minutes,
        )
    TimeEntry.objects.bulk_update([e for e, _ in chosen], ["timesheet", "question", "questioned_at", "minutes_questioned"])
    part.minutes = sum(e.minutes for e, _ in chosen)
    part.save(update_fields=["minutes"])
    sheet.minutes -= part.minutes
    sheet.save(update_fields=["minutes"])
    events.record(
        aggregate=part,
        kind="timesheet.question",
        actor_id=actor.pk,
        after={
            "entries": [e.pk for e, _ in chosen],
            "minutes": part.minutes,
            "amount_minor": amount,
            "currency": contract.currency,
            "answer_by": part.answer_by.isoformat() if part.answer_by else None,
        },
    )
    return part


def _chosen(
    entries: Sequence[TimeEntry], given: Sequence[Mapping[str, object]], field: str, text: str
) -> list[tuple[TimeEntry, Mapping[str, object]]]:
    """The named entries of the sheet with what was said of each, in the sheet's order. Raises InvalidInput naming what is wrong."""
    by_id = {e.pk: e for e in entries}
    faults: dict[str, list[str]] = {}
    said: dict[int, Mapping[str, object]] = {}
    for i, each in enumerate(given):
        entry_id, words = each.get("entry_id"), each.get(text, "")
        if type(entry_id) is not int or entry_id not in by_id or entry_id in said:
            faults[f"{field}.{i}.entry_id"] = ["Name each entry of this week at most once, by its id."]
        elif not isinstance(words, str) or len(words.strip()) > MAX_TEXT or (text == "reason" and not words.strip()):
            faults[f"{field}.{i}.{text}"] = [f"Write 1 to {MAX_TEXT} characters."]
        else:
            said[entry_id] = each
    if not given:
        faults[field] = ["Name at least one entry."]
    if faults:
        raise InvalidInput(f"{field}_invalid", "Please correct what is marked and send it again.", faults)
    return [(e, said[e.pk]) for e in entries if e.pk in said]


def _set_apart(contract: Contract, sheet: Timesheet, amount: int, actor: User) -> Timesheet:
    """Move `amount` from the week's hold into the hold of a new milestone; both steps are in this transaction, so nobody can spend it between."""
    week, now = sheet.milestone, clock.now()
    apart = Milestone.objects.create(
        contract=contract,
        position=next_position(contract),
        title=f"{week.title}: questioned hours",
        amount_minor=amount,
        currency=week.currency,
    )
    rule, by = "hours_questioned", actor.pk
    if amount == week.amount_minor:
        close_hold(
            contract, week, rule=rule, role="system", actor_id=by, reason="All of it was questioned and is held apart.", passes_on=True
        )
    else:
        give_back_part(contract, week, amount, part="questioned", rule=rule, actor_id=by, passes_on=True)
    held = Money(amount, week.currency)
    payments.hold(
        contract_id=contract.pk,
        milestone_id=apart.pk,
        payer_id=contract.client_id,
        amount=held,
        actor_id=by,
        rule=rule,
        fee_schedule=contract.fee_schedule,
        fee_from=week.pk,
    )
    apart.funded_at, apart.started_at, apart.submitted_at = week.funded_at, week.started_at, week.submitted_at
    apart.held_since = week.held_since  # its age is that of the client's payment
    move(
        apart,
        MILESTONE,
        "hold_questioned",
        role="client",
        actor_id=actor.pk,
        also=["funded_at", "held_since", "started_at", "submitted_at"],
        extra={"amount_minor": amount, "currency": week.currency},
    )
    return Timesheet.objects.create(
        contract=contract,
        milestone=apart,
        week_start=sheet.week_start,
        part=Timesheet.Part.QUESTIONED,
        rate_minor=sheet.rate_minor,
        cap_minutes=sheet.cap_minutes,
        closes_at=sheet.closes_at,
        closed_at=now,
        funded_minor=amount,
        answer_by=now + timedelta(days=settings.TIMESHEET_ANSWER_DAYS),
    )


@unit_of_work
def week_answer(*, actor: User, timesheet_id: int, answers: Sequence[Mapping[str, object]]) -> Timesheet:
    """The freelancer answers every question of a part: `[{"entry_id", "minutes", "text"}, …]`, with fewer minutes or with a reason to stand by them.

    A corrected entry is worth its new minutes at the rate, rounded half up and never more than before; the difference returns to the client at
    once. The client then approves or disputes what stands, silence approves. Raises Conflict when it is too late, InvalidInput.
    """
    policies.require_role(sheet_for(actor, timesheet_id).contract, actor, "freelancer", "week_answer")
    contract, sheet = sheet_locked(timesheet_id)
    now, milestone = clock.now(), sheet.milestone
    if contract.state != "active" or sheet.part != Timesheet.Part.QUESTIONED or milestone.state != "changes_requested":
        raise Conflict("week_answer_impossible", "There are no questions here that wait for an answer.")
    if contract.paused_at is None and (sheet.answer_by is None or sheet.answer_by <= now):
        raise Conflict("week_answer_late", "The time to answer is over: the questions count as granted.")
    entries = entries_of(sheet)
    chosen = _chosen(entries, answers, "answers", "text")
    if len(chosen) < len(entries):
        raise InvalidInput("answers_invalid", "Answer every question.", {"answers": ["Answer every question."]})
    for entry, answer in chosen:
        _answer_one(sheet, next(i for i, a in enumerate(answers) if a is answer), entry, answer)
        entry.answered_at = now
    TimeEntry.objects.bulk_update(entries, ["minutes", "amount_minor", "answer", "answered_at"])
    sheet.minutes, sheet.answer_by = sum(e.minutes for e in entries), None
    sheet.save(update_fields=["minutes", "answer_by"])
    stands = sum(e.amount_minor or 0 for e in entries)
    given_back = milestone.amount_minor - stands
    if stands == 0:
        close_hold(contract, milestone, rule="hours_corrected", role="freelancer", actor_id=actor.pk)
    else:
        if given_back:
            give_back_part(contract, milestone, given_back, part="corrected", rule="hours_corrected", actor_id=actor.pk)
        decide_by = max(now + timedelta(days=settings.TIMESHEET_DECIDE_DAYS), calendar.review_ends(sheet.week_start, now))
        hand_in(milestone, "freelancer", actor.pk, decide_by, _summary(chosen))
    events.record(
        aggregate=sheet,
        kind="timesheet.answer",
        actor_id=actor.pk,
        after={"minutes": sheet.minutes, "amount_minor": stands, "given_back_minor": given_back, "currency": contract.currency},
    )
    end_if_done(contract, actor_id=actor.pk)
    return sheet


def _answer_one(sheet: Timesheet, i: int, entry: TimeEntry, answer: Mapping[str, object]) -> None:
    minutes, text = answer.get("minutes"), str(answer.get("text") or "").strip()
    minutes = entry.minutes if minutes is None else minutes
    if type(minutes) is not int or not 0 <= minutes <= entry.minutes:
        message = f"A whole number of minutes from 0 to {entry.minutes}: an answer can only lower them."
        raise InvalidInput("answers_invalid", message, {f"answers.{i}.minutes": [message]})
    if minutes == entry.minutes and not text:
        message = "Say why the entry stands, or correct its minutes."
        raise InvalidInput("answers_invalid", message, {f"answers.{i}.text": [message]})
    if minutes < entry.minutes:
        entry.amount_minor = min(entry.amount_minor or 0, calendar.worth(minutes, sheet.rate_minor))
    entry.minutes, entry.answer = minutes, text


def _summary(chosen: Sequence[tuple[TimeEntry, Mapping[str, object]]]) -> str:
    """The answers as the version handed in, for whoever reads the milestone alone."""
    lines = [f"{e.day.isoformat()}: {calendar.spoken(e.minutes)}{': ' + e.answer if e.answer else ''}" for e, _ in chosen]
    return "\n".join(lines)[:10_000]


@unit_of_work
def questions_grant(*, timesheet_id: int) -> bool:
    """The freelancer's silence grants the questions: their money returns to the client; says whether it did here. Once only, decided under lock."""
    contract, sheet = sheet_locked(timesheet_id)
    overdue = sheet.answer_by is not None and sheet.answer_by <= clock.now()
    if not overdue or sheet.milestone.state != "changes_requested" or contract.paused_at is not None:
        return False
    sheet.answer_by = None
    sheet.save(update_fields=["answer_by"])
    reason = "The questions were not answered in time."
    close_hold(contract, sheet.milestone, rule="questions_unanswered", role="system", actor_id=None, reason=reason)
    events.record(
        aggregate=sheet,
        kind="timesheet.grant",
        actor_id=None,
        after={"amount_minor": sheet.milestone.amount_minor, "currency": contract.currency},
        reason=reason,
    )
    end_if_done(contract, actor_id=None)
    return True
