"""The exchange rates as finance staff see them: the newest of each currency with its age and source, and what was set by hand, by whom and why."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Max, QuerySet

from marketplace.core import clock
from marketplace.core.policies import Actor, require_staff

from . import fx
from .models import FxRate, HandRate


@dataclass(frozen=True, slots=True)
class RateKnown:
    """The newest stored rate of a currency for one US dollar, and what of it was set by hand or waits."""

    rate: FxRate
    age_days: int
    #: for how many days more money may move at it; negative when it is too old; None for one of the packages, which is good at any age here
    days_left: int | None
    by_hand: HandRate | None
    waiting: HandRate | None


def rates_known(actor: Actor) -> list[RateKnown]:
    """One for each currency, in alphabetical order. Raises NotAllowed for anybody who may not see payments."""
    require_staff(actor, "payments_see")
    day = clock.now().date()
    rows = FxRate.objects.filter(base="USD", as_of__lte=day).exclude(source__startswith="derived")
    newest = rows.values("quote").annotate(last=Max("as_of")).values_list("quote", "last")
    last = dict(newest)
    of_last = rows.filter(as_of__in=set(last.values())).select_related("by_hand__asked_by", "by_hand__decided_by").order_by("id")
    found = {row.quote: row for row in of_last if row.as_of == last[row.quote]}  # of one day, the one that was stored last
    waiting = {row.currency: row for row in _requests().filter(state="asked")}
    return [
        RateKnown(
            rate=row,
            age_days=(day - row.as_of).days,
            days_left=None if fx.packaged(row) else fx.days_left(row, day),
            by_hand=getattr(row, "by_hand", None),
            waiting=waiting.get(currency),
        )
        for currency, row in sorted(found.items())
    ]


def hand_rates(actor: Actor, *, currency: str = "", state: str = "") -> QuerySet[HandRate]:
    """What was set by hand or waits to be. Raises NotAllowed for anybody who may not see payments."""
    require_staff(actor, "payments_see")
    asked = {"currency": currency, "state": state}
    return _requests().filter(**{name: value for name, value in asked.items() if value})


def _requests() -> QuerySet[HandRate]:
    return HandRate.objects.select_related("asked_by", "decided_by")
