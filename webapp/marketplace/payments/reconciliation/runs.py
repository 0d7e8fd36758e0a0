"""A day of a gateway, compared with our clearing accounts. Comparing a day again writes the same rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, Sum

from marketplace.core import clock, events
from marketplace.core.errors import Unavailable
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction

from ..ledger.accounts import Kind
from ..models import (
    Account,
    Difference,
    Payment,
    PaymentRefund,
    Payout,
    Posting,
    ProcessorFile,
    ProviderLine,
    ReconciliationRun,
    ReconciliationTotal,
)
from ..providers import gateways
from ..states import RECONCILIATION
from . import differences, reading
from .compare import BALANCE, Found, Key, Part, Side, Wanted, compare

#: a run looks at the items that either side touched in so many days up to its own, and at every live difference
WINDOW_DAYS = 3
#: files whose rows lie no further apart than this are taken for one: a day without a file between two others shows as missing, not as unread
FILES_JOIN = timedelta(hours=36)
_CHUNK = 500
#: subject of an item → its table, and the states in which it waits for a gateway's or bank's answer
_WAITING: dict[str, tuple[Any, tuple[str, ...]]] = {
    "payment": (Payment, ("created", "pending")),
    "payout": (Payout, ("sent",)),
    "payment_refund": (PaymentRefund, ("created", "pending")),
}


def end_of(day: date) -> datetime:
    """The first instant (UTC) after the day."""
    return datetime.combine(day, time(), UTC) + timedelta(days=1)


def newest_due(now: datetime) -> date:
    """The newest day that is over for so long that gateways have listed it."""
    return (now - timedelta(hours=settings.RECONCILE_AFTER_HOURS)).date() - timedelta(days=1)


def providers() -> list[str]:
    """Gateways with an account of ours at them, or that are set up here, by name."""
    booked = Account.objects.filter(kind=Kind.CLEARING).values_list("processor", flat=True).distinct()
    return sorted({*booked, *gateways()})


def due(now: datetime) -> list[tuple[str, date]]:
    """(gateway, day) of every comparison that waits, oldest day first: days since the last one, those that a file told more of, and those of
    which the gateway could not be asked. Nothing older than RECONCILE_CATCH_UP_DAYS but what a file brought."""
    newest = newest_due(now)
    oldest = newest - timedelta(days=settings.RECONCILE_CATCH_UP_DAYS - 1)
    last = dict(ReconciliationRun.objects.values_list("provider").annotate(last=Max("day")))
    found = set(ReconciliationRun.objects.filter(state="due", day__lte=newest).values_list("provider", "day"))
    found |= set(ReconciliationRun.objects.filter(state="unread", day__gte=oldest).values_list("provider", "day"))
    for provider in providers():
        begin = max(last[provider] + timedelta(days=1), oldest) if provider in last else newest
        found |= {(provider, begin + timedelta(days=n)) for n in range((newest - begin).days + 1)}
    return sorted(found, key=lambda pair: (pair[1], pair[0]))


def reconcile(*, provider: str, day: date) -> ReconciliationRun:
    """Ask the gateway (where it tells) and compare the day; its differences are opened, changed or closed as it is now.

    Safe to repeat, also at the same time: the run's row is locked while it is compared. A gateway that does not answer, or whose list takes back
    what it told before, leaves the run `unread`, to be tried again, and the latter is told to staff. Not to be called inside a transaction.
    """
    told = None
    if reading.tells(provider) and day > clock.now().date() - timedelta(days=settings.RECONCILE_CATCH_UP_DAYS + WINDOW_DAYS):
        try:
            told = reading.ask(provider, since=_listed_from(provider, day))
        except Unavailable as e:
            why = e.message
            return run_in_transaction(lambda: _unread(provider, day, why))
    try:
        return run_in_transaction(lambda: _compared(provider, day, told))
    except reading.Contradicted as e:
        why = e.message
        return run_in_transaction(lambda: _unread(provider, day, why, alarm=True))


def _listed_from(provider: str, day: date) -> datetime:
    """From when on the list is read: the window, or from the end of the last list when beat was away for longer."""
    last = ReconciliationRun.objects.filter(provider=provider, day__lt=day).exclude(listed_from=None).aggregate(last=Max("day"))["last"]
    window = day - timedelta(days=WINDOW_DAYS - 1)
    first = window if last is None else min(window, last + timedelta(days=1))
    return end_of(first - timedelta(days=1))


def _locked(provider: str, day: date) -> ReconciliationRun:
    """The day's run, locked after the gateway's first one: two days of a gateway are compared one after the other, since they share differences."""
    ReconciliationRun.objects.get_or_create(provider=provider, day=day, defaults={"begun_at": clock.now()})
    ReconciliationRun.objects.select_for_update().filter(provider=provider).order_by("pk").first()
    return ReconciliationRun.objects.select_for_update().get(provider=provider, day=day)


def _unread(provider: str, day: date, why: str, *, alarm: bool = False) -> ReconciliationRun:
    """Note why nothing was compared; with `alarm` finance staff are told, once for the same words. A day that was compared stays as it was."""
    run = _locked(provider, day)
    if alarm and run.last_error != why[:200]:
        after = {"provider": provider, "day": day.isoformat()}
        events.record(aggregate=run, kind="reconciliation.contradict", actor_id=None, after=after, reason=why)
    run.last_error = why[:200]
    if run.state == RECONCILIATION.initial:
        move(run, RECONCILIATION, "fail", role="system", actor_id=None, also=["last_error"], reason=why)
    else:
        run.save(update_fields=["last_error"])
    return run


def reopen(provider: str, days: Iterable[date]) -> None:
    """Let days be compared (again): a file told more of them. Runs in a transaction."""
    for day in sorted(set(days)):
        run = _locked(provider, day)
        if run.state in ("finished", "unread"):
            move(run, RECONCILIATION, "reopen", role="system", actor_id=None, reason="file")


def _compared(provider: str, day: date, told: reading.Told | None) -> ReconciliationRun:
    run = _locked(provider, day)
    latest = max(day, ReconciliationRun.objects.filter(provider=provider).aggregate(last=Max("day"))["last"] or day)
    begin, cutoff, horizon = end_of(day - timedelta(days=WINDOW_DAYS)), end_of(day), end_of(latest)
    if told is not None:
        run.listed_from = _listed_from(provider, day).date()
        # what was told and posted while beat was away belongs to no other run's window
        begin = min(begin, end_of(run.listed_from - timedelta(days=1)))
        _, contradicting = reading.store(provider, told.movements)
        reading.require_agreeing(contradicting)
    reading.resolve_again(provider)
    clearing = dict(Account.objects.filter(kind=Kind.CLEARING, processor=provider).values_list("pk", "currency"))
    live = Difference.objects.filter(provider=provider).exclude(live_key=None)
    items = _items(provider, clearing, begin, cutoff) | _left_in_flight(provider, clearing, begin)
    items |= set(live.exclude(item=BALANCE).values_list("item", flat=True))
    theirs, ours = _theirs(provider, items, horizon), _ours(provider, clearing, items, horizon)
    covered = _coverage(provider, run)
    rules: dict[str, Any] = {
        "covered": covered,
        "grace": timedelta(hours=settings.RECONCILE_GRACE_HOURS),
        "shift": timedelta(days=settings.RECONCILE_SHIFT_DAYS),
        "unsettled": _unsettled(items),
        "patience": timedelta(days=settings.RECONCILE_UNSETTLED_DAYS),
    }
    now_found = compare(theirs, ours, cutoff=horizon, **rules)
    found = now_found
    if latest != day or any(p.booking and p.at >= cutoff for side in ours.values() for p in side.parts):
        then = [{k: side.only(lambda p: p.at < cutoff) for k, side in sides.items()} for sides in (theirs, ours)]
        found = compare(then[0], then[1], cutoff=cutoff, **rules)
    wanted = [w for f in now_found.values() for w in f.wanted]
    balances = None if told is None or told.balances is None else _at(provider, {c: m.minor for c, m in told.balances.items()}, cutoff)
    totals = _totals(run, clearing, cutoff, found, balances)
    if balances is not None and latest == day:
        booked = _booked_after(provider, cutoff)
        for total in totals:
            rest = (total.unexplained_minor or 0) - booked.get(total.currency, 0)
            if rest:
                values = (total.provider_minor, total.ledger_minor)
                wanted.append(Wanted(BALANCE, total.currency, BALANCE, "balance_differs", rest, *values, cutoff))
        items.add(BALANCE)
    differences.apply(provider, wanted, items)
    run.finished_at, run.last_error = clock.now(), ""
    if run.state == "finished":
        run.save(update_fields=["finished_at", "last_error", "listed_from"])
    else:
        also = ["finished_at", "last_error", "listed_from"]
        count = sum(t.differences for t in totals)
        move(run, RECONCILIATION, "finish", role="system", actor_id=None, also=also, extra={"day": day.isoformat(), "differences": count})
    return run


def _touching(clearing: Collection[int]) -> Q:
    ids = list(clearing)
    return Q(debit_account__in=ids) | Q(credit_account__in=ids)


def _items(provider: str, clearing: Collection[int], begin: datetime, cutoff: datetime) -> set[str]:
    """The items that either side touched in the window."""
    posted = (
        Posting.objects.filter(_touching(clearing), occurred_at__gte=begin, occurred_at__lt=cutoff) if clearing else Posting.objects.none()
    )
    subjects = posted.exclude(entry__subject_type="difference").values_list("entry__subject_type", "entry__subject_id").distinct()
    found = {f"{kind}:{pk}" for kind, pk in subjects}
    lines = ProviderLine.objects.filter(provider=provider, occurred_at__gte=begin, occurred_at__lt=cutoff)
    return found | {_item_of(*row) for row in lines.values_list("subject_type", "subject_id", "line_ref")}


def _left_in_flight(provider: str, clearing: Collection[int], begin: datetime) -> set[str]:
    """The items that the gateway told before the window, no longer ago than patience lasts, and of which we have posted nothing: earlier runs
    left them in flight because they were unsettled, whatever has become of them with us since."""
    since = begin - timedelta(days=settings.RECONCILE_UNSETTLED_DAYS)
    told = ProviderLine.objects.filter(provider=provider, occurred_at__gte=since, occurred_at__lt=begin, subject_type__in=_WAITING)
    ours = Posting.objects.filter(
        _touching(clearing), entry__subject_type=OuterRef("subject_type"), entry__subject_id=OuterRef("subject_id")
    )
    alone = told.filter(~Exists(ours)) if clearing else told
    return {f"{kind}:{pk}" for kind, pk in alone.values_list("subject_type", "subject_id").distinct()}


def _item_of(subject_type: str, subject_id: int | None, line_ref: str) -> str:
    return f"{subject_type}:{subject_id}" if subject_type else f"line:{line_ref}"


def _subjects(items: Iterable[str]) -> dict[str, list[int]]:
    """Kind of subject → ids, of the items that are about something of ours."""
    found: dict[str, list[int]] = defaultdict(list)
    for item in items:
        kind, _, pk = item.partition(":")
        if kind != "line" and pk.isdigit():
            found[kind].append(int(pk))
    return found


def _unsettled(items: Collection[str]) -> set[str]:
    """Those of the items that wait for a gateway's or bank's answer: what the gateway tells of them comes before we post it. Where it has
    answered with another amount, nothing of ours will follow."""
    found = set()
    for kind, all_ids in _subjects(items).items():
        if kind in _WAITING:
            table, states = _WAITING[kind]
            for ids in _chunks(all_ids):
                open_now = table.objects.filter(pk__in=ids, state__in=states).exclude(failure_code="amount_differs")
                found |= {f"{kind}:{pk}" for pk in open_now.values_list("pk", flat=True)}
    return found


def _chunks(values: Collection[int] | Collection[str]) -> Iterable[list]:
    ordered = sorted(values)
    return (ordered[i : i + _CHUNK] for i in range(0, len(ordered), _CHUNK))


def _theirs(provider: str, items: Collection[str], horizon: datetime) -> dict[Key, Side]:
    """Everything that the gateway has told of the items."""
    found: dict[Key, Side] = defaultdict(Side)
    lines = ProviderLine.objects.filter(provider=provider, occurred_at__lt=horizon)
    some = [lines.filter(subject_type=kind, subject_id__in=ids) for kind, all_ids in _subjects(items).items() for ids in _chunks(all_ids)]
    alone = [i.removeprefix("line:") for i in items if i.startswith("line:")]
    some += [lines.filter(line_ref__in=refs, subject_type="") for refs in _chunks(alone)]
    columns = ("subject_type", "subject_id", "line_ref", "currency", "amount_minor", "fee_minor", "occurred_at")
    for rows in some:
        for subject_type, subject_id, ref, currency, amount, fee, at in rows.values_list(*columns):
            found[_item_of(subject_type, subject_id, ref), currency].parts.append(Part(amount, fee, at))
    return found


def _ours(provider: str, clearing: dict[int, str], items: Collection[str], horizon: datetime) -> dict[Key, Side]:
    """Everything that we have posted of the items, with what was booked for their differences, whenever that was."""
    found: dict[Key, Side] = defaultdict(Side)
    postings = Posting.objects.filter(_touching(clearing), occurred_at__lt=horizon)
    columns = ("entry__kind", "entry__subject_id", "debit_account_id", "amount", "currency", "occurred_at")
    for kind, all_ids in _subjects(items).items():
        for ids in _chunks(all_ids):
            rows = postings.filter(entry__subject_type=kind, entry__subject_id__in=ids)
            for entry_kind, pk, debit, amount, currency, at in rows.values_list(*columns):
                signed = amount if debit in clearing else -amount
                part = Part(0, -signed, at) if entry_kind == "provider_fee" else Part(signed, 0, at)
                found[f"{kind}:{pk}", currency].parts.append(part)
    for names in _chunks(items):
        booked = Difference.objects.filter(provider=provider, item__in=names).exclude(entry=None)
        for item, aspect, currency, effect, at in booked.values_list("item", "aspect", "currency", "effect_minor", "entry__occurred_at"):
            part = Part(0, -effect, at, booking=True) if aspect == "fee" else Part(effect, 0, at, booking=True)
            found[item, currency].parts.append(part)
    return found


def _coverage(provider: str, run: ReconciliationRun) -> Callable[[datetime], bool]:
    """Of which instants the gateway's own list or a file of it was read."""
    listed = ReconciliationRun.objects.filter(provider=provider, state="finished").exclude(listed_from=None)
    days = listed.values_list("listed_from", "day")
    ranges = [(end_of(first - timedelta(days=1)), end_of(day)) for first, day in days if first is not None]
    if run.listed_from is not None:
        ranges.append((end_of(run.listed_from - timedelta(days=1)), end_of(run.day)))
    files = ProcessorFile.objects.filter(provider=provider).exclude(covers_from=None).exclude(read_at=None)
    joined: list[list[datetime]] = []
    spans = [(begin, end) for begin, end in files.values_list("covers_from", "covers_until") if begin is not None and end is not None]
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1] + FILES_JOIN:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    ranges += [(begin, end) for begin, end in joined]
    return lambda at: any(begin <= at <= end for begin, end in ranges)


