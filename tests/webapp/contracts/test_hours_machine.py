"""A weekly contract under any order of acts, clocks and pauses agrees with a pure model, to the minor unit and step by step.

The model knows no database and none of the product's arithmetic: it counts in fractions, and says of every act whether it is refused.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any, ClassVar

from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from marketplace.contracts import services, tasks
from marketplace.contracts.models import Contract, HourlyTerms, TimeEntry, Timesheet
from marketplace.core import clock
from marketplace.core.errors import DomainError
from marketplace.payments.selectors import held_by_milestone
from marketplace.payments.services import ledger_check
from tests.webapp.hours_cast import hire_now, past, usd

RATE = 4_567
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Where = st.integers(0, 3)


def half_up(minutes: int) -> int:
    return floor(Fraction(minutes * RATE, 60) + Fraction(1, 2))


def by_largest_remainder(total: int, minutes: list[int]) -> list[int]:
    exact = [Fraction(total * m, sum(minutes)) for m in minutes]
    parts = [floor(x) for x in exact]
    order = sorted(range(len(exact)), key=lambda i: (parts[i] - exact[i], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


@dataclass
class Sheet:
    """One milestone of hours."""

    monday: datetime
    cap: int
    part: int = 0
    state: str = "planned"
    amount: int = 0
    minutes: dict[int, int] = field(default_factory=dict)  # entry → minutes
    days: dict[int, int] = field(default_factory=dict)
    worth: dict[int, int] = field(default_factory=dict)
    closes: datetime | None = None
    closed: datetime | None = None
    submitted: datetime | None = None
    approves: datetime | None = None
    answers_by: datetime | None = None
    asked: bool = False

    @property
    def total(self) -> int:
        return sum(self.minutes.values())

    def in_order(self) -> list[int]:
        return sorted(self.minutes, key=lambda e: (self.days[e], e))


@dataclass
class Model:
    """The contract: its sheets in the order of their milestones, and the client's and freelancer's money."""

    started: datetime
    cap: int
    sheets: list[Sheet] = field(default_factory=list)
    next_week: datetime | None = None
    state: str = "active"
    paused: datetime | None = None
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)
    stopped: datetime | None = None
    roll: bool = False
    auto: bool = False
    wallet: int = 0
    pending: int = 0

    def monday_of(self, at: datetime) -> datetime:
        return datetime(at.year, at.month, at.day, tzinfo=UTC) - at.weekday() * DAY

    def open_weeks(self, now: datetime) -> Sheet:
        monday = self.monday_of(now)
        for begin in (monday, monday + 7 * DAY):
            if not any(s.monday == begin and s.part == 0 for s in self.sheets):
                self.sheets.append(Sheet(begin, self.cap, amount=half_up(self.cap), closes=begin + 7 * DAY + 12 * HOUR))
        self.next_week = monday + 7 * DAY
        return next(s for s in self.sheets if s.monday == monday and s.part == 0)

    def fund(self, sheet: Sheet) -> bool:
        if self.wallet < sheet.amount:
            return False
        self.wallet -= sheet.amount
        sheet.state = "funded"
        return True

    def end_if_done(self) -> None:
        over = {"released", "refunded", "cancelled"}
        if self.stopped and self.state == "active" and {s.state for s in self.sheets} <= over:
            self.state = "completed" if any(s.state == "released" for s in self.sheets) else "cancelled"

    def fix(self, sheet: Sheet, now: datetime) -> None:
        worth = half_up(sheet.total) if sheet.minutes else 0
        unspent = sheet.amount - worth
        order = sheet.in_order()
        if order:
            sheet.worth = dict(zip(order, by_largest_remainder(worth, [sheet.minutes[e] for e in order]), strict=True))
        sheet.closed, sheet.amount = now, worth if worth else sheet.amount
        self.wallet += unspent
        sheet.state = "submitted" if worth else "refunded"
        if worth:
            sheet.submitted = now
            sheet.approves = max(sheet.monday + 11 * DAY + 23 * HOUR + timedelta(minutes=59), now + 48 * HOUR)
        if unspent and self.roll and self.state == "active" and self.paused is None:
            waiting = [s for s in self.sheets if s.state == "planned" and s.closed is None and s.closes and s.closes > now]
            if waiting:
                self.fund(min(waiting, key=lambda s: s.monday))
        self.end_if_done()

    def release(self, sheet: Sheet) -> None:
        fee = by_largest_remainder(sheet.amount, [1_000, 9_000])[0]
        self.pending += sheet.amount - fee
        sheet.state = "released"
        self.end_if_done()

    def refund(self, sheet: Sheet) -> None:
        self.wallet += sheet.amount
        sheet.state = "refunded"
        self.end_if_done()

    def may_log(self, sheet: Sheet, now: datetime) -> bool:
        running = self.state == "active" and self.paused is None and sheet.part == 0
        return (
            running
            and sheet.state in ("funded", "in_progress")
            and sheet.closed is None
            and sheet.closes is not None
            and now < sheet.closes
        )

    def room(self, sheet: Sheet, day: int, leave_out: int | None, now: datetime) -> int:
        """How many minutes still fit on that day of the week."""
        begin = sheet.monday + day * DAY
        if not 0 <= day < 7 or begin > now or begin.date() < self.started.date() or (self.stopped and begin.date() > self.stopped.date()):
            return 0
        passed = min(1_440, (now - begin) // timedelta(minutes=1))
        stood = sum((max(timedelta(0), min(b, begin + DAY) - max(a, begin)) for a, b in self.pauses), timedelta(0))
        others = {e: m for e, m in sheet.minutes.items() if e != leave_out}
        on_day = sum(m for e, m in others.items() if sheet.days[e] == day)
        return min(passed - stood // timedelta(minutes=1) - on_day, sheet.cap - sum(others.values()))


class WeeklyContract(RuleBasedStateMachine):
    """Each example is a contract of its own, in a transaction that is rolled back."""

    alice: ClassVar[Any]
    bob: ClassVar[Any]
    support: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer._from_testcase = True  # payments begin outside any transaction but the test's
        self.outer.__enter__()
        begin = clock.now() + (7 - clock.now().weekday()) * DAY
        past(datetime(begin.year, begin.month, begin.day, 9, 0, 10, tzinfo=UTC))
        self.contract = hire_now(self.alice, self.bob, rate=RATE, cap=601)
        self.model = Model(started=clock.now(), cap=601)
        self.model.open_weeks(clock.now())

    def teardown(self) -> None:
        report = ledger_check(allow_empty=True)
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)
        assert report.ok, report.violations

    # ——— helpers

    def rows(self) -> list[Timesheet]:
        """The sheets as they are stored, in the order of the model's."""
        return list(Timesheet.objects.filter(contract=self.contract).select_related("milestone").order_by("milestone__position"))

    def at(self, where: int) -> tuple[Sheet, Timesheet]:
        rows = self.rows()
        i = max(0, len(rows) - 1 - where)
        return self.model.sheets[i], rows[i]

    def attempt(self, allowed: bool, act: Callable[[], Any], *, inside: bool = True) -> Any:
        """Run the act; it must be refused exactly when the model says so, and a refusal leaves nothing."""
        try:
            with transaction.atomic() if inside else nullcontext():
                found = act()
        except DomainError as e:
            assert not allowed, f"refused: {e}"
            return None
        assert allowed, "the model refuses this"
        return found

    @initialize(funded=st.integers(0, 2))
    def the_client_pays_ahead(self, funded: int) -> None:
        for i in range(funded):
            self.fund(1 - i, by_card=True)

    # ——— time

    @rule(hours=st.sampled_from([1, 7, 24, 30, 72]))
    def time_passes(self, hours: int) -> None:
        clock.advance(hours * 3600)

    @rule(twice=st.booleans())
    def clocks_run(self, twice: bool) -> None:
        for _ in range(2 if twice else 1):
            self._open()
            self._close()
            self._approve()
            self._grant()

    def _open(self) -> None:
        tasks.open_weeks_due()
        m, now = self.model, clock.now()
        if m.next_week and m.next_week <= now and m.state == "active" and m.paused is None:
            present = m.open_weeks(now)
            if m.auto and present.state == "planned":
                m.fund(present)

    def _close(self) -> None:
        tasks.close_weeks_due()
        m, now = self.model, clock.now()
        due = [s for s in m.sheets if s.closed is None and s.closes and s.closes <= now and m.paused is None]
        for s in sorted(due, key=lambda s: s.closes or now):
            if s.state == "planned":
                s.state, s.closed = "cancelled", now
                m.end_if_done()
            elif s.state in ("funded", "in_progress"):
                m.fix(s, now)

    def _approve(self) -> None:
        tasks.auto_approve_due()
        for s in self.model.sheets:
            if s.state == "submitted" and s.approves and s.approves <= clock.now() and self.model.paused is None:
                self.model.release(s)

    def _grant(self) -> None:
        tasks.grant_questions_due()
        for s in self.model.sheets:
            if s.state == "changes_requested" and s.answers_by and s.answers_by <= clock.now() and self.model.paused is None:
                self.model.refund(s)

    # ——— the client

    @rule(where=Where, by_card=st.booleans())
    def fund(self, where: int, by_card: bool) -> None:
        sheet, row = self.at(where)
        m = self.model
        allowed = m.state == "active" and sheet.state == "planned" and (by_card or m.wallet >= sheet.amount)
        self.attempt(
            allowed,
            lambda: services.milestone_fund(
                actor=self.alice,
                milestone_id=row.milestone_id,
                provider="sandbox" if by_card else services.WALLET,
                method={"token": "tok_visa"} if by_card else {},
                idempotency_key=uuid.uuid4().hex,
            ),
            inside=False,
        )
        if allowed:
            m.wallet += sheet.amount if by_card else 0
            m.fund(sheet)

    @rule(where=Where)
    def approve(self, where: int) -> None:
        sheet, row = self.at(where)
        allowed = sheet.state == "submitted"
        self.attempt(allowed, lambda: services.milestone_approve(actor=self.alice, milestone_id=row.milestone_id))
        if allowed:
            self.model.release(sheet)

    @rule(where=Where, which=st.sets(st.integers(0, 4), min_size=1, max_size=3))
    def question(self, where: int, which: set[int]) -> None:
        sheet, row = self.at(where)
        m, now = self.model, clock.now()
        order = sheet.in_order()
        chosen = [order[i] for i in sorted(which) if i < len(order)]
        amount = sum(sheet.worth.get(e, 0) for e in chosen)
        in_time = sheet.approves is not None and (m.paused is not None or now < sheet.approves)
        allowed = m.state == "active" and sheet.state == "submitted" and sheet.part == 0 and in_time and not sheet.asked and amount > 0
        questions = [{"entry_id": e, "reason": "Why?"} for e in chosen]
        self.attempt(allowed, lambda: services.week_question(actor=self.alice, timesheet_id=row.pk, questions=questions))
        if not allowed:
            return
        sheet.asked = True
        part = Sheet(sheet.monday, sheet.cap, part=1, state="changes_requested", amount=amount, closed=now, submitted=sheet.submitted)
        part.answers_by = now + 3 * DAY
        for e in chosen:
            part.minutes[e], part.days[e], part.worth[e] = sheet.minutes.pop(e), sheet.days.pop(e), sheet.worth.pop(e)
        m.sheets.append(part)
        if amount == sheet.amount:
            sheet.state = "refunded"
        else:
            sheet.amount -= amount

    @rule(roll=st.booleans(), auto=st.booleans())
    def choose(self, roll: bool, auto: bool) -> None:
        m = self.model
        allowed = m.state == "active" and m.stopped is None
        unspent = "roll" if roll else "refund"
        self.attempt(
            allowed, lambda: services.hours_settings(actor=self.alice, contract_id=self.contract.pk, unspent=unspent, auto_fund=auto)
        )
        if allowed:
            m.roll, m.auto = roll, auto

    # ——— the freelancer

    @rule(minutes=st.lists(st.sampled_from([7, 50, 61, 200]), min_size=1, max_size=4), hand_in=st.booleans())
    def work_a_day(self, minutes: list[int], hand_in: bool) -> None:
        """A day passes on the newest week with money, and is logged; perhaps the week is handed in."""
        open_weeks = [i for i, s in enumerate(self.model.sheets) if s.state in ("funded", "in_progress")]
        clock.advance(24 * 3600)
        if not open_weeks:
            return
        where = len(self.model.sheets) - 1 - open_weeks[0]
        day = (clock.now() - DAY - self.model.sheets[open_weeks[0]].monday) // DAY
        for each in minutes:
            self.log(where, day, each)
        if hand_in:
            self.submit(where)

    @rule(where=Where, day=st.integers(-1, 7), minutes=st.sampled_from([1, 59, 60, 100, 301]))
    def log(self, where: int, day: int, minutes: int) -> None:
        sheet, row = self.at(where)
        m, now = self.model, clock.now()
        allowed = m.may_log(sheet, now) and minutes <= m.room(sheet, day, None, now)
        entry = self.attempt(
            allowed,
            lambda: services.entry_log(
                actor=self.bob, timesheet_id=row.pk, day=(sheet.monday + day * DAY).date(), minutes=minutes, what="The cart."
            ),
        )
        if allowed:
            sheet.minutes[entry.pk], sheet.days[entry.pk], sheet.state = minutes, day, "in_progress"

    @precondition(lambda self: any(s.minutes for s in self.model.sheets))
    @rule(where=st.integers(0, 9), minutes=st.sampled_from([0, 1, 61, 300]), day=st.integers(0, 6))
    def correct(self, where: int, minutes: int, day: int) -> None:
        """0 minutes: the entry is removed."""
        m, now = self.model, clock.now()
        known = [(s, e) for s in m.sheets for e in s.in_order()]
        sheet, entry = known[where % len(known)]
        if minutes == 0:
            allowed = m.may_log(sheet, now)
            self.attempt(allowed, lambda: services.entry_remove(actor=self.bob, entry_id=entry))
            if allowed:
                del sheet.minutes[entry], sheet.days[entry]
            return
        allowed = m.may_log(sheet, now) and minutes <= m.room(sheet, day, entry, now)
        on = (sheet.monday + day * DAY).date()
        self.attempt(allowed, lambda: services.entry_change(actor=self.bob, entry_id=entry, minutes=minutes, day=on))
        if allowed:
            sheet.minutes[entry], sheet.days[entry] = minutes, day

    @rule(where=Where)
    def submit(self, where: int) -> None:
        sheet, row = self.at(where)
        now = clock.now()
        allowed = self.model.may_log(sheet, now) and sheet.total > 0
        self.attempt(allowed, lambda: services.week_submit(actor=self.bob, timesheet_id=row.pk))
        if allowed:
            self.model.fix(sheet, now)

    @rule(where=Where, less=st.lists(st.sampled_from([0, 1, 30, 1_000]), min_size=5, max_size=5))
    def answer(self, where: int, less: list[int]) -> None:
        sheet, row = self.at(where)
        m, now = self.model, clock.now()
        order = sheet.in_order()
        new = {e: max(0, sheet.minutes[e] - x) for e, x in zip(order, less, strict=False)}
        in_time = sheet.answers_by is not None and (m.paused is not None or now < sheet.answers_by)
        allowed = m.state == "active" and sheet.state == "changes_requested" and in_time
        answers = [{"entry_id": e, "minutes": n, "text": "As logged."} for e, n in new.items()]
        self.attempt(allowed, lambda: services.week_answer(actor=self.bob, timesheet_id=row.pk, answers=answers))
        if not allowed:
            return
        for e, n in new.items():
            if n < sheet.minutes[e]:
                sheet.minutes[e], sheet.worth[e] = n, min(sheet.worth[e], half_up(n))
        stands = sum(sheet.worth.values())
        m.wallet += sheet.amount - stands
        sheet.answers_by = None
        if stands == 0:
            sheet.state = "refunded"
            m.end_if_done()
            return
        sheet.amount, sheet.state, sheet.submitted = stands, "submitted", now
        sheet.approves = max(now + 4 * DAY, sheet.monday + 11 * DAY + 23 * HOUR + timedelta(minutes=59))

    # ——— both, and staff

    @rule(cap=st.sampled_from([30, 601, 900]))
    def change_cap(self, cap: int) -> None:
        m = self.model
        allowed = m.state == "active" and m.stopped is None and cap != m.cap

        def agree() -> None:
            wish = services.cap_change_propose(actor=self.bob, contract_id=self.contract.pk, weekly_cap_minutes=cap)
            services.cap_change_answer(actor=self.alice, cap_change_id=wish.pk, action="accept")

        self.attempt(allowed, agree)
        if allowed:
            m.cap = cap
            for s in m.sheets:
                if s.state == "planned" and s.closed is None:
                    s.cap, s.amount = cap, half_up(cap)

    @precondition(lambda self: len(self.model.sheets) > 3)
    @rule()
    def stop(self) -> None:
        m, now = self.model, clock.now()
        allowed = m.state == "active" and m.stopped is None
        self.attempt(allowed, lambda: services.hours_stop(actor=self.alice, contract_id=self.contract.pk, reason="Done."))
        if not allowed:
            return
        m.stopped, m.next_week = now, None
        for s in m.sheets:
            if s.closed is None and s.state == "planned":
                s.state = "cancelled"
            elif s.closed is None and s.state == "funded" and s.monday.date() > now.date():
                m.wallet += s.amount
                s.state = "refunded"
        m.end_if_done()

    @rule()
    def pause(self) -> None:
        m = self.model
        allowed = m.state == "active" and m.paused is None
        self.attempt(allowed, lambda: services.contract_pause(actor=self.support, contract_id=self.contract.pk, reason="Holidays."))
        if allowed:
            m.paused = clock.now()

    @rule()
    def resume(self) -> None:
        m, now = self.model, clock.now()
        self.attempt(m.paused is not None, lambda: services.contract_resume(actor=self.support, contract_id=self.contract.pk))
        if m.paused is None:
            return
        for s in m.sheets:
            if s.closed is None and s.closes and s.monday.date() <= now.date():
                s.closes += max(timedelta(0), now - max(m.paused, s.monday))
            if s.state == "submitted" and s.approves and s.submitted:
                s.approves += max(timedelta(0), now - max(m.paused, s.submitted))
            if s.state == "changes_requested" and s.answers_by and s.closed:
                s.answers_by += max(timedelta(0), now - max(m.paused, s.closed))
        m.pauses.append((m.paused, now))
        m.paused = None

    # ——— what must always hold

    @invariant()
    def agrees_with_the_model(self) -> None:
        m, rows = self.model, self.rows()
        held = held_by_milestone([r.milestone_id for r in rows])
        stored = [(r.part, r.milestone.state, r.milestone.amount_minor, r.cap_minutes, r.minutes) for r in rows]
        assert stored == [(s.part, s.state, s.amount, s.cap, s.total) for s in m.sheets]
        holding = ("funded", "in_progress", "submitted", "changes_requested")
        expected = [s.amount if s.state in holding else 0 for s in m.sheets]
        assert [h.minor if (h := held.get(r.milestone_id)) else 0 for r in rows] == expected
        wallet, in_holds, _, _ = usd(self.alice)
        assert (wallet, in_holds, usd(self.bob)[2]) == (m.wallet, sum(expected), m.pending)
        entries = TimeEntry.objects.filter(timesheet__contract=self.contract)
        assert {e.pk: e.minutes for e in entries} == {e: n for s in m.sheets for e, n in s.minutes.items()}
        fixed = {e.pk: e.amount_minor for e in entries if e.amount_minor is not None}
        assert fixed == {e: w for s in m.sheets for e, w in s.worth.items()}
        assert Contract.objects.get(pk=self.contract.pk).state == m.state
        assert (HourlyTerms.objects.get(pk=self.contract.pk).stopped_at is None) == (m.stopped is None)


def test_any_order_of_acts_agrees_with_the_model(alice: Any, bob: Any, staff: Any) -> None:
    WeeklyContract.alice, WeeklyContract.bob, WeeklyContract.support = alice, bob, staff("support")
    examples = int(os.environ.get("HOURS_EXAMPLES", "12"))
    quick = settings(
        max_examples=examples,
        phases=[Phase.generate],
        stateful_step_count=30,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(WeeklyContract, settings=quick)


def test_the_model_itself_rounds_like_a_person(alice: Any) -> None:
    assert [half_up(m) for m in (0, 1, 60, 601)] == [0, 76, RATE, 45_746]
    assert by_largest_remainder(100, [1, 1, 1]) == [34, 33, 33]
