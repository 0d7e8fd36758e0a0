"""What the timeline says of weekly hours: their events' titles, and the weeks' own clocks. Approval by silence is the milestone's clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from marketplace.core.money import Money

from . import hours_calendar as calendar
from .models import Contract, HourlyTerms, Milestone, Timesheet

#: titles of events of contracts, milestones and weeks; entries that were logged are read in the timesheet
TITLES = {
    "contract.stop_hours": "Weeks stopped",
    "contract.hours_settings": "Handling of unspent money changed",
    "milestone.hold_questioned": "Questioned hours held apart",
    "timesheet.funding_waits": "Funding from the wallet waits",
    "timesheet.unprotected": "Week began without funds held",
    "timesheet.submit": "Hours of the week fixed",
    "timesheet.question": "Hours questioned",
    "timesheet.answer": "Questions answered",
    "timesheet.grant": "Questions granted by silence",
}


def week_clocks(contract: Contract, milestone: Milestone) -> Iterator[tuple[str, datetime, str]]:
    """(clock, at, then) of the milestone's week. None runs while the contract is paused."""
    sheet: Timesheet | None = getattr(milestone, "timesheet", None)
    if sheet is None or contract.paused_at is not None or contract.state != "active":
        return
    held = Money(milestone.amount_minor, milestone.currency)
    logged = Money(calendar.worth(sheet.minutes, sheet.rate_minor), milestone.currency)
    if milestone.state in ("funded", "in_progress") and sheet.closed_at is None:
        if logged:
            then = f"The {calendar.spoken(sheet.minutes)} logged for “{milestone.title}” are submitted for {logged}; {held - logged} returns to the client."
        else:
            then = f"Nothing is logged for “{milestone.title}”: the {held} held for it returns to the client."
        yield "timesheet_close", sheet.closes_at, then
    elif milestone.state == "planned" and sheet.closed_at is None:
        then = f"“{milestone.title}” ends without funds held. Until the client funds it, no hours can be logged: they would be unprotected."
        yield "timesheet_close", sheet.closes_at, then
    elif milestone.state == "changes_requested" and sheet.answer_by is not None:
        yield "question_answer", sheet.answer_by, f"The questions count as granted and {held} returns to the client."


def next_week_clock(contract: Contract) -> Iterator[tuple[str, datetime, str]]:
    """(clock, at, then) of the next week of a weekly contract that runs."""
    terms: HourlyTerms | None = getattr(contract, "hours", None)
    if terms is None or terms.next_week_at is None or contract.paused_at is not None or contract.state != "active":
        return
    money = "is funded from the client's wallet if that suffices" if terms.auto_fund else "needs the client's money if it has none"
    if terms.auto_fund and terms.funding_waits_since is not None:
        money = "is funded from the client's wallet once that is possible again"
    yield "week_open", terms.next_week_at, f"A new week begins; it {money}, and the week after it is opened."


def weeks_of(milestones: Sequence[Milestone]) -> dict[int, int]:
    """Week's id → its milestone's, for the milestones that hold one."""
    found = ((getattr(m, "timesheet", None), m.pk) for m in milestones)
    return {sheet.pk: milestone_id for sheet, milestone_id in found if sheet is not None}
