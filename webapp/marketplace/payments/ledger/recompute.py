"""The part of the check that recomputes what was stored: payload hashes, fee splits and conversions, streamed in chunks of entries."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from marketplace.core.money import Money

from .. import fee_tiers, fees, fx, levies, taxes
from ..models import Entry, FeeSchedule, FxRate, Posting
from .post import Row, payload_hash
from .templates import TEMPLATES

CHUNK = 10_000

#: (invariant, rule, entry id, detail)
Found = tuple[int, str, int, str]
_PAID = ("net", "fx_out", "fx_in", "fee", "tax", "withheld")


def violations() -> Iterator[Found]:
    """Entries whose stored hash, split or conversion is not what their rows give. Memory is bounded by the chunk."""
    schedules = {s.version: s for s in FeeSchedule.objects.all()}
    rates = FxRate.objects.in_bulk(Entry.objects.exclude(fx_rate=None).values_list("fx_rate_id", flat=True).distinct())
    for entry, rows in _entries():
        digest = payload_hash(
            entry.kind, entry.subject_type, entry.subject_id, entry.contract_id, entry.gross_minor, entry.fx_rate_id, entry.quote, rows
        )
        if digest != entry.payload_hash:
            yield 2, "entry_payload_hash", entry.pk, entry.idempotency_key
        if entry.kind in TEMPLATES and TEMPLATES[entry.kind].priced and entry.gross_minor:
            yield from _priced(entry, rows, schedules, rates)


def _entries() -> Iterator[tuple[Entry, list[Row]]]:
    last = 0
    while True:
        entries = list(Entry.objects.filter(id__gt=last).order_by("id")[:CHUNK])
        if not entries:
            return
        rows: dict[int, list[Row]] = defaultdict(list)
        postings = Posting.objects.filter(entry_id__gt=last, entry_id__lte=entries[-1].pk).order_by("entry_id", "line_no")
        columns = ("entry_id", "line_no", "leg", "debit_account_id", "credit_account_id", "amount", "currency")
        for entry_id, line_no, leg, debit, credit, amount, currency in postings.values_list(*columns):
            rows[entry_id].append((line_no, leg, debit, credit, amount, currency))
        for entry in entries:
            yield entry, rows[entry.pk]
        last = entries[-1].pk


def _priced(entry: Entry, rows: list[Row], schedules: dict[str, FeeSchedule], rates: dict[int, FxRate]) -> Iterator[Found]:
    """A release or settlement against its schedule and rate."""
    quote: dict[str, Any] = entry.quote
    schedule = schedules.get(str(quote.get("fee_schedule")))
    if schedule is None or entry.gross_minor is None or entry.gross_minor <= 0:
        yield 8, "fee_schedule_known", entry.pk, json.dumps(quote.get("fee_schedule"))
        return
    amounts = {leg: (amount, currency) for _, leg, _, _, amount, currency in rows if leg in _PAID}
    paid_net = amounts.get("net") or amounts.get("fx_out") or (0, "")
    currency = str(quote.get("currency"))
    levy = None
    if "levy" in quote:
        wrong = levies.wrong_in(quote["levy"], entry.occurred_at)
        if wrong:
            yield 8, "levy_by_table", entry.pk, wrong
            return
        levy = taxes.levy_stored(quote["levy"])
    before = quote.get("before")
    if (type(before) is int and before >= 0) if fee_tiers.cumulative(schedule, currency) else "before" not in quote:
        split = fees.split(Money(entry.gross_minor, currency), schedule, levy, before=before or 0)
    else:
        yield 8, "fee_before_told", entry.pk, f"what was paid before is told as {json.dumps(before)}"
        return
    found = (*(amounts.get(leg, (0, ""))[0] for leg in ("fee", "tax", "withheld")), paid_net[0])
    expected = (split.fee.minor, split.tax.minor, split.withheld.minor, split.net.minor)
    if found != expected:
        yield 8, "split_by_schedule", entry.pk, f"fee, tax, withheld, net are {found}, the schedule gives {expected}"
    if "fx_out" in amounts or "fx_in" in amounts:
        rate = rates.get(entry.fx_rate_id or 0)
        received = amounts.get("fx_in", (0, ""))[0]
        if rate is None or rate.base != currency or fx.convert(split.net, rate).minor != received:
            yield 8, "conversion_by_rate", entry.pk, f"{received} is not what the stored rate gives"
