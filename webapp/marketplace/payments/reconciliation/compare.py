"""What a gateway tells and what we have posted, item by item: pure arithmetic, in minor units, without the database.

An item is one object in one currency ("payment:12", USD): a payment with its fee, a payout with its return. All that either side has of it is
summed before it is compared, so that it does not matter in how many movements it came.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

#: (item, currency)
Key = tuple[str, str]
BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class Part:
    """One movement of an item: by `amount` − `fee`, at an instant. `booking`: it was booked for a difference, and is no news of the item."""

    amount: int
    fee: int
    at: datetime
    booking: bool = False


@dataclass(slots=True)
class Side:
    """What one side has of an item."""

    parts: list[Part] = field(default_factory=list)

    def only(self, counts: Callable[[Part], bool]) -> Side:
        return Side([p for p in self.parts if counts(p)])

    @property
    def news(self) -> list[Part]:
        return [p for p in self.parts if not p.booking]

    @property
    def amount(self) -> int:
        return sum(p.amount for p in self.parts)

    @property
    def fee(self) -> int:
        return sum(p.fee for p in self.parts)

    @property
    def net(self) -> int:
        return self.amount - self.fee

    @property
    def first(self) -> datetime:
        return min(p.at for p in self.news)

    @property
    def last(self) -> datetime:
        return max(p.at for p in self.news)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A difference that there is. `effect` is what the gateway's balance has more than our books because of it."""

    item: str
    currency: str
    aspect: str
    kind: str
    effect: int
    theirs: int | None
    ours: int | None
    since: datetime
    other_currency: str = ""


@dataclass(slots=True)
class Found:
    """What a comparison came to in one currency: counts, what is in flight or not covered (as effects), and the differences."""

    matched: int = 0
    in_flight: int = 0
    in_flight_minor: int = 0
    uncovered: int = 0
    uncovered_minor: int = 0
    wanted: list[Wanted] = field(default_factory=list)


def compare(
    theirs: Mapping[Key, Side],
    ours: Mapping[Key, Side],
    *,
    cutoff: datetime,
    covered: Callable[[datetime], bool],
    grace: timedelta,
    shift: timedelta,
    unsettled: Collection[str] = (),
    patience: timedelta = timedelta(0),
) -> dict[str, Found]:
    """Currency → what was found. Every item ends as matched, in flight, uncovered or with differences, and the effects sum to theirs − ours.

    What only one side has and is younger than `grace` at the cutoff is in flight. What only we have on days that no list or file of the
    gateway covers is uncovered. Items that are `unsettled` with us, such as a payout whose bank has not answered, are in flight for `patience`. Two sides whose days lie more than `shift` apart have shifted.
    """
    found: dict[str, Found] = {}
    nothing = Side()
    for key in sorted({*theirs, *ours}):
        into = found.setdefault(key[1], Found())
        young = cutoff - (max(grace, patience) if key[0] in unsettled else grace)
        _item(into, key, theirs.get(key, nothing), ours.get(key, nothing), young, covered, shift)
    _join_currencies(found)
    return found


def _item(into: Found, key: Key, theirs: Side, ours: Side, young: datetime, covered: Callable[[datetime], bool], shift: timedelta) -> None:
    alike = (theirs.amount, theirs.fee) == (ours.amount, ours.fee)
    if not alike and theirs.news and not all(covered(p.at) for p in ours.news):
        # the beginning of the item may lie before anything was read: what is covered has to agree then
        rest = ours.only(lambda p: p.booking or covered(p.at))
        if (theirs.amount, theirs.fee) == (rest.amount, rest.fee):
            alike, ours = True, rest
    news = [p.at for p in (*theirs.news, *ours.news)]
    effect = theirs.net - ours.net
    if alike:
        into.matched += 1
        if theirs.news and ours.news and not _near(theirs, ours, shift):
            into.wanted.append(Wanted(*key, "date", "date_shifted", 0, theirs.amount, ours.amount, theirs.first))
    elif news and max(news) > young:
        into.in_flight += 1
        into.in_flight_minor += effect
    elif ours.news and not theirs.news and not any(covered(p.at) for p in ours.news):
        into.uncovered += 1
        into.uncovered_minor += effect
    elif effect == 0 and not (theirs.news and ours.news):
        into.matched += 1  # it came and went on one side alone
    else:
        into.wanted += _wanted(key, theirs, ours, effect, young)


def _near(theirs: Side, ours: Side, shift: timedelta) -> bool:
    return abs(theirs.first - ours.first) <= shift and abs(theirs.last - ours.last) <= shift


def _wanted(key: Key, theirs: Side, ours: Side, effect: int, young: datetime) -> Iterable[Wanted]:
    if not ours.news:
        since = theirs.first if theirs.news else young
        yield Wanted(*key, "amount", "missing_with_us", effect, theirs.net, ours.net or None, since)
        return
    if not theirs.news:
        yield Wanted(*key, "amount", "missing_with_them", effect, None, ours.net, ours.first)
        return
    since = max(theirs.first, ours.first)
    if theirs.amount != ours.amount:
        yield Wanted(*key, "amount", "amount_differs", theirs.amount - ours.amount, theirs.amount, ours.amount, since)
    if theirs.fee != ours.fee:
        yield Wanted(*key, "fee", "fee_differs", ours.fee - theirs.fee, theirs.fee, ours.fee, since)


def _join_currencies(found: Mapping[str, Found]) -> None:
    """What is missing with us in one currency and with them in another is one payment that has another currency there."""
    by_item: dict[str, list[tuple[Found, int]]] = {}
    for into in found.values():
        for place, wanted in enumerate(into.wanted):
            if wanted.kind in ("missing_with_us", "missing_with_them"):
                by_item.setdefault(wanted.item, []).append((into, place))
    for places in by_item.values():
        kinds = {into.wanted[place].kind for into, place in places}
        if len(places) != 2 or len(kinds) != 2:
            continue
        (one, i), (other, k) = places
        first, second = one.wanted[i], other.wanted[k]
        one.wanted[i] = _in_other(first, second.currency)
        other.wanted[k] = _in_other(second, first.currency)


def _in_other(wanted: Wanted, currency: str) -> Wanted:
    return Wanted(
        wanted.item, wanted.currency, "amount", "currency_differs", wanted.effect, wanted.theirs, wanted.ours, wanted.since, currency
    )
