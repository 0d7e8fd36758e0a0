"""What each side may do with a week now. Advice for the page, as the last words of routes; the services decide again under lock."""

from __future__ import annotations

from datetime import datetime

from .models import Contract, Timesheet


def week_actions(contract: Contract, sheet: Timesheet, role: str, now: datetime) -> list[str]:
    """`entries` means that hours may be logged and corrected. Funding, approval and disputes are the milestone's own actions."""
    if contract.state != "active":
        return []
    state, running = sheet.milestone.state, contract.paused_at is None
    if role == "freelancer":
        if sheet.part == Timesheet.Part.QUESTIONED:
            in_time = sheet.answer_by is not None and (now < sheet.answer_by or not running)
            return ["answer"] if state == "changes_requested" and in_time else []
        if state in ("funded", "in_progress") and sheet.closed_at is None and now < sheet.closes_at and running:
            return ["entries", "submit"]
    if role == "client" and sheet.part == Timesheet.Part.WEEK and state == "submitted" and not was_questioned(sheet):
        due = sheet.milestone.auto_approve_at
        return ["question"] if not running or (due is not None and now < due) else []
    return []


def was_questioned(sheet: Timesheet) -> bool:
    """Whether the client has asked about this week: that is possible once."""
    return Timesheet.objects.filter(contract=sheet.contract_id, week_start=sheet.week_start, part=Timesheet.Part.QUESTIONED).exists()
