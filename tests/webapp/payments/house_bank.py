"""A gateway that lives in the test: it takes and pays money at once or later, loses answers, takes payments back and sends payouts back.

It keeps books of its own in whole minor units, so that what it holds for us can be compared with what we say it holds.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from marketplace.core.money import Money
from marketplace.payments.providers.base import (
    Accepted,
    Capabilities,
    Capture,
    Done,
    Fetched,
    FetchedDispute,
    FetchedRefund,
    Limited,
    Rejected,
    Result,
    Unknown,
)

CURRENCIES = ("USD", "KRW", "KWD")
#: what it keeps of a payment, in thousandths, and for a dispute, in minor units
FEE, DISPUTE_FEE = 29, 15
#: per kind: the states of an object in which its amount has moved, and which way it moves what the bank holds for us
MOVED = {
    "payment": (1, ("succeeded",)),
    "refund": (-1, ("succeeded",)),
    "payout": (-1, ("paid",)),
    "dispute": (-1, ("open", "lost")),
}


@dataclass
class Thing:
    """A payment, refund, payout or dispute as the bank has it."""

    ref: str
    kind: str
    amount: Money
    status: str
    fee: int = 0
    of: str = ""

    def holds(self, status: str) -> int:
        """What the bank holds for us because of it while it is in that status."""
        sign, moved = MOVED[self.kind]
        kept = self.fee if status in moved or (self.kind == "dispute" and status == "won") else 0
        return (sign * self.amount.minor if status in moved else 0) - kept


class HouseBank(Limited):
    """See the module. Methods: now, later, lost (done, but the answer never comes), refused."""

    name = "bank"

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self._keys: dict[str, str] = {}
        self.refunds_wait = False
        self.calls: Counter[str] = Counter()

    def balance(self, currency: str) -> int:
        """What it holds for us now."""
        return sum(t.holds(t.status) for t in self.things.values() if t.amount.currency == currency)

    def of(self, kind: str, *statuses: str) -> list[Thing]:
        """Its things of a kind, oldest first."""
        return [t for t in self.things.values() if t.kind == kind and (not statuses or t.status in statuses)]

    def named(self, key: str) -> str | None:
        """Its name of what it was asked for under a key of ours."""
        return self._keys.get(key)

    # --- the protocol
    def capabilities(self) -> Capabilities:
        there = frozenset(CURRENCIES)
        return Capabilities(pays_in=there, pays_out=there, refunds=True, disputes=True)

    def check_method(self, method: Mapping[str, Any], *, purpose: Literal["payment", "payout"]) -> dict[str, Any]:
        return {"token": method["token"]}

    def create_payment(
        self, *, key: str, amount: Money, method: Mapping[str, Any], capture: Capture = "automatic", age: timedelta | None = None
    ) -> Result:
        status = {"later": "pending", "refused": "failed"}.get(method["token"], "succeeded")
        thing, new = self._thing("payment", key, amount, status, fee=amount.minor * FEE // 1000)
        return self._answer(thing, new and method["token"] == "lost", "succeeded")

    def pay_out(self, *, key: str, amount: Money, method: Mapping[str, Any], age: timedelta | None = None) -> Result:
        status = {"later": "sent", "refused": "failed"}.get(method["token"], "paid")
        thing, new = self._thing("payout", key, amount, status)
        return self._answer(thing, new and method["token"] == "lost", "paid")

    def refund(self, *, key: str, payment_ref: str, amount: Money, age: timedelta | None = None) -> Result:
        thing, _ = self._thing("refund", key, amount, "pending" if self.refunds_wait else "succeeded", of=payment_ref)
        return self._answer(thing, False, "succeeded")

    def cancel(self, *, key: str, ref: str) -> Result:
        thing = self.things[ref]
        if thing.status != "pending":
            return Rejected("too_late", ref)
        thing.status = "cancelled"
        return Done(ref)

    def fetch_payment(self, *, ref: str) -> Fetched | None:
        t = self.things.get(ref)
        return t and Fetched(ref, t.status, t.amount, fee=Money(t.fee, t.amount.currency))

    def fetch_payout(self, *, ref: str) -> Fetched | None:
        t = self.things.get(ref)
        return t and Fetched(ref, t.status, t.amount, "account_closed" if t.status == "failed" else "")

    def fetch_refund(self, *, ref: str) -> FetchedRefund | None:
        t = self.things.get(ref)
        return t and FetchedRefund(ref, t.status, t.amount, t.of)  # type: ignore[arg-type]

    def fetch_dispute(self, *, ref: str) -> FetchedDispute | None:
        t = self.things.get(ref)
        return t and FetchedDispute(ref, t.status, t.amount, t.of, fee=Money(t.fee, t.amount.currency))  # type: ignore[arg-type]

    # --- what happens there without us
    def payers_confirm(self) -> None:
        """Every payer who still had to agree does."""
        for thing in self.of("payment", "pending"):
            thing.status = "succeeded"

    def disputes_about(self, payment_ref: str) -> list[str]:
        """The references of the disputes about a payment."""
        return [t.ref for t in self.of("dispute") if t.of == payment_ref]

    def dispute(self, payment_ref: str, minor: int) -> Thing:
        """The payer's bank takes so much of a payment back."""
        currency = self.things[payment_ref].amount.currency
        n = sum(t.of == payment_ref for t in self.of("dispute"))
        return self._thing("dispute", f"{payment_ref}:{n}", Money(minor, currency), "open", fee=DISPUTE_FEE, of=payment_ref)[0]

    def _thing(self, kind: str, key: str, amount: Money, status: str, fee: int = 0, of: str = "") -> tuple[Thing, bool]:
        self.calls[kind] += 1
        ref = self._keys.get(key)
        if ref is not None:
            assert self.things[ref].amount == amount, "the same key with another amount"
            return self.things[ref], False
        made = Thing(f"{kind}_{hashlib.sha256(key.encode()).hexdigest()[:20]}", kind, amount, status, fee, of)
        self._keys[key], self.things[made.ref] = made.ref, made
        return made, True

    @staticmethod
    def _answer(thing: Thing, lost: bool, good: str) -> Result:
        if lost:
            return Unknown("the answer was lost")
        if thing.status == "failed":
            return Rejected("refused", thing.ref)
        return Done(thing.ref) if thing.status == good else Accepted(thing.ref)
