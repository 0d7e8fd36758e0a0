"""Business time. Deadlines, clocks and states use `now()`; only the database stamps `updated_at`.

In demo and tests (`BUSINESS_CLOCK_MOVABLE`) the clock can be moved forward for every process at once: the offset lives in a table.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings

from .errors import NotAllowed

#: how far business time may run ahead in all: far enough for every clock, and far from the last date that databases know
MOST_AHEAD_SECONDS = 100 * 365 * 24 * 3600


def now() -> datetime:
    """The business time in UTC. In production this is the wall clock, always."""
    real = datetime.now(UTC)
    if not getattr(settings, "BUSINESS_CLOCK_MOVABLE", False):
        return real
    from .models import BusinessClock

    offset = BusinessClock.objects.filter(pk=1).values_list("offset_seconds", flat=True).first()
    return real + timedelta(seconds=offset or 0)


def advance(seconds: int) -> datetime:
    """Move business time forward (never back: clocks that ran must stay run) and return the new time."""
    from django.db.models import F

    from .models import BusinessClock

    if not getattr(settings, "BUSINESS_CLOCK_MOVABLE", False):
        raise NotAllowed("clock_fixed", "The business clock can be moved in demo and test installations only.")
    if seconds < 0:
        raise NotAllowed("clock_backwards", "The business clock moves forward only.")
    BusinessClock.objects.get_or_create(pk=1)
    within = BusinessClock.objects.filter(pk=1, offset_seconds__lte=MOST_AHEAD_SECONDS - seconds)
    if within.update(offset_seconds=F("offset_seconds") + seconds) != 1:
        raise NotAllowed("clock_too_far", "Business time may run at most 100 years ahead of the wall clock.")
    return now()
