"""The freelancer's log of a week: entries are added, corrected and removed until the week is closed.

Every change is decided under the contract's lock: never in the future, on a day on which the contract did not run, beyond the cap, or in a week
without money.
"""

from __future__ import annotations

from datetime import date, datetime

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.models import Event
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .. import hours_calendar as calendar
from .. import policies
from ..hours_selectors import entry_for, hours_of, sheet_for, sheet_locked
from ..models import Contract, TimeEntry, Timesheet
from ..states import MILESTONE
from .weeks import require_open

MOST_ENTRIES = 300
MAX_WHAT = 10_000


@unit_of_work
def entry_log(*, actor: User, timesheet_id: int, day: date, minutes: int, what: str) -> TimeEntry:
    """Log minutes of one day (UTC) of the week. The first entry starts the week's milestone.

    Raises Conflict when the week is closed or not funded, InvalidInput naming the field at fault.
    """
    policies.require_role(sheet_for(actor, timesheet_id).contract, actor, "freelancer", "entry_log")
    contract, sheet = sheet_locked(timesheet_id)
    now = clock.now()
    require_open(contract, sheet, now)
    if sheet.entries.count() >= MOST_ENTRIES:
        raise Conflict("week_full", f"A week has at most {MOST_ENTRIES} entries: put several short works into one.")
    _check(contract, sheet, None, day, minutes, now)
    entry = TimeEntry.objects.create(timesheet=sheet, day=day, minutes=minutes, what=_what(what), logged_at=now)
    milestone = sheet.milestone
    if milestone.state == "funded":
        milestone.started_at = now
        move(milestone, MILESTONE, "start", role="freelancer", actor_id=actor.pk, also=["started_at"])
    _keep(sheet, "timesheet.log", actor, before={}, after=_facts(entry), change=minutes)
    return entry


@unit_of_work
def entry_change(*, actor: User, entry_id: int, day: date | None = None, minutes: int | None = None, what: str | None = None) -> TimeEntry:
    """Correct an entry of an open week; what is not given stays. Raises as entry_log does."""
    contract, sheet, entry = _locked(actor, entry_id, "entry_change")
    before, minutes_before = _facts(entry), entry.minutes
    entry.day = entry.day if day is None else day
    entry.minutes = entry.minutes if minutes is None else minutes
    entry.what = entry.what if what is None else _what(what)
    _check(contract, sheet, entry, entry.day, entry.minutes, clock.now())
    entry.save(update_fields=["day", "minutes", "what"])
    _keep(sheet, "timesheet.change", actor, before=before, after=_facts(entry), change=entry.minutes - minutes_before)
    return entry


@unit_of_work
def entry_remove(*, actor: User, entry_id: int) -> Timesheet:
    """Take an entry out of an open week. Raises Conflict when the week is closed."""
    _, sheet, entry = _locked(actor, entry_id, "entry_remove")
    before = _facts(entry)
    entry.delete()
    _keep(sheet, "timesheet.remove", actor, before=before, after={}, change=-entry.minutes)
    return sheet


def _locked(actor: User, entry_id: int, action: str) -> tuple[Contract, Timesheet, TimeEntry]:
    """The entry re-read under its contract's lock, in a week that is open."""
    known = entry_for(actor, entry_id)
    policies.require_role(known.timesheet.contract, actor, "freelancer", action)
    contract, sheet = sheet_locked(known.timesheet_id)
    entry = TimeEntry.objects.filter(pk=entry_id, timesheet=sheet).first()
    require_open(contract, sheet, clock.now())
    if entry is None:
        raise Conflict("entry_gone", "This entry was removed meanwhile.")
    return contract, sheet, entry


def _what(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= MAX_WHAT:
        message = f"Say in 1 to {MAX_WHAT} characters what was done."
        raise InvalidInput("what_invalid", message, {"what": [message]})
    return text


def _check(contract: Contract, sheet: Timesheet, entry: TimeEntry | None, day: date, minutes: int, now: datetime) -> None:
    """Raise InvalidInput unless the week has room for `minutes` on that day, `entry` itself left aside."""
    if type(minutes) is not int or not 1 <= minutes <= calendar.DAY_MINUTES:
        message = f"A whole number of minutes from 1 to {calendar.DAY_MINUTES}."
        raise InvalidInput("minutes_invalid", message, {"minutes": [message]})
    last = sheet.week_start + calendar.WEEK
    if not sheet.week_start <= day < last:
        message = f"This week runs from {sheet.week_start.isoformat()} (Monday) to {last.isoformat()}, not included, by UTC."
        raise InvalidInput("day_not_in_week", message, {"day": [message]})
    if day > now.date():
        message = f"This day has not begun (by UTC it is {now.date().isoformat()}): log work after it is done."
        raise InvalidInput("day_in_the_future", message, {"day": [message]})
    terms = hours_of(contract)
    if contract.started_at is not None and day < contract.started_at.date():
        message = f"The contract began on {contract.started_at.date().isoformat()} (UTC)."
        raise InvalidInput("day_before_contract", message, {"day": [message]})
    if terms is not None and terms.stopped_at is not None and day > terms.stopped_at.date():
        message = f"The hours of this contract were stopped on {terms.stopped_at.date().isoformat()} (UTC)."
        raise InvalidInput("day_after_stop", message, {"day": [message]})
    others = [(e.day, e.minutes) for e in sheet.entries.all() if entry is None or e.pk != entry.pk]
    there = calendar.minutes_passed(day, now) - _paused_minutes(contract, day)
    room = there - sum(m for d, m in others if d == day)
    if minutes > room:
        message = (
            f"Of {day.isoformat()} (UTC) {there} minutes have passed in which the contract ran; {max(0, room)} of them can still be logged."
        )
        raise InvalidInput("minutes_beyond_day", message, {"minutes": [message]})
    room = sheet.cap_minutes - sum(m for _, m in others)
    if minutes > room:
        message = f"The cap of this week is {sheet.cap_minutes} minutes; {max(0, room)} can still be logged. Agree on another cap for coming weeks."
        raise InvalidInput("minutes_beyond_cap", message, {"minutes": [message]})


def _paused_minutes(contract: Contract, day: date) -> int:
    """How many minutes of the day fell into pauses of the contract that have ended."""
    history = Event.objects.filter(
        aggregate_type=events.aggregate_name(contract), aggregate_id=contract.pk, kind__in=("contract.pause", "contract.resume")
    )
    seconds, since = 0.0, None
    opens, shuts = calendar.begins(day), calendar.begins(day) + calendar.WEEK / 7
    for event in history.order_by("id"):
        if event.kind == "contract.pause":
            since = since or event.occurred_at  # staff may take over a pause that the sides agreed on
        elif since is not None:
            seconds += max(0.0, (min(event.occurred_at, shuts) - max(since, opens)).total_seconds())
            since = None
    return int(seconds // 60)


def _facts(entry: TimeEntry) -> dict[str, object]:
    return {"entry": entry.pk, "day": entry.day.isoformat(), "minutes": entry.minutes}


def _keep(sheet: Timesheet, kind: str, actor: User, *, before: dict[str, object], after: dict[str, object], change: int) -> None:
    sheet.minutes += change
    sheet.save(update_fields=["minutes"])
    events.record(aggregate=sheet, kind=kind, actor_id=actor.pk, before=before, after={**after, "minutes_of_week": sheet.minutes})
