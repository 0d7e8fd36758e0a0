"""Payouts of the simulated past: requested from what has cleared, held the first time, sent, paid or failed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from numpy.random import Generator

from marketplace.core.money import Money
from marketplace.payments.ledger import accounts
from marketplace.payments.ledger.post import Line
from marketplace.payments.models import Payout

from . import calibration as cal
from .money import PROVIDER, Ledger, opaque_key
from .tables import Table

COLUMNS = (
    "id", "provider", "state", "payee_id", "amount_minor", "currency", "idempotency_key", "provider_ref", "method", "failure_code",
    "hold_reason", "held_until", "created_at", "settled_at",
)  # fmt: skip

#: the sandbox token of a bank account that was closed
CLOSED_ACCOUNT = "bank_closed"


class Payouts:
    """Payouts by freelancers; steps come in the order of time, each may ask for a later one."""

    def __init__(self, ledger: Ledger, rng: Generator) -> None:
        self.ledger, self.rng = ledger, rng
        self.rows: dict[int, dict[str, Any]] = {}
        self.paid_before: set[int] = set()
        self.waiting: set[int] = set()

    def after_clearing(self, payee: int, currency: str, at: int) -> int:
        """When the freelancer will ask for the money, 0 when they let it lie (or one request is already on its way)."""
        if payee in self.waiting or self.rng.random() > cal.PAYOUT_SHARE:
            return 0
        self.waiting.add(payee)
        return at + int(self.rng.uniform(0.2, cal.PAYOUT_EVERY_DAYS) * cal.DAY)

    def request(self, at: int, payee: int, currency: str) -> tuple[int, int] | None:
        """Take everything available; returns the payout and when it is sent, None when it is too little."""
        self.waiting.discard(payee)
        amount = Money(self.ledger.balances[accounts.available(payee, currency).key], currency)
        if float(amount.to_decimal()) * cal.USD_PER_UNIT[currency] < cal.PAYOUT_MIN_USD:
            return None
        pk = len(self.rows) + 1
        token = CLOSED_ACCOUNT if self.rng.random() < cal.PAYOUT_FAILED else "bank_ok"
        first = payee not in self.paid_before
        row: dict[str, Any] = {
            "id": pk, "provider": PROVIDER, "state": "requested", "payee_id": payee, "amount_minor": amount.minor, "currency": currency,
            "idempotency_key": f"{payee}:{opaque_key('payout', payee, at)}"[:128], "provider_ref": None, "method": {"token": token},
            "failure_code": "", "hold_reason": "", "held_until": None, "created_at": at, "settled_at": None,
        }  # fmt: skip
        self.rows[pk] = row
        self._tell(row, at, "payout.request", payee, after={"amount_minor": amount.minor, "currency": currency})
        self._post(row, at, "payout_request", payee, "payee_request")
        due = at + int(self.rng.integers(20, 90))
        if first:
            row["hold_reason"], row["held_until"] = "first_payout", at + settings.FIRST_PAYOUT_HOLD_HOURS * cal.HOUR
            self._move(row, at, "hold", "held", reason="first_payout")
            due = int(row["held_until"]) + int(self.rng.integers(5, 60))
        return pk, due

    def send(self, at: int, pk: int) -> None:
        """Send it to the sandbox and apply the answer."""
        row = self.rows[pk]
        amount = Money(row["amount_minor"], row["currency"])
        if row["state"] == "held":
            self._move(row, at, "clear", "requested", reason="hold_over")
        self._move(row, at, "send", "sent")
        failed = row["method"]["token"] == CLOSED_ACCOUNT
        key = f"payout:{pk}:{row['idempotency_key']}"
        outcome = ("account_closed", None) if failed else ("", at)
        row["provider_ref"] = self.ledger.remember("payout", key, "failed" if failed else "paid", amount, row["method"]["token"], *outcome)
        about: dict[str, Any] = {"amount_minor": amount.minor, "currency": amount.currency}
        if failed:
            row["failure_code"] = "account_closed"
            self._post(row, at, "payout_fail", None, "payout_failed", "account_closed")
            self._move(row, at, "fail", "failed", reason="account_closed", **about)
        else:
            row["settled_at"] = at
            self.paid_before.add(row["payee_id"])
            self._post(row, at, "payout_settle", None, "gateway_paid")
            self._move(row, at, "settle", "paid", **about)

    def _move(self, row: dict[str, Any], at: int, action: str, state: str, *, reason: str = "", **extra: Any) -> None:
        self.ledger.journal.move(at, "payments.payout", row["id"], "payout", action, (row["state"], state), None, reason=reason, **extra)
        row["state"] = state

    def _tell(self, row: dict[str, Any], at: int, kind: str, actor: int, after: dict[str, Any]) -> None:
        self.ledger.journal.tell(at, "payments.payout", row["id"], kind, actor, after=after)

    def _post(self, row: dict[str, Any], at: int, kind: str, actor: int | None, rule: str, reason: str = "") -> None:
        payee, currency = row["payee_id"], row["currency"]
        here, transit = accounts.available(payee, currency), accounts.payout_transit(payee, currency)
        debit, credit = {
            "payout_request": (here, transit), "payout_settle": (transit, accounts.clearing(PROVIDER, currency)), "payout_fail": (transit, here),
        }[kind]  # fmt: skip
        line = Line("payout", debit, credit, Money(row["amount_minor"], currency))
        self.ledger.post(at, kind, f"{kind}:{row['id']}", [line], ("payout", row["id"]), actor=actor, rule=rule, reason=reason)

    def table(self) -> Table:
        """The payouts' rows."""
        table = Table(Payout, COLUMNS)
        for row in self.rows.values():
            table.add(*(row[c] for c in COLUMNS))
        return table
