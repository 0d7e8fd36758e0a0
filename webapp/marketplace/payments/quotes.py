"""What a payee would get for a gross amount now: fee, tax, withheld and net, at a rate that is promised for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from marketplace.core import clock, features
from marketplace.core.money import Money

from . import fee_tiers, fees, fx, levies
from .taxes import Levy


@dataclass(frozen=True, slots=True)
class Quote:
    """What a gross amount becomes: gross = fee + tax + withheld + net in its currency, `payee_net` in the payee's after rate and spread."""

    gross: Money
    fee: Money
    tax: Money
    net: Money
    payee_net: Money
    fee_schedule: str
    fx_rate_id: int | None
    fx_rate: str | None
    spread_bps: int
    clears_in_days: int
    expires_at: datetime
    withheld: Money | None = None
    levy: Levy | None = None
    fee_terms: dict[str, Any] | None = None

    def stored(self, *, delivered_in_days: int | None = None) -> dict[str, Any]:
        """As JSON, to keep beside a bid or an offer. `clears_on` is the day on which the money can be paid out when work delivered in so many
        days (none: today) is approved the same day; `clears_on_if_silent` when silence approves it.
        """
        amounts = {"gross": self.gross, "fee": self.fee, "tax": self.tax, "net": self.net, "payee_net": self.payee_net}
        clears = clock.now() + timedelta(days=(delivered_in_days or 0) + self.clears_in_days)
        return {
            **{name: {"minor": m.minor, "currency": m.currency} for name, m in amounts.items()},
            **({"withheld": {"minor": self.withheld.minor, "currency": self.withheld.currency}} if self.withheld else {}),
            **({"levy": self.levy.stored()} if self.levy else {}),
            **({"fee_terms": self.fee_terms} if self.fee_terms else {}),
            "fee_schedule": self.fee_schedule,
            "fx_rate_id": self.fx_rate_id,
            "fx_rate": self.fx_rate,
            "spread_bps": self.spread_bps,
            "clears_in_days": self.clears_in_days,
            "clears_on": clears.date().isoformat(),
            "clears_on_if_silent": (clears + timedelta(days=settings.AUTO_APPROVE_DAYS)).date().isoformat(),
            "expires_at": self.expires_at.isoformat(),
        }


def quote_make(*, gross: Money, payee_currency: str, fee_schedule: str | None = None, payee_id: int | None = None) -> Quote:
    """What the payee would get for `gross` now; the rate is promised for QUOTE_MINUTES. Tax is that of the payee, on today's day; money moves
    under the law of its own day.

    Raises InvalidInput for an amount that is not positive, an unknown schedule, currency or pair.
    """
    schedule = fees.schedule(fee_schedule)
    levy = None if payee_id is None else levies.levy_for(payee_id, clock.now().date())
    parts = fees.split(gross, schedule, levy)
    rate = None if payee_currency == gross.currency else fx.rate(gross.currency, payee_currency)
    return Quote(
        gross=gross,
        fee=parts.fee,
        tax=parts.tax,
        net=parts.net,
        payee_net=parts.net if rate is None else fx.convert(parts.net, rate),
        fee_schedule=schedule.version,
        fx_rate_id=None if rate is None else rate.pk,
        fx_rate=None if rate is None else f"{rate.rate.normalize():f}",
        spread_bps=0 if rate is None else rate.spread_bps,
        clears_in_days=settings.CLEARING_DAYS,
        expires_at=clock.now() + timedelta(minutes=features.number("QUOTE_MINUTES")),
        withheld=parts.withheld,
        levy=levy,
        fee_terms=fee_tiers.told(schedule, gross.currency),
    )
