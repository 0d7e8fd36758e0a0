"""Weeks, their clocks, and what minutes are worth. Pure: no database, no present time.

A week is Monday 00:00 to Sunday 24:00 UTC for everybody, so no zone's summer time moves an edge of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from django.conf import settings

from marketplace.core.money import split_minor

WEEK = timedelta(days=7)
DAY_MINUTES = 24 * 60


def week_of(at: datetime) -> date:
    """The Monday of the week in which the instant lies, by UTC."""
    day = at.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


def begins(day: date) -> datetime:
    """The instant at which the day begins, by UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def closes_at(week_start: date) -> datetime:
    """When what is logged for the week is submitted by itself: the Monday after it, at noon."""
    return begins(week_start) + WEEK + timedelta(minutes=settings.TIMESHEET_CLOSES_AFTER_MINUTES)


def review_ends(week_start: date, submitted_at: datetime) -> datetime:
    """When silence approves: the Friday after the week at 23:59, but never sooner than TIMESHEET_LEAST_REVIEW_HOURS after the submission,
    so that a clock that stood still does not take the client's time."""
    regular = begins(week_start) + WEEK + timedelta(minutes=settings.TIMESHEET_REVIEW_ENDS_AFTER_MINUTES)
    return max(regular, submitted_at + timedelta(hours=settings.TIMESHEET_LEAST_REVIEW_HOURS))


def worth(minutes: int, rate_minor: int) -> int:
    """Minor units for `minutes` at `rate_minor` an hour, rounded once, half up."""
    return (2 * minutes * rate_minor + 60) // 120


def shares(total_minor: int, minutes: Sequence[int]) -> list[int]:
    """What each entry is of the week's amount: by largest remainder, so that they sum to it exactly; ties go to the earlier entry."""
    return split_minor(total_minor, minutes) if any(minutes) else [0] * len(minutes)


def minutes_passed(day: date, now: datetime) -> int:
    """How many minutes of the day have passed: 0 for a day to come, 1,440 for one that is over."""
    return max(0, min(DAY_MINUTES, int((now - begins(day)).total_seconds() // 60)))


def spoken(minutes: int) -> str:
    """ "12 h 30 min"."""
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours and rest else f"{hours} h" if hours else f"{rest} min"
