"""When a letter may go out: by the person's pace, digest hour and quiet hours, all in their own time zone. Pure functions.

Local times that a change to summer time skips or repeats are taken as the zone's database resolves them (fold 0), so a letter is due once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .models import Preference

DAY = 24 * 60


def _at(local: datetime, minute: int) -> datetime:
    return local.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0, fold=0)


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute


def quiet_until(local: datetime, start: int, end: int) -> datetime | None:
    """The local end of the quiet hours that `local` lies in; None when it lies in none. `start` = `end` is no quiet time."""
    minute = _minute(local)
    if start < end:
        return _at(local, end) if start <= minute < end else None
    if start > end:
        if minute >= start:
            return _at(local + timedelta(days=1), end)
        if minute < end:
            return _at(local, end)
    return None


def awake_at(preference: Preference, time_zone: str, now: datetime) -> datetime | None:
    """The instant (UTC) at which the quiet hours that `now` lies in end; None when it lies in none."""
    if preference.quiet_from is None or preference.quiet_to is None:
        return None
    end = quiet_until(now.astimezone(ZoneInfo(time_zone)), preference.quiet_from, preference.quiet_to)
    return None if end is None else end.astimezone(UTC)


def due_at(preference: Preference, topic: str, time_zone: str, now: datetime) -> datetime | None:
    """The instant (UTC) at which a letter of this topic is due when its event comes `now`; None when none is wanted."""
    pace = preference.by_topic.get(topic, preference.pace)
    if pace == Preference.Pace.OFF:
        return None
    local = now.astimezone(ZoneInfo(time_zone))
    if pace == Preference.Pace.DAILY:
        today = _at(local, preference.digest_at)
        local = today if today > local else _at(local + timedelta(days=1), preference.digest_at)
    due = local.astimezone(UTC)
    return awake_at(preference, time_zone, due) or due