def _at(provider: str, balances: dict[str, int], cutoff: datetime) -> dict[str, int]:
    """What the gateway held at the cutoff: what it holds now, less what has moved since."""
    since = ProviderLine.objects.filter(provider=provider, occurred_at__gte=cutoff)
    for currency, amount, fee in since.values_list("currency").annotate(amount=Sum("amount_minor"), fee=Sum("fee_minor")):
        balances[currency] = balances.get(currency, 0) - int(amount) + int(fee)
    return balances


def ledger_at(clearing: Collection[int], cutoff: datetime) -> dict[str, int]:
    """Currency → what our clearing accounts say that the gateway held at the cutoff."""
    found: dict[str, int] = defaultdict(int)
    for side, sign in (("debit_account__in", 1), ("credit_account__in", -1)):
        rows = Posting.objects.filter(**{side: list(clearing)}, occurred_at__lt=cutoff).values_list("currency")
        for currency, total in rows.annotate(total=Sum("amount")):
            found[currency] += sign * int(total)
    return found


def _totals(
    run: ReconciliationRun, clearing: dict[int, str], cutoff: datetime, found: dict[str, Found], balances: dict[str, int] | None
) -> list[ReconciliationTotal]:
    """Write what the day came to, by currency."""
    ledger = ledger_at(clearing, cutoff)
    totals = []
    for currency in sorted({*found, *ledger, *clearing.values(), *(balances or {})}):
        f = found.get(currency, Found())
        effects = sum(w.effect for w in f.wanted)
        provider = None if balances is None else balances.get(currency, 0)
        known = ledger.get(currency, 0) + f.in_flight_minor + f.uncovered_minor + effects
        values = {
            "provider_minor": provider,
            "ledger_minor": ledger.get(currency, 0),
            "in_flight_minor": f.in_flight_minor,
            "uncovered_minor": f.uncovered_minor,
            "differences_minor": effects,
            "unexplained_minor": None if provider is None else provider - known,
            "matched": f.matched,
            "in_flight": f.in_flight,
            "uncovered": f.uncovered,
            "differences": len(f.wanted),
        }
        total, _ = ReconciliationTotal.objects.update_or_create(run=run, currency=currency, defaults=values)
        totals.append(total)
    return totals


def _booked_after(provider: str, cutoff: datetime) -> dict[str, int]:
    """Currency → what was booked after the cutoff for differences of the balance itself."""
    rows = Difference.objects.filter(provider=provider, item=BALANCE, entry__occurred_at__gte=cutoff).values_list("currency")
    return {currency: int(total) for currency, total in rows.annotate(total=Sum("effect_minor"))}


def days_of(file: ProcessorFile, now: datetime) -> list[date]:
    """The days that a file tells something of and that are over, with those on which its items may have been in flight."""
    if file.covers_from is None or file.covers_until is None:
        return []
    first, last = file.covers_from.date(), min(file.covers_until.date() + timedelta(days=2), newest_due(now))
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
