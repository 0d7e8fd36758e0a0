"""What staff see at a glance: whether money is conserved, whether balances are their replay, how old what is unsettled and held has become."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import Count, Max, Min, Sum

from marketplace.core import clock
from marketplace.core.money import Money

from ..ledger.accounts import USER_KINDS, Kind
from ..ledger.check import MOST, REPLAY
from ..models import Account, AccountBalance, Difference, LedgerCheck, Payment, PaymentRefund, Payout, Posting, ReconciliationRun

#: upper ends of the bands of ages, in days; above the last one is a band too
BANDS = (1, 3, 7, 30)
HOLD_BANDS = (14, 30, 60, 75)


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
    """How much is of an age."""

    what: str
    words: str
    count: int
    amount: Money


@dataclass(slots=True)
class Overview:
    """All of it, at an instant."""

    at: datetime
    conserved: list[Conserved] = field(default_factory=list)
    drift: list[tuple[str, int, int]] = field(default_factory=list)
    unsettled: list[Band] = field(default_factory=list)
    holds: list[Band] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    runs: list[ReconciliationRun] = field(default_factory=list)
    check: LedgerCheck | None = None


def overview() -> Overview:
    """Read it all. Sums the whole ledger: a page for staff, not for a clock."""
    now = clock.now()
    found = Overview(now, _conserved(), _drift(), _unsettled(now), _holds(now))
    found.check = LedgerCheck.objects.order_by("-checked_at", "-pk").first()
    live = Difference.objects.filter(state__in=("open", "waiting", "explained")).values("provider", "currency", "state")
    rows = live.annotate(count=Count("pk"), effect=Sum("effect_minor"), oldest=Min("since"), owned=Count("owner"))
    found.differences = [
        {**row, "effect": Money(int(row["effect"]), row["currency"]), "days": (now - row["oldest"]).days}
        for row in rows.order_by("provider", "currency", "state")
    ]
    newest = ReconciliationRun.objects.values("provider").annotate(last=Max("day"))
    pairs = {(row["provider"], row["last"]) for row in newest}
    runs = ReconciliationRun.objects.filter(day__in={day for _, day in pairs}).prefetch_related("totals").order_by("provider")
    found.runs = [run for run in runs if (run.provider, run.day) in pairs]
    return found


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


def _drift() -> list[tuple[str, int, int]]:
    """(account, stored, replayed) of the accounts whose stored balance is not the sum of their postings, at most MOST."""
    from django.db import connection

    sql = next(sql for rule, _, sql in REPLAY if rule == "balance_is_replay")
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT {MOST}")
        wrong = dict(cursor.fetchall())
    keys = dict(Account.objects.filter(pk__in=wrong).values_list("pk", "key"))
    replayed: dict[int, int] = defaultdict(int)
    for side, sign in (("debit_account", -1), ("credit_account", 1)):
        for pk, total in Posting.objects.filter(**{f"{side}__in": list(wrong)}).values_list(side).annotate(n=Sum("amount")):
            replayed[pk] += sign * int(total)
    return [(keys[pk], int(stored), replayed[pk]) for pk, stored in wrong.items()]


def _bands(rows: list[tuple[str, str, int, datetime]], ends: tuple[int, ...], now: datetime) -> list[Band]:
    """(what, currency, minor, since) by age; what and currency in order, youngest band first."""
    sums: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    for what, currency, minor, since in rows:
        place = sum(now - since >= timedelta(days=end) for end in ends)
        entry = sums[what, currency, place]
        entry[0] += 1
        entry[1] += minor
    names = [f"under {ends[0]} days", *(f"{a} to {b} days" for a, b in pairwise(ends)), f"{ends[-1]} days and more"]
    return [Band(what, names[place], n, Money(total, currency)) for (what, currency, place), (n, total) in sorted(sums.items())]


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
    """Money held on milestones, by how long its account has held some."""
    held = AccountBalance.objects.filter(account__kind=Kind.HOLD, available__gt=0)
    rows = [("hold", c, n, at) for c, n, at in held.values_list("account__currency", "available", "account__created_at")]
    return _bands(rows, HOLD_BANDS, now)
