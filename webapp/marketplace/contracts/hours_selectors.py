"""Reading the hours of weekly contracts: whose they are, and which of their clocks have run out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from marketplace.accounts.selectors import suspended
from marketplace.core import features
from marketplace.core.money import Money
from marketplace.core.policies import Actor, one_of

from .models import CapChange, Contract, HourlyTerms, TimeEntry, Timesheet
from .selectors import contract_locked, visible_to

#: milestones of weeks whose hours are not fixed yet
OPEN_STATES = ("planned", "funded", "in_progress")


def hours_of(contract: Contract) -> HourlyTerms | None:
    """What a weekly contract agreed on; None for every other contract."""
    return HourlyTerms.objects.filter(contract=contract).first()


def weeks_go_on(contract: Contract) -> bool:
    """Whether the contract will have more weeks, so that it is not over although every milestone of it is."""
    return HourlyTerms.objects.filter(contract=contract, stopped_at__isnull=True).exists()


def is_week(milestone_id: int) -> bool:
    """Whether the milestone holds the money of hours."""
    return Timesheet.objects.filter(milestone=milestone_id).exists()


def sheets_of(contract: Contract) -> QuerySet[Timesheet]:
    """The weeks of a contract and their questioned parts. Who may see the contract is the caller's question."""
    return Timesheet.objects.filter(contract=contract).select_related("milestone", "contract")


def sheet_for(actor: Actor, timesheet_id: int) -> Timesheet:
    """The week with its milestone and contract. Raises NotFound when it is absent or not the actor's."""
    within = Timesheet.objects.select_related("milestone", "contract__client", "contract__freelancer")
    return one_of(within.filter(contract__in=visible_to(actor)), timesheet_id, "week")


def entry_for(actor: Actor, entry_id: int) -> TimeEntry:
    """Raises NotFound when the entry is absent or not the actor's."""
    within = TimeEntry.objects.select_related("timesheet").filter(timesheet__contract__in=visible_to(actor))
    return one_of(within, entry_id, "time entry")


def cap_change_for(actor: Actor, cap_change_id: int) -> CapChange:
    """Raises NotFound when the wish is absent or not on a contract of the actor's."""
    return one_of(CapChange.objects.filter(contract__in=visible_to(actor)), cap_change_id, "change of the weekly cap")


def cap_changes_of(contract: Contract) -> list[CapChange]:
    """The newest wishes on a contract, newest first."""
    return list(CapChange.objects.filter(contract=contract).order_by("-id")[:20])


def entries_of(sheet: Timesheet) -> list[TimeEntry]:
    """By day, then in the order they were logged: the order that rounding depends on."""
    return list(TimeEntry.objects.filter(timesheet=sheet).order_by("day", "id"))


def timesheet_rows(contract: Contract) -> tuple[list[str], Iterator[list[Any]]]:
    """Header and rows of every entry of a contract, oldest first, for a file; read in pieces, however long the contract is."""
    header = [
        "week_start", "day", "minutes", "hours", "what", "week_state", "amount", "currency", "question", "minutes_questioned", "answer", "entry_id",
    ]  # fmt: skip
    entries = TimeEntry.objects.filter(timesheet__contract=contract).select_related("timesheet__milestone")

    def rows() -> Iterator[list[Any]]:
        for e in entries.order_by("timesheet__week_start", "day", "id").iterator(chunk_size=2000):
            worth = None if e.amount_minor is None else Money(e.amount_minor, contract.currency).to_decimal()
            hours = (Decimal(e.minutes) / 60).quantize(Decimal("0.01"))
            sheet = e.timesheet
            yield [
                sheet.week_start, e.day, e.minutes, hours, e.what, sheet.milestone.state, worth, contract.currency, e.question,
                e.minutes_questioned, e.answer, e.pk,
            ]  # fmt: skip

    return header, rows()


def sheet_locked(timesheet_id: int) -> tuple[Contract, Timesheet]:
    """A week and its milestone re-read after their contract was locked."""
    contract = contract_locked(Timesheet.objects.values_list("contract_id", flat=True).get(pk=timesheet_id))
    sheet = Timesheet.objects.select_related("milestone").get(pk=timesheet_id)
    sheet.contract = sheet.milestone.contract = contract
    return contract, sheet


def weeks_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Contracts whose next week has begun, or whose weeks wait for money that can move again; the service decides again under lock."""
    running = HourlyTerms.objects.filter(next_week_at__isnull=False, contract__state="active", contract__paused_at__isnull=True)
    found = list(running.filter(next_week_at__lte=now).order_by("next_week_at").values_list("contract_id", flat=True)[:limit])
    if features.on("FUNDING_OPEN"):
        waiting = running.filter(funding_waits_since__isnull=False, next_week_at__gt=now)
        waiting = waiting.filter(~suspended("contract__client"), ~suspended("contract__freelancer"))
        found += waiting.order_by("funding_waits_since").values_list("contract_id", flat=True)[:limit]
    return found


def closing_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Weeks whose logged hours are to be submitted, or that end without money."""
    due = Timesheet.objects.filter(closed_at__isnull=True, closes_at__lte=now, milestone__state__in=OPEN_STATES)
    return list(due.filter(contract__paused_at__isnull=True).order_by("closes_at", "id").values_list("id", flat=True)[:limit])


def unanswered_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Questioned hours whose freelancer has been silent long enough."""
    due = Timesheet.objects.filter(answer_by__lte=now, milestone__state="changes_requested", contract__paused_at__isnull=True)
    return list(due.order_by("answer_by", "id").values_list("id", flat=True)[:limit])
