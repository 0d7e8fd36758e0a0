"""What staff see at a glance: whether money is conserved, whether balances are their replay, how old what is unsettled and held has become."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.apps import apps
from django.db.models import Count, Max, Min, Sum

from marketplace.core import clock
from marketplace.core.money import Money

from ..ledger.accounts import USER_KINDS, Kind
from ..ledger.check import MOST, REPLAY
from ..models import (
    Account,
    AccountBalance,
    Difference,
    LedgerCheck,
    Payment,
    PaymentRefund,
    Payout,
    Posting,
    ReconciliationRun,
    ReconciliationTotal,
)
from .runs import newest_due, providers

#: upper ends of the bands of ages, in days; above the last one is a band too
BANDS = (1, 3, 7, 30)
HOLD_BANDS = (14, 30, 60, 75)
#: beat checks the ledger every hour, and compares a day within an hour of the time at which it may
CHECKED_WITHIN = timedelta(hours=3)
RUN_WITHIN_HOURS = 2


@dataclass(frozen=True, slots=True)
class Conserved:
    """One currency: what users own, what the platform has (fees, tax, suspense, …), and what the gateways hold. The three sum to nothing."""

    currency: str
    users: Money
    platform: Money
    gateways: Money
    rest: Money
    stored: Money
    replayed: Money

    @property
    def ok(self) -> bool:
        return not self.rest and self.stored == self.replayed


@dataclass(frozen=True, slots=True)
class Band:
    """How much is of an age; `last`: of the oldest band, which should be empty."""

    what: str
    words: str
    count: int
    amount: Money
    last: bool


@dataclass(frozen=True, slots=True)
class Day:
    """The newest compared day of a gateway in one currency; `provider` is None where the gateway does not tell its balance, all amounts are where
    nothing was compared. `late`: newer days should have been compared by now."""

    gateway: str
    day: date | None
    state: str
    late: bool
    error: str = ""
    currency: str = ""
    provider: Money | None = None
    ledger: Money | None = None
    in_flight: Money | None = None
    uncovered: Money | None = None
    differences: Money | None = None
    unexplained: Money | None = None


@dataclass(slots=True)
class Overview:
    """All of it, at an instant. `check_late`: the ledger was not checked for longer than CHECKED_WITHIN."""

    at: datetime
    conserved: list[Conserved] = field(default_factory=list)
    drift: list[tuple[str, Money, Money]] = field(default_factory=list)
    unsettled: list[Band] = field(default_factory=list)
    holds: list[Band] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    check: LedgerCheck | None = None
    check_late: bool = False


def overview() -> Overview:
    """Read it all. Sums the whole ledger: a page for staff, not for a clock."""
    now = clock.now()
    found = Overview(now, _conserved(), _drift(), _unsettled(now), _holds(now))
    found.check = LedgerCheck.objects.order_by("-checked_at", "-pk").first()
    found.check_late = found.check is None or found.check.checked_at < now - CHECKED_WITHIN
    live = Difference.objects.filter(state__in=("open", "waiting", "explained", "crediting")).values("provider", "currency", "state")
    rows = live.annotate(count=Count("pk"), effect=Sum("effect_minor"), oldest=Min("since"), owned=Count("owner"))
    found.differences = [
        {**row, "effect": Money(int(row["effect"]), row["currency"]), "days": (now - row["oldest"]).days}
        for row in rows.order_by("provider", "currency", "state")
    ]
    found.days = _days(now)
    return found


def _days(now: datetime) -> list[Day]:
    """The newest day of each gateway; one that should have been compared and never was is there too."""
    awaited = newest_due(now - timedelta(hours=RUN_WITHIN_HOURS))
    newest = dict(ReconciliationRun.objects.values_list("provider").annotate(last=Max("day")))
    runs = ReconciliationRun.objects.filter(day__in=set(newest.values())).prefetch_related("totals")
    of = {run.provider: run for run in runs if newest[run.provider] == run.day}
    days = []
    for gateway in sorted({*providers(), *of}):
        run = of.get(gateway)
        if run is None:
            days.append(Day(gateway, None, "never compared", late=True))
            continue
        about: Any = (gateway, run.day, run.state, run.day < awaited or run.state != "finished", run.last_error)
        totals = sorted(run.totals.all(), key=lambda t: t.currency)
        lines: list[tuple[Any, ...]] = [(*about, t.currency, *_amounts(t)) for t in totals] or [about]
        days += [Day(*line) for line in lines]
    return days


def _amounts(t: ReconciliationTotal) -> Iterator[Money | None]:
    for name in ("provider", "ledger", "in_flight", "uncovered", "differences", "unexplained"):
        minor = getattr(t, f"{name}_minor")
        yield None if minor is None else Money(minor, t.currency)


def _sums() -> dict[tuple[str, str], int]:
    """(currency, kind of account) → credit − debit, of all postings."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for side, sign in (("debit_account__kind", -1), ("credit_account__kind", 1)):
        for currency, kind, total in Posting.objects.values_list("currency", side).annotate(n=Sum("amount")):
            found[currency, kind] += sign * int(total)
    return found


