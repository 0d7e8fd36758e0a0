"""Weeks by UTC whatever the parties' clocks say, and minutes that become minor units without losing one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.contracts import hours_calendar as calendar
from marketplace.contracts import services, tasks
from marketplace.contracts.models import TimeEntry, Timesheet
from marketplace.core import clock
from marketplace.core.errors import DomainError
from marketplace.core.money import Money
from marketplace.payments.selectors import held
from tests.webapp.hours_cast import DAY, SECOND, fresh, go_to, past, usd, utc, weeks

#: the books are checked after every test of this folder, also after those that only count
pytestmark = pytest.mark.django_db
MINUTES, RATES = st.integers(0, 7 * 1440), st.integers(1, 10**9)


# ——— what minutes are worth


@given(minutes=MINUTES, rate=RATES)
def test_minutes_are_rounded_once_and_half_up(minutes: int, rate: int) -> None:
    exact = Fraction(minutes * rate, 60)
    assert calendar.worth(minutes, rate) == floor(exact + Fraction(1, 2))


@given(cap=MINUTES, rate=RATES, data=st.data())
def test_what_is_within_the_cap_is_never_worth_more_than_is_held(cap: int, rate: int, data: Any) -> None:
    minutes = data.draw(st.integers(0, cap))
    assert 0 <= calendar.worth(minutes, rate) <= calendar.worth(cap, rate)


@given(minutes=st.lists(st.integers(1, 1440), min_size=1, max_size=40), rate=RATES)
def test_entries_share_the_weeks_amount_exactly_and_fairly(minutes: list[int], rate: int) -> None:
    total = calendar.worth(sum(minutes), rate)
    shares = calendar.shares(total, minutes)
    assert sum(shares) == total
    for share, each in zip(shares, minutes, strict=True):
        assert abs(share - Fraction(total * each, sum(minutes))) < 1
    for questioned in range(len(minutes)):
        assert 0 <= shares[questioned] <= total


@pytest.mark.parametrize(
    ("minutes", "rate", "worth"),
    [(90, 1_000, 1_500), (1, 30, 1), (1, 29, 0), (50, 4_567, 3_806), (333, 6_000, 33_300), (20, 2_500, 833)],
)
def test_worked_examples(minutes: int, rate: int, worth: int) -> None:
    assert calendar.worth(minutes, rate) == worth


def test_worked_example_of_shares() -> None:
    """Three calls of 20 minutes at 25.00 an hour: 25.00 in all, of which the first gets the cent that is left."""
    assert calendar.worth(60, 2_500) == 2_500
    assert calendar.shares(2_500, [20, 20, 20]) == [834, 833, 833]
    assert calendar.shares(0, []) == []


@pytest.mark.parametrize(("minutes", "words"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (150, "2 h 30 min")])
def test_minutes_in_words(minutes: int, words: str) -> None:
    assert calendar.spoken(minutes) == words


# ——— weeks


@given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_every_instant_lies_in_one_week(at: datetime) -> None:
    monday = calendar.week_of(at)
    assert monday.weekday() == 0
    assert calendar.begins(monday) <= at < calendar.begins(monday) + timedelta(days=7)
    assert calendar.closes_at(monday) - calendar.begins(monday) == timedelta(days=7, hours=12)


ZONES = ["Europe/Berlin", "America/New_York", "Africa/Nairobi", "Pacific/Kiritimati", "Australia/Lord_Howe"]
#: a Monday whose week holds: Europe's change to summer time, its end, America's change, a leap day, the turn of the year
MONDAYS = [date(2027, 3, 22), date(2027, 10, 25), date(2028, 3, 6), date(2028, 2, 28), date(2027, 12, 27)]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("monday", MONDAYS, ids=str)
def test_no_zones_summer_time_moves_an_edge(zone: str, monday: date) -> None:
    first = calendar.begins(monday)
    assert first.utcoffset() == timedelta(0) and (calendar.closes_at(monday) - first).total_seconds() == (7 * 24 + 12) * 3600
    for instant, week in (
        (first - SECOND, monday - 7 * DAY),
        (first, monday),
        (first + 7 * DAY - SECOND, monday),
        (first + 7 * DAY, monday + 7 * DAY),
    ):
        assert calendar.week_of(instant.astimezone(ZoneInfo(zone))) == week


@pytest.mark.parametrize("monday", MONDAYS, ids=str)
def test_a_week_lives_by_utc_whatever_changes_in_it(
    alice: Any, bob: Any, hire: Callable[..., Any], pay_week: Any, log: Callable[..., TimeEntry], monday: date
) -> None:
    """Opened, logged on all seven days, closed and approved at its edges, with every clock delivered twice."""
    alice.time_zone, bob.time_zone = "Europe/Berlin", "America/New_York"
    for person in (alice, bob):
        person.save()
    contract = hire(monday, cap=7 * 1440, rate=600)
    sheet = pay_week(weeks(contract)[0])
    assert sheet.week_start == monday
    past(calendar.begins(monday) + 7 * DAY)
    for day in range(7):
        log(sheet, 1440, day)
    with pytest.raises(DomainError, match="minutes_beyond_day"):
        log(sheet, 1, 6)
    assert [tasks.open_weeks_due() for _ in range(2)] == [1, 0]
    go_to(sheet.closes_at - 2 * SECOND)
    assert tasks.close_weeks_due() == 0
    clock.advance(3)
    assert [tasks.close_weeks_due() for _ in range(2)] == [1, 0]
    due = fresh(sheet).milestone.auto_approve_at
    assert (due.weekday(), due.hour, due.minute, due.date() - monday) == (4, 23, 59, timedelta(days=11))
    go_to(due - 2 * SECOND)
    assert tasks.auto_approve_due() == 0
    clock.advance(3)
    assert [tasks.auto_approve_due() for _ in range(2)] == [1, 0]
    assert usd(bob)[2] == 7 * 24 * 600 * 9 // 10


def test_a_leap_day_is_a_day_like_any_other(hire: Callable[..., Any], pay_week: Any, log: Callable[..., TimeEntry]) -> None:
    sheet = pay_week(weeks(hire(date(2028, 2, 28)))[0])
    past(utc(2028, 3, 1, 8))
    assert log(sheet, 60, 1).day == date(2028, 2, 29)
    assert log(sheet, 60, 2).day == date(2028, 3, 1)


# ——— currencies


@pytest.mark.parametrize(
    ("currency", "rate", "cap", "minutes", "worth"),
    [("JPY", 2_500, 600, 50, 2_083), ("USD", 4_567, 600, 50, 3_806), ("KWD", 12_345, 600, 50, 10_288)],
    ids=["none", "two", "three"],
)
def test_minor_units_of_every_kind(
    alice: Any,
    bob: Any,
    hire: Callable[..., Any],
    pay_week: Any,
    log: Callable[..., TimeEntry],
    currency: str,
    rate: int,
    cap: int,
    minutes: int,
    worth: int,
) -> None:
    bob.freelancer_profile.currency = currency
    bob.freelancer_profile.save()
    contract = hire(currency=currency, rate=rate, cap=cap)
    sheet = pay_week(weeks(contract)[0])
    log(sheet, minutes)
    services.week_submit(actor=bob, timesheet_id=sheet.pk)
    assert held(sheet.milestone_id) == Money(worth, currency)
    assert usd(alice, currency)[:2] == (calendar.worth(cap, rate) - worth, worth)
    services.milestone_approve(actor=alice, milestone_id=sheet.milestone_id)
    assert Timesheet.objects.get(pk=sheet.pk).milestone.state == "released"


def test_a_minute_that_rounds_to_nothing_is_owed_nothing(
    alice: Any, bob: Any, hire: Callable[..., Any], pay_week: Any, log: Callable[..., TimeEntry]
) -> None:
    sheet = pay_week(weeks(hire(rate=20, cap=60))[0])
    log(sheet, 1)
    services.week_submit(actor=bob, timesheet_id=sheet.pk)
    assert fresh(sheet).milestone.state == "refunded" and usd(alice)[:2] == (20, 0)
