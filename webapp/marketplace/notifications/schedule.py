"""When a letter may go out: by the person's pace, digest hour and quiet hours, all in their own time zone. Pure functions.

Local times that a change to summer time skips or repeats are taken as the zone's database resolves them (fold 0), so a letter is due once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .models import Preference

DAY = timedelta(days=1)


def _at(day: datetime, minute: int) -> datetime:
    """The minute of that local day as an instant: local times cannot be compared across a change of the clocks."""
    return day.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0, fold=0).astimezone(UTC)


def awake_at(preference: Preference, time_zone: str, now: datetime) -> datetime | None:
    """The instant (UTC) at which the quiet hours that `now` lies in end; None when it lies in none. Equal ends are no quiet time.

    The hours of a night lie between two instants, so that they begin and end once also in the night in which an hour is repeated.
    """
    begins, ends = preference.quiet_from, preference.quiet_to
    if begins is None or ends is None:
        return None
    today = now.astimezone(ZoneInfo(time_zone))
    for day in (today - DAY, today):
        end = _at(day if begins <= ends else day + DAY, ends)
        if _at(day, begins) <= now < end:
            return end
    return None


def due_at(preference: Preference, topic: str, time_zone: str, now: datetime) -> datetime | None:
    """The instant (UTC) at which a letter of this topic is due when its event comes `now`; None when none is wanted. It is never in the past."""
    pace = preference.by_topic.get(topic, preference.pace)
    if pace == Preference.Pace.OFF:
        return None
    due = now
    if pace == Preference.Pace.DAILY:
        local = now.astimezone(ZoneInfo(time_zone))
        today = _at(local, preference.digest_at)
        due = today if today > now else _at(local + DAY, preference.digest_at)
    return awake_at(preference, time_zone, due) or due