def _conserved() -> list[Conserved]:
    sums = _sums()
    stored = {c: int(n) for c, n in AccountBalance.objects.values_list("account__currency").annotate(n=Sum("available"))}
    found = []
    for currency in sorted({c for c, _ in sums} | set(stored)):
        of = {kind: total for (c, kind), total in sums.items() if c == currency}
        users = sum(total for kind, total in of.items() if kind in USER_KINDS)
        gateways = of.get(Kind.CLEARING, 0)
        platform = sum(of.values()) - users - gateways
        values = (users, platform, gateways, sum(of.values()), stored.get(currency, 0), users)
        found.append(Conserved(currency, *(Money(n, currency) for n in values)))
    return found


def _drift() -> list[tuple[str, Money, Money]]:
    """(account, stored, replayed) of the accounts whose stored balance is not the sum of their postings, at most MOST."""
    from django.db import connection

    sql = next(sql for rule, _, sql in REPLAY if rule == "balance_is_replay")
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT {MOST}")
        wrong = dict(cursor.fetchall())
    accounts = Account.objects.in_bulk(wrong)
    replayed: dict[int, int] = defaultdict(int)
    for side, sign in (("debit_account", -1), ("credit_account", 1)):
        for pk, total in Posting.objects.filter(**{f"{side}__in": list(wrong)}).values_list(side).annotate(n=Sum("amount")):
            replayed[pk] += sign * int(total)
    of = [(accounts[pk], int(stored), replayed[pk]) for pk, stored in wrong.items()]
    return [(account.key, Money(stored, account.currency), Money(posted, account.currency)) for account, stored, posted in of]


def _bands(rows: list[tuple[str, str, int, datetime]], ends: tuple[int, ...], now: datetime) -> list[Band]:
    """(what, currency, minor, since) by age: what in order, the oldest band first."""
    sums: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    for what, currency, minor, since in rows:
        place = sum(now - since >= timedelta(days=end) for end in ends)
        entry = sums[what, currency, place]
        entry[0] += 1
        entry[1] += minor
    names = [f"under {ends[0]} days", *(f"{a} to {b} days" for a, b in pairwise(ends)), f"{ends[-1]} days and more"]
    ordered = sorted(sums.items(), key=lambda item: (item[0][0], -item[0][2], item[0][1]))
    return [Band(what, names[place], n, Money(total, currency), place == len(ends)) for (what, currency, place), (n, total) in ordered]


def _unsettled(now: datetime) -> list[Band]:
    """What is between us and a gateway: payments not yet in, payouts and refunds on their way."""
    rows: list[tuple[str, str, int, datetime]] = []
    for what, table, states, since in (
        ("payment", Payment, ("created", "pending"), "created_at"),
        ("payout", Payout, ("sent",), "sent_at"),
        ("refund", PaymentRefund, ("created", "pending"), "created_at"),
    ):
        found = table.objects.filter(state__in=states).exclude(**{since: None})
        rows += [(f"{what} at {p}", c, n, at) for p, c, n, at in found.values_list("provider", "currency", "amount_minor", since)]
    return _bands(rows, BANDS, now)


def _holds(now: datetime) -> list[Band]:
    """Money held on milestones, by how long its oldest part is held: what was rolled into a milestone keeps the age that it had."""
    held = AccountBalance.objects.filter(account__kind=Kind.HOLD, available__gt=0)
    # contracts lie above payments: their table is read by its name, as ledger.causes does
    milestones = apps.get_model("contracts", "Milestone")._default_manager.filter(pk__in=held.values("account__milestone_id"))
    began = dict(milestones.exclude(held_since=None).values_list("pk", "held_since"))
    columns = ("account__currency", "available", "account__milestone_id", "account__created_at")
    rows = [("hold", c, n, began.get(milestone, at)) for c, n, milestone, at in held.values_list(*columns)]
    return _bands(rows, HOLD_BANDS, now)
