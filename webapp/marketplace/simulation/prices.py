"""Quotes of the simulated past: the product's own fee schedule, rates and rounding, at the day a bid was made."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from typing import Any

from django.conf import settings

from marketplace.core.money import Money
from marketplace.payments import fees, fx
from marketplace.payments.models import FxRate

from .tables import instant


class Prices:
    """Fees and exchange of any past day; the rates' rows are stored as the product stores them when it first needs them."""

    def __init__(self) -> None:
        self.schedule = fees.schedule(fees.STANDARD)
        self._rates: dict[tuple[str, str, date], FxRate] = {}
        self._stored: dict[tuple[str, str], tuple[list[date], list[FxRate]]] = {}
        for row in FxRate.objects.exclude(source__startswith="derived").order_by("as_of", "id"):
            days, rows = self._stored.setdefault((row.base, row.quote), ([], []))
            days.append(row.as_of)
            rows.append(row)

    def rate(self, base: str, quote: str, at: int) -> FxRate:
        """The rate that the product would have used on that day."""
        key = (base, quote, instant(at).date())
        if key not in self._rates:
            self._rates[key] = fx.rate(base, quote, on=key[2], newest=self._newest)
        return self._rates[key]

    def _newest(self, base: str, quote: str, day: date) -> FxRate | None:
        """fx.newest_stored, from the rows read at the start."""
        days, rows = self._stored.get((base, quote), ([], []))
        place = bisect_right(days, day)
        return rows[place - 1] if place else None

    def quote(self, gross: Money, payee_currency: str, at: int, days: int) -> dict[str, Any]:
        """What a proposal of that instant, delivered in so many days, stores under `quote`."""
        clears = instant(at) + timedelta(days=days + settings.CLEARING_DAYS)
        parts = fees.split(gross, self.schedule)
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
            "clears_on": clears.date().isoformat(),
            "clears_on_if_silent": (clears + timedelta(days=settings.AUTO_APPROVE_DAYS)).date().isoformat(),
            "expires_at": (instant(at) + timedelta(minutes=settings.QUOTE_MINUTES)).isoformat(),
        }
