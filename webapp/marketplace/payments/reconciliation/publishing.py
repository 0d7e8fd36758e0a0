"""The totals that everybody may read, made so that nobody's income can be read off them.

A total is published for the end of a day when at least TRANSPARENCY_LEAST_PEOPLE people stand behind it and none of them makes up more than
half of it. It is replaced by a later one only when the same is true of the change since the last one that was told, each person counted with what
they changed in all: so the difference of two published totals, too, is never the doing of a few. Until then the older one stands, with its day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db.models import Max, Q, Sum

from marketplace.core import clock
from marketplace.core.transactions import unit_of_work

from ..ledger.accounts import Kind
from ..models import Account, Entry, LedgerCheck, Posting, PublicFigure, ReconciliationRun, ReconciliationTotal
from .runs import end_of, ledger_at, newest_due

FLOW_DAYS = 30
#: measure → kinds of users' accounts whose money it sums
BALANCES: dict[str, tuple[str, ...]] = {
    "escrow": (Kind.HOLD,),
    "wallets": (Kind.WALLET,),
    "freelancers": (Kind.PENDING, Kind.AVAILABLE),
    "in_transit": (Kind.PAYOUT_TRANSIT,),
}
FLOWS = ("paid_out", "fees")
#: what the gateways hold for all of it: told only where all that it consists of is told
TOTAL = "clearing"
MEASURES = (*BALANCES, TOTAL, *FLOWS)

#: (currency, measure) → person → minor units
People = dict[tuple[str, str], dict[int, int]]


@dataclass(frozen=True, slots=True)
class Latest:
    """What the checks of the money last came to. None: not checked yet."""

    ledger: LedgerCheck | None
    runs: list[ReconciliationRun]
    differences: int


def published_due(now_day: date) -> list[date]:
    """The newest day that is over and not published yet."""
    return [] if PublicFigure.objects.filter(day=now_day).exists() or not Account.objects.exists() else [now_day]


def due() -> list[date]:
    """See published_due; by the business clock."""
    return published_due(newest_due(clock.now()))


@unit_of_work
def publish(*, day: date) -> int:
    """Publish the totals at the end of the day, once; 1 when this call did. Reads the whole ledger."""
    if PublicFigure.objects.filter(day=day).exists():
        return 0
    now = _people(day)
    before = _last_told(day)
    changed = {as_of: _changes(as_of, day) for as_of in {f.as_of for f in before.values()}}
    totals = _clearing(day)
    hidden = {currency for (currency, measure), who in now.items() if measure in BALANCES and any(who.values()) and not _enough(who)}
    rows = []
    for currency in sorted({c for c, _ in now} | set(totals)):
        for measure in MEASURES:
            who = now.get((currency, measure), {})
            if measure == TOTAL:
                minor = None if currency in hidden else totals.get(currency, 0)
                who = _together(now, currency)
                minor = minor if _enough(who) or not any(who.values()) else None
            else:
                minor = sum(who.values()) if _enough(who) else None
            rows.append(_figure(day, currency, measure, minor, before.get((currency, measure)), changed))
    PublicFigure.objects.bulk_create(rows)
    return 1


def _figure(
    day: date, currency: str, measure: str, minor: int | None, before: PublicFigure | None, changed: Mapping[date, People]
) -> PublicFigure:
    as_of = day
    if before is not None and before.minor is not None and minor is not None and minor != before.minor:
        who = changed[before.as_of].get((currency, measure), {})
        if not any(who.values()) or not _enough(who, of_nobody=minor - before.minor - sum(who.values())):
            minor, as_of = before.minor, before.as_of
    return PublicFigure(day=day, currency=currency, measure=measure, minor=minor, as_of=as_of)


def _enough(who: Mapping[int, int], of_nobody: int = 0) -> bool:
    """Whether so many stand behind an amount, and none of them with more than half, that it tells of nobody. Nothing at all tells of nobody, too.

    What is of nobody's account (a loss of ours) may be somebody's doing all the same: it, too, is at most half, and counts as no person.
    """
    parts = [abs(n) for n in who.values() if n]
    most, total = max([*parts, abs(of_nobody)]), sum(parts) + abs(of_nobody)
    return not total or (len(parts) >= settings.TRANSPARENCY_LEAST_PEOPLE and 2 * most <= total)


def _last_told(day: date) -> dict[tuple[str, str], PublicFigure]:
    """(currency, measure) → the newest total before the day that was not left out."""
    told = PublicFigure.objects.filter(day__lt=day, minor__isnull=False)
    newest = {(currency, measure): last for currency, measure, last in told.values_list("currency", "measure").annotate(last=Max("day"))}
    found = {(f.day, f.currency, f.measure): f for f in told.filter(day__in=set(newest.values()))}
    return {key: found[last, *key] for key, last in newest.items()}


def _together(now: People, currency: str) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for measure in BALANCES:
        for user, minor in now.get((currency, measure), {}).items():
            found[user] += minor
    return found


def _people(day: date) -> People:
    """Who stands behind each measure with how much, at the end of the day."""
    end = end_of(day)
    return {**_moved(Q(occurred_at__lt=end)), **_flows(Q(occurred_at__gte=end_of(day - timedelta(days=FLOW_DAYS)), occurred_at__lt=end))}


def _moved(when: Q) -> People:
    """By how much each person's accounts moved."""
    measure_of = {kind: measure for measure, kinds in BALANCES.items() for kind in kinds}
    found: People = defaultdict(lambda: defaultdict(int))
    for side, sign in (("debit_account", -1), ("credit_account", 1)):
        rows = Posting.objects.filter(when, **{f"{side}__kind__in": list(measure_of)})
        for kind, currency, user, total in rows.values_list(f"{side}__kind", "currency", f"{side}__user_id").annotate(n=Sum("amount")):
            found[currency, measure_of[kind]][user] += sign * int(total)
    return found


