"""The velocity rules: pure functions over a few rows of the recent past. docs/payments.md publishes them with their thresholds.

A rule looks at what was fetched for it and at its limits, and answers with the figures that it found, or None. It knows no table and no clock.
Amounts are US cents, for comparing only; one whose rate nobody knows is None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

#: what a rule found: the figures, for whoever decides
Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One payment of the same payer, device or card."""

    at: datetime
    payer_id: int
    instrument: str
    declined: bool
    usd_minor: int | None


@dataclass(frozen=True, slots=True)
class Received:
    """What one payer's money brought one payee by one release or bonus."""

    at: datetime
    payer_id: int
    usd_minor: int | None


@dataclass(frozen=True, slots=True)
class WentBack:
    """One payment with what of it was sent back."""

    at: datetime
    usd_minor: int | None
    share: float


def card_testing(attempts: Iterable[Attempt], *, now: datetime, limits: Mapping[str, int]) -> Found | None:
    """Many refused payments, or refused ones with many different cards, or many tiny ones, within `minutes`."""
    since = now - timedelta(minutes=limits["minutes"])
    recent = [a for a in attempts if a.at > since]
    declined = [a for a in recent if a.declined]
    cards = {a.instrument for a in declined if a.instrument}
    tiny = [a for a in recent if a.usd_minor is not None and a.usd_minor <= limits["tiny_usd_minor"]]
    if len(declined) < limits["declined"] and len(cards) < limits["cards"] and len(tiny) < limits["tiny"]:
        return None
    return {
        "minutes": limits["minutes"],
        "payments": len(recent),
        "declined": len(declined),
        "cards_declined": len(cards),
        "tiny": len(tiny),
    }


def small_payments(received: Iterable[Received], *, now: datetime, limits: Mapping[str, int]) -> Found | None:
    """Many small amounts from one payer to this payee within `hours`."""
    since = now - timedelta(hours=limits["hours"])
    small = Counter(r.payer_id for r in received if r.at > since and r.usd_minor is not None and r.usd_minor <= limits["small_usd_minor"])
    for payer_id, count in small.most_common(1):
        if count >= limits["count"]:
            return {"hours": limits["hours"], "payer_id": payer_id, "small_payments": count}
    return None


def new_payee_large(*, usd_minor: int | None, paid_before: int, limits: Mapping[str, int]) -> Found | None:
    """A large payout of somebody who was paid out fewer than `payouts` times. An amount of unknown worth counts as large."""
    if paid_before >= limits["payouts"] or (usd_minor is not None and usd_minor < limits["usd_minor"]):
        return None
    return {"usd_minor": usd_minor, "paid_before": paid_before}


def method_changed(*, usd_minor: int | None, age: timedelta, had_others: bool, share: float, limits: Mapping[str, int]) -> Found | None:
    """Most of a balance, and not little, to a place that was added within `hours` when there had been another one before."""
    young = had_others and age < timedelta(hours=limits["hours"])
    if not young or share * 100 < limits["percent"] or (usd_minor is not None and usd_minor < limits["usd_minor"]):
        return None
    return {"hours_since_change": int(age.total_seconds() // 3600), "percent_of_balance": int(share * 100), "usd_minor": usd_minor}


def refund_ping_pong(payments: Iterable[WentBack], *, now: datetime, limits: Mapping[str, int]) -> Found | None:
    """Money that comes in and goes back, again and again, within `days`."""
    since = now - timedelta(days=limits["days"])
    back = [p for p in payments if p.at > since and p.share * 100 >= limits["percent"]]
    worth = sum(p.usd_minor or 0 for p in back)
    if len(back) < limits["count"]:
        return None
    return {"days": limits["days"], "sent_back": len(back), "usd_minor": worth}
