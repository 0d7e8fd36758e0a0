"""Quotes of the simulated past: the product's own fee schedule, rates and rounding, at the day a bid was made."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from functools import lru_cache
from typing import Any

from django.conf import settings

from marketplace.core.money import Money
from marketplace.payments import fees, fx
from marketplace.payments.models import FxRate

from . import calibration as cal
from .tables import Table, day_text, instant, iso


class Prices:
    """Fees and exchange of any past day. The rates' rows are those that the product would store when it first needs them; `table` has the
    new ones.
    """

    def __init__(self) -> None:
        self.schedule = fees.schedule(fees.STANDARD)
        self._split = lru_cache(maxsize=100_000)(lambda gross: fees.split(gross, self.schedule))
        self._rates: dict[tuple[str, str, int], FxRate] = {}
        self._stored: dict[tuple[str, str], tuple[list[date], list[FxRate]]] = {}
        for row in FxRate.objects.exclude(source__startswith="derived").order_by("as_of", "id"):
            days, rows = self._stored.setdefault((row.base, row.quote), ([], []))
            days.append(row.as_of)
            rows.append(row)
        self._derived: dict[tuple[str, str, date], list[FxRate]] = {}
        for row in FxRate.objects.filter(source__startswith="derived"):
            self._derived.setdefault((row.base, row.quote, row.as_of), []).append(row)
        self._last = FxRate.objects.order_by("-id").values_list("id", flat=True).first() or 0
        self._new: list[FxRate] = []

    def rate(self, base: str, quote: str, at: int) -> FxRate:
        """The rate that the product would have used on that day."""
        key = (base, quote, at // cal.DAY)
        if key not in self._rates:
            self._rates[key] = fx.rate(base, quote, on=instant(at).date(), newest=self._newest, store=self._store)
        return self._rates[key]

    def _store(self, row: FxRate) -> FxRate:
        """fx.stored, into the rows to be written."""
        there = [r for r in self._derived.setdefault((row.base, row.quote, row.as_of), []) if r.source.startswith(row.source)]
        for known in there:
            if known.rate == row.rate:
                return known
        row.pk = self._last + len(self._new) + 1
        row.source = f"{row.source}:{len(there) + 1}" if there else row.source
        self._new.append(row)
        self._derived[row.base, row.quote, row.as_of].append(row)
        return row

    def table(self) -> Table:
        """The rates that were derived."""
        table = Table(FxRate, ("id", "base", "quote", "rate", "source", "as_of", "spread_bps", "fetched_at"))
        for r in self._new:
            table.add(r.pk, r.base, r.quote, r.rate, r.source, r.as_of, r.spread_bps, int(r.fetched_at.timestamp()))
        return table

    def need(self, currency: str, payee_currency: str, at: int) -> None:
        """Have the rate stored that a quote of that instant will use."""
        if currency != payee_currency:
            self.rate(currency, payee_currency, at)

    def _newest(self, base: str, quote: str, day: date) -> FxRate | None:
        """fx.newest_stored, from the rows read at the start."""
        days, rows = self._stored.get((base, quote), ([], []))
        place = bisect_right(days, day)
        return rows[place - 1] if place else None

    def quote(self, gross: Money, payee_currency: str, at: int, days: int) -> dict[str, Any]:
        """What a proposal of that instant, delivered in so many days, stores under `quote`."""
        clears = at // cal.DAY + days + settings.CLEARING_DAYS
        parts = self._split(gross)
        rate = None if payee_currency == gross.currency else self.rate(gross.currency, payee_currency, at)
        payee_net = parts.net if rate is None else fx.convert(parts.net, rate)
        amounts = {"gross": parts.gross, "fee": parts.fee, "tax": parts.tax, "net": parts.net, "payee_net": payee_net}
        return {
            **{name: {"minor": m.minor, "currency": m.currency} for name, m in amounts.items()},
            "fee_schedule": self.schedule.version,
            "fx_rate_id": None if rate is None else rate.pk,
            "fx_rate": None if rate is None else f"{rate.rate.normalize():f}",
            "spread_bps": 0 if rate is None else rate.spread_bps,
            "clears_in_days": settings.CLEARING_DAYS,
            "clears_on": day_text(clears),
            "clears_on_if_silent": day_text(clears + settings.AUTO_APPROVE_DAYS),
            "expires_at": iso(at + 60 * settings.QUOTE_MINUTES),
        }