def _flows(when: Q) -> People:
    """What was paid out, by the freelancer who was paid, and what was taken in fees, by the freelancer or client who bore it."""
    found: People = defaultdict(lambda: defaultdict(int))
    for kind, side, sign in (
        ("payout_settle", "debit_account", 1),
        ("payout_late", "debit_account", 1),
        ("payout_return", "credit_account", -1),
    ):
        rows = Posting.objects.filter(when, entry__kind=kind).values_list("currency", f"{side}__user_id")
        for currency, user, total in rows.annotate(n=Sum("amount")):
            found[currency, "paid_out"][user] += sign * int(total)
    paid = Posting.objects.filter(when, credit_account__kind=Kind.FEES)
    payees = dict(
        Posting.objects.filter(entry__in=paid.values("entry_id"), credit_account__kind=Kind.PENDING).values_list(
            "entry_id", "credit_account__user_id"
        )
    )
    clients = dict(paid.filter(entry__kind="client_fee").values_list("entry_id", "debit_account__user_id"))
    for entry, currency, amount in paid.values_list("entry_id", "currency", "amount"):
        found[currency, "fees"][payees.get(entry) or clients.get(entry) or 0] += amount
    back = Posting.objects.filter(when, debit_account__kind=Kind.FEES).values_list("currency", "credit_account__user_id")
    for currency, user, total in back.annotate(n=Sum("amount")):
        found[currency, "fees"][user or 0] -= int(total)
    return found


def _changes(since: date, until: date) -> People:
    """By how much each person changed each measure between the ends of two days: by what moved, and in the flows by what has left the window."""
    begin, end, shift = end_of(since), end_of(until), timedelta(days=FLOW_DAYS)
    within = Q(occurred_at__gte=begin, occurred_at__lt=end)
    found = {**_moved(within), **_flows(within)}
    for currency in {currency for currency, _ in found}:
        found[currency, TOTAL] = _together(found, currency)
    for key, who in _flows(Q(occurred_at__gte=begin - shift, occurred_at__lt=end - shift)).items():
        into = found.setdefault(key, defaultdict(int))
        for user, minor in who.items():
            into[user] -= minor
    return found


def _clearing(day: date) -> dict[str, int]:
    accounts = Account.objects.filter(kind=Kind.CLEARING).values_list("pk", flat=True)
    return dict(ledger_at(list(accounts), end_of(day)))


def figures() -> list[PublicFigure]:
    """The newest published totals, by currency, in the order of MEASURES."""
    last = PublicFigure.objects.order_by("-day").values_list("day", flat=True).first()
    found = list(PublicFigure.objects.filter(day=last)) if last is not None else []
    return sorted(found, key=lambda f: (f.currency, MEASURES.index(f.measure)))


def latest() -> Latest:
    """What the checks last came to: the ledger's, and the newest compared day of each gateway with what is live of its differences."""
    newest: dict[str, ReconciliationRun] = {}
    for run in ReconciliationRun.objects.exclude(finished_at=None).order_by("-day", "-pk")[:50]:
        newest.setdefault(run.provider, run)
    from ..models import Difference

    live = Difference.objects.filter(state__in=("open", "waiting")).count()
    return Latest(LedgerCheck.objects.order_by("-checked_at", "-pk").first(), sorted(newest.values(), key=lambda r: r.provider), live)


def totals_of(runs: list[ReconciliationRun]) -> dict[int, list[ReconciliationTotal]]:
    """run id → its totals, by currency."""
    found: dict[int, list[ReconciliationTotal]] = defaultdict(list)
    for total in ReconciliationTotal.objects.filter(run__in=runs).order_by("currency"):
        found[total.run_id].append(total)
    return found


def entries() -> int:
    """How many movements of money the ledger holds."""
    return Entry.objects.count()
