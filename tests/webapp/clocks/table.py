"""What the table of clocks is made of: edges in time, a house whose clock stands still, and a clock's row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.core import mail
from django.db import connection
from django.db.models import Model

from marketplace.core import clock
from marketplace.core.models import Event
from marketplace.payments.selectors import balances_of

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


@dataclass(frozen=True, slots=True)
class Edge:
    """An instant that a clock which counts local days, or dates, gets wrong."""

    name: str
    zone: str
    at: datetime
    #: how much longer the local day of the edge lasts than 24 hours
    longer: timedelta = timedelta(0)

    def evening_before(self, hour: int) -> datetime:
        """That hour, local, on the day before the edge's, in UTC."""
        day = self.at.astimezone(ZoneInfo(self.zone)).date() - DAY
        return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(self.zone)).astimezone(UTC)


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


SPRINGS = [
    Edge("berlin-spring-2026", BERLIN, _utc(2026, 3, 29, 1), -HOUR),
    Edge("new-york-spring-2026", NEW_YORK, _utc(2026, 3, 8, 7), -HOUR),
    Edge("berlin-spring-2027", BERLIN, _utc(2027, 3, 28, 1), -HOUR),
    Edge("new-york-spring-2027", NEW_YORK, _utc(2027, 3, 14, 7), -HOUR),
    Edge("berlin-spring-2028", BERLIN, _utc(2028, 3, 26, 1), -HOUR),
    Edge("new-york-spring-2028", NEW_YORK, _utc(2028, 3, 12, 7), -HOUR),
]
AUTUMNS = [
    Edge("new-york-autumn-2026", NEW_YORK, _utc(2026, 11, 1, 6), HOUR),
    Edge("berlin-autumn-2026", BERLIN, _utc(2026, 10, 25, 1), HOUR),
    Edge("new-york-autumn-2027", NEW_YORK, _utc(2027, 11, 7, 6), HOUR),
    Edge("berlin-autumn-2027", BERLIN, _utc(2027, 10, 31, 1), HOUR),
    Edge("new-york-autumn-2028", NEW_YORK, _utc(2028, 11, 5, 6), HOUR),
    Edge("berlin-autumn-2028", BERLIN, _utc(2028, 10, 29, 1), HOUR),
]
LEAP_DAY = Edge("leap-day-2028", BERLIN, _utc(2028, 2, 29))


class House:
    """The fixtures as people of a moment make them: nothing exists before it is asked for, at the time that the house then has."""

    def __init__(self, request: pytest.FixtureRequest, time_machine: Any) -> None:
        self._request, self._travel = request, time_machine
        self.edge = LEAP_DAY

    def open(self, start: datetime, edge: Edge) -> None:
        """Begin at `start`: the client lives in Berlin, the freelancer in New York."""
        self.edge = edge
        self._travel.move_to(start, tick=False)
        for person, zone in ((self.alice, BERLIN), (self.bob, NEW_YORK)):
            person.time_zone = zone
            person.save(update_fields=["time_zone"])

    def get(self, fixture: str) -> Any:
        return self._request.getfixturevalue(fixture)

    @property
    def alice(self) -> Any:
        return self.get("alice")

    @property
    def bob(self) -> Any:
        return self.get("bob")

    def staff(self, group: str) -> Any:
        return self.get("staff")(group)

    def wait(self, span: timedelta) -> None:
        self._travel.shift(span)

    def go(self, instant: datetime) -> None:
        self._travel.move_to(instant, tick=False)


@dataclass(frozen=True, slots=True)
class Armed:
    """A clock that runs: when it is due by what is stored (None: nothing is), the act that its sweep calls for the row, and what shows it."""

    due: datetime | None
    act: Callable[[], object] | None
    shows: Callable[[], object]
    was: object
    becomes: object
    #: from when on it counts, if that is not the present
    since: datetime | None = None


Expected = Callable[[datetime, Edge], datetime]


@dataclass(frozen=True, slots=True)
class Clock:
    """A row of the table: a sweep of beat, and one thing that it does when a time is over."""

    name: str
    #: in the schedule of beat
    task: str
    arrange: Callable[[House], Armed]
    #: how many elapsed seconds lie between setting and acting, or the instant for clocks that follow a calendar
    lasts: timedelta | Expected
    #: how long the arrangement takes before the clock is set
    lead: timedelta = timedelta(0)
    #: when the arrangement begins, for clocks that follow a calendar
    begins: Callable[[Edge], datetime] | None = None
    #: what the sweep says that it did
    done: int | None = 1
    #: the name under which `each_due` logs the act
    what: str = ""
    #: how long after it another sweep comes
    later: timedelta = HOUR

    def start(self, edge: Edge) -> datetime:
        """So that the edge lies in the middle of the clock's time."""
        if self.begins is not None:
            return self.begins(edge)
        assert isinstance(self.lasts, timedelta)
        return (edge.at - self.lasts / 2).replace(microsecond=0) - self.lead

    def due(self, since: datetime, edge: Edge) -> datetime:
        """What the rule says, in elapsed time or by its calendar."""
        return since + self.lasts if isinstance(self.lasts, timedelta) else self.lasts(since, edge)


def edges_of(lasts: timedelta | Expected, index: int) -> list[Edge]:
    """A change of the clocks and the leap day; both changes for what follows a calendar, the repeated hour alone for what lasts minutes.

    The rows take their changes in turn, so that together they meet the springs and autumns of all zones and years.
    """
    spring, autumn = SPRINGS[index // 2 % len(SPRINGS)], AUTUMNS[index // 2 % len(AUTUMNS)]
    if not isinstance(lasts, timedelta):
        return [spring, autumn, LEAP_DAY]
    return [autumn] if lasts < HOUR else [(spring, autumn)[index % 2], LEAP_DAY]


def world() -> dict[str, Any]:
    """A checksum of every table, and how many letters went out: equal before and after means that nothing happened at all."""
    tables = sorted({m._meta.db_table for m in apps.get_models(include_auto_created=True) if m._meta.managed and not m._meta.proxy})
    with connection.cursor() as cursor:
        cursor.execute(f"CHECKSUM TABLE {', '.join(f'`{t}`' for t in tables)}")
        found: dict[str, Any] = {str(name).partition(".")[2]: checksum for name, checksum in cursor.fetchall()}
    assert None not in found.values()
    return {**found, "letters sent": len(mail.outbox)}


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The tables that differ."""
    return [name for name, checksum in after.items() if before[name] != checksum]


def state(row: Model, field: str = "state") -> Callable[[], Any]:
    """What the row's field holds whenever it is asked."""
    return lambda: type(row)._default_manager.values_list(field, flat=True).get(pk=row.pk)


def is_set(row: Model, field: str) -> Callable[[], bool]:
    return lambda: state(row, field)() is not None


def told(kind: str) -> Callable[[], int]:
    """How many events of the kind there are."""
    return lambda: Event.objects.filter(kind=kind).count()


def usd(user: Any) -> tuple[int, int, int, int]:
    """(wallet, held, pending, available) of a user in USD minor units."""
    found = {b.currency: b for b in balances_of(user.pk)}.get("USD")
    return (0, 0, 0, 0) if found is None else (found.wallet.minor, found.held.minor, found.pending.minor, found.available.minor)


def now() -> datetime:
    return clock.now()
