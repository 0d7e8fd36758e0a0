"""Weekly contracts at each stage, made by the services themselves, as people would."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from marketplace.contracts import hours_calendar as calendar
from marketplace.contracts import services
from marketplace.contracts.models import Contract, TimeEntry, Timesheet
from marketplace.core import clock
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Category
from marketplace.payments.selectors import balances_of

RATE, CAP = 6_000, 600
FULL = 60_000
TITLE = "A web shop, by the hour"
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def go_to(instant: datetime) -> None:
    """Move business time forward to the instant, never beyond it by a whole second; it may lie less than one second before."""
    clock.advance(max(0, int((instant - clock.now()).total_seconds())))


def past(instant: datetime) -> None:
    """Move business time to just after the instant."""
    go_to(instant)
    if clock.now() < instant:
        clock.advance(1)


def usd(user: Any, currency: str = "USD") -> tuple[int, int, int, int]:
    """(wallet, held, pending, available) of a user in minor units."""
    found = {b.currency: b for b in balances_of(user.pk)}.get(currency)
    return (0, 0, 0, 0) if found is None else (found.wallet.minor, found.held.minor, found.pending.minor, found.available.minor)


def hire_now(client: Any, freelancer: Any, *, rate: int = RATE, cap: int = CAP, currency: str = "USD", title: str = TITLE) -> Contract:
    """The freelancer works for the client by the week from now on."""
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    job = jobs.job_create(
        actor=client,
        title=title,
        description="A shop with a cart and a checkout.",
        category="web-development",
        pricing="hourly",
        currency=currency,
    )
    jobs.job_publish(actor=client, job_id=job.pk)
    bid = jobs.proposal_submit(
        actor=freelancer,
        job_id=job.pk,
        cover_letter="I have built ten of these.",
        amount_minor=rate,
        currency=currency,
        delivery_days=None,
        milestones=[],
        answers=[],
    )
    offer = services.offer_make(actor=client, proposal_id=bid.pk, weekly_cap_minutes=cap)
    return services.offer_accept(actor=freelancer, contract_id=offer.pk)


def weekly_numbers(client: Any, freelancer: Any) -> dict[str, int]:
    """Numbers of a funded week with an entry, and of the freelancer's wish for another cap, by the noun in their routes."""
    contract = hire_now(client, freelancer)
    sheet = weeks(contract)[0]
    services.milestone_fund(
        actor=client, milestone_id=sheet.milestone_id, provider="sandbox", method={"token": "tok_visa"}, idempotency_key="a-week"
    )
    now = clock.now()
    entry = TimeEntry.objects.create(timesheet=sheet, day=now.date(), minutes=1, what="The cart.", logged_at=now)
    Timesheet.objects.filter(pk=sheet.pk).update(minutes=1)
    wish = services.cap_change_propose(actor=freelancer, contract_id=contract.pk, weekly_cap_minutes=60)
    return {"weeks": sheet.pk, "time-entries": entry.pk, "cap-changes": wish.pk}


@pytest.fixture
def hire(alice: Any, bob: Any) -> Callable[..., Contract]:
    """hire(monday=…, rate=…, cap=…, currency=…): Bob works for Alice by the week, from 09:00 of that Monday (default: the next one)."""

    def make(monday: date | None = None, **terms: Any) -> Contract:
        past(calendar.begins(monday or calendar.week_of(clock.now()) + calendar.WEEK) + timedelta(hours=9))
        return hire_now(alice, bob, **terms)

    return make


@pytest.fixture
def hourly(hire: Callable[..., Contract]) -> Contract:
    """60.00 USD an hour, at most ten hours a week; it is Monday, a little after 09:00 UTC."""
    return hire()


@pytest.fixture
def pay_week(alice: Any) -> Callable[..., Timesheet]:
    """pay_week(sheet, token="tok_visa"): Alice funds the week through the sandbox, or from her wallet with token=None."""

    def pay(sheet: Timesheet, token: str | None = "tok_visa") -> Timesheet:
        services.milestone_fund(
            actor=alice,
            milestone_id=sheet.milestone_id,
            provider="sandbox" if token else services.WALLET,
            method={"token": token} if token else {},
            idempotency_key=f"week-{sheet.pk}",
        )
        return fresh(sheet)

    return pay


def fresh(sheet: Timesheet) -> Timesheet:
    return Timesheet.objects.select_related("milestone", "contract").get(pk=sheet.pk)


def weeks(contract: Contract) -> list[Timesheet]:
    """The weeks and questioned parts, oldest first."""
    return list(Timesheet.objects.filter(contract=contract).select_related("milestone", "contract").order_by("week_start", "part"))


@pytest.fixture
def week(hourly: Contract, pay_week: Callable[..., Timesheet]) -> Timesheet:
    """The first week, funded with 600.00 USD."""
    return pay_week(weeks(hourly)[0])


@pytest.fixture
def log(bob: Any) -> Callable[..., TimeEntry]:
    """log(sheet, minutes, day=0, what=…): Bob's entry on that day of the week, from 0."""

    def entry(sheet: Timesheet, minutes: int, day: int = 0, what: str = "The cart.") -> TimeEntry:
        return services.entry_log(actor=bob, timesheet_id=sheet.pk, day=sheet.week_start + day * DAY, minutes=minutes, what=what)

    return entry


@pytest.fixture
def logged(week: Timesheet, log: Callable[..., TimeEntry]) -> list[TimeEntry]:
    """Three entries of the funded week: 200, 100 and 33 minutes; it is its Thursday."""
    past(calendar.begins(week.week_start) + 3 * DAY)
    return [log(week, 200, 0, "The cart."), log(week, 100, 1, "The checkout."), log(week, 33, 2, "A call.")]


@pytest.fixture
def handed_in(bob: Any, week: Timesheet, logged: list[TimeEntry]) -> Timesheet:
    """The week, submitted by Bob on its Thursday: 333 minutes for 333.00 USD."""
    services.week_submit(actor=bob, timesheet_id=week.pk)
    return fresh(week)


@pytest.fixture
def questioned(alice: Any, handed_in: Timesheet, logged: list[TimeEntry]) -> Timesheet:
    """The part that Alice questions: 100 and 33 minutes."""
    questions = [{"entry_id": e.pk, "reason": f"What was done in these {e.minutes} minutes?"} for e in logged[1:]]
    return fresh(services.week_question(actor=alice, timesheet_id=handed_in.pk, questions=questions))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]
