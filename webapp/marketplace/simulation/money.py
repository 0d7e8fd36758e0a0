"""The ledger's history: entries with exactly the lines, keys, quotes and hashes that payments would have posted, and balances by replay.

Entries must come in the order of time. Account rows are numbered when an entry first names them, as the product does.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from marketplace.core.money import Money
from marketplace.payments import fees, fx
from marketplace.payments.ledger import accounts
from marketplace.payments.ledger.accounts import Ref
from marketplace.payments.ledger.post import Line, Row, payload_hash
from marketplace.payments.models import Account, AccountBalance, Entry, Payment, Posting, SandboxObject

from .journal import Journal
from .prices import Prices
from .tables import Table

PROVIDER = "sandbox"
ENTRY_COLUMNS = (
    "id", "kind", "idempotency_key", "payload_hash", "posting_count", "subject_type", "subject_id", "contract_id", "gross_minor",
    "fx_rate_id", "quote", "actor_id", "rule", "reason", "occurred_at",
)  # fmt: skip
PAYMENT_COLUMNS = (
    "id", "provider", "state", "payer_id", "amount_minor", "currency", "purpose", "purpose_id", "idempotency_key", "provider_ref", "method",
    "capture", "action", "last_result", "failure_code", "created_at", "settled_at",
)  # fmt: skip


def opaque_key(*parts: object) -> str:
    """What a client's browser would have sent as Idempotency-Key: opaque, the same for the same parts."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:32]


class Ledger:
    """Posts into tables instead of the database. Raises ValueError when a user's account would go below zero."""

    def __init__(self, prices: Prices, journal: Journal) -> None:
        self.prices, self.journal = prices, journal
        self.accounts: dict[str, int] = {}
        self.balances: dict[str, int] = defaultdict(int)
        self.moves: dict[str, int] = defaultdict(int)
        self.cached: set[str] = set()
        self.account_rows = Table(Account, ("id", "key", "kind", "currency", "user_id", "milestone_id", "processor", "created_at"))
        self.entry_rows = Table(Entry, ENTRY_COLUMNS)
        self.posting_rows = Table(
            Posting, ("id", "entry_id", "line_no", "leg", "debit_account_id", "credit_account_id", "amount", "currency", "occurred_at")
        )
        self.payment_rows = Table(Payment, PAYMENT_COLUMNS)
        self.sandbox_rows = Table(
            SandboxObject,
            (
                "id",
                "kind",
                "idempotency_key",
                "ref",
                "state",
                "amount_minor",
                "currency",
                "token",
                "failure_code",
                "fee_minor",
                "moved_at",
                "manual",
                "of",
            ),
        )
        #: users of whose payments one succeeded
        self.payers: set[int] = set()
        self.released: dict[int, Money] = {}
        self.gsv: dict[str, int] = defaultdict(int)

    def _ids(self, lines: Sequence[Line], at: int) -> None:
        refs = {ref.key: ref for line in lines for ref in (line.debit, line.credit)}
        for key in sorted(k for k in refs if k not in self.accounts):
            ref = refs[key]
            self.accounts[key] = len(self.accounts) + 1
            self.account_rows.add(self.accounts[key], key, str(ref.kind), ref.currency, ref.user_id, ref.milestone_id, ref.processor, at)
            if ref.cached:
                self.cached.add(key)

    def post(
        self,
        at: int,
        kind: str,
        key: str,
        lines: Sequence[Line],
        subject: tuple[str, int],
        *,
        actor: int | None,
        rule: str,
        reason: str = "",
        contract_id: int | None = None,
        gross: Money | None = None,
        fx_rate_id: int | None = None,
        quote: dict[str, Any] | None = None,
    ) -> None:
        """One entry, as payments.ledger.post would write it at that instant."""
        lines = [line for line in lines if line.amount.minor != 0]
        self._ids(lines, at)
        rows: list[Row] = [
            (n, line.leg, self.accounts[line.debit.key], self.accounts[line.credit.key], line.amount.minor, line.amount.currency)
            for n, line in enumerate(lines, start=1)
        ]
        gross_minor, quote, entry = None if gross is None else gross.minor, quote or {}, len(self.entry_rows) + 1
        digest = payload_hash(kind, *subject, contract_id, gross_minor, fx_rate_id, quote, rows)
        self.entry_rows.add(
            entry,
            kind,
            key,
            digest,
            len(rows),
            subject[0],
            subject[1],
            contract_id,
            gross_minor,
            fx_rate_id,
            quote,
            actor,
            rule,
            reason[:500],
            at,
        )
        for row in rows:
            self.posting_rows.add(len(self.posting_rows) + 1, entry, *row, at)
        for line in lines:
            self._move(line.debit, -line.amount.minor)
            self._move(line.credit, line.amount.minor)

    def _move(self, ref: Ref, amount: int) -> None:
        self.balances[ref.key] += amount
        self.moves[ref.key] += 1
        if ref.cached and self.balances[ref.key] < 0:
            raise ValueError(f"{ref.key} would go below zero")

    def balance_table(self) -> Table:
        """The cached balances of users' accounts, by replay."""
        table = Table(AccountBalance, ("account_id", "available", "postings"))
        for key, pk in self.accounts.items():
            if key in self.cached:
                table.add(pk, self.balances[key], self.moves[key])
        return table

    def held(self, milestone_id: int, currency: str) -> Money:
        """What the milestone's hold contains."""
        return Money(self.balances[accounts.hold(milestone_id, None, currency).key], currency)

    # --- gateway ----------------------------------------------------------------------------------------------------
    def payment(
        self, at: int, payer: int, amount: Money, milestone_id: int | None, nonce: str, *, card: str = "tok_visa", failure: str = ""
    ) -> int:
        """A sandbox payment for a milestone (None: into the wallet) with its facts; when it succeeds also the deposit. Returns its id."""
        pk, purpose = len(self.payment_rows) + 1, "wallet" if milestone_id is None else "milestone"
        key = f"{purpose}:{milestone_id or payer}:{hashlib.sha256(nonce.encode()).hexdigest()[:40]}"
        gateway_key = f"payment:{pk}:{key}"
        ref = self.remember("payment", gateway_key, "failed" if failure else "succeeded", amount, card, failure, None if failure else at)
        state, result = ("failed", "rejected") if failure else ("succeeded", "done")
        self.payment_rows.add(
            pk, PROVIDER, state, payer, amount.minor, amount.currency, purpose, milestone_id, key, ref, {"token": card},
            "automatic", {}, result, failure, at, None if failure else at,
        )  # fmt: skip
        about: dict[str, Any] = {"purpose": purpose, "purpose_id": milestone_id, "amount_minor": amount.minor, "currency": amount.currency}
        created = {k: v for k, v in about.items() if k != "purpose_id"}
        self.journal.tell(at, "payments.payment", pk, "payment.create", payer, after=created)
        if failure:
            self.journal.move(at, "payments.payment", pk, "payment", "fail", ("created", "failed"), None, failure_code=failure, **about)
            return pk
        self.payers.add(payer)
        line = Line("deposit", accounts.clearing(PROVIDER, amount.currency), accounts.wallet(payer, amount.currency), amount)
        self.post(at, "deposit", f"deposit:{pk}", [line], ("payment", pk), actor=payer, rule="gateway_succeeded")
        self.journal.move(at, "payments.payment", pk, "payment", "succeed", ("created", "succeeded"), payer, **about)
        return pk

    def remember(self, kind: str, key: str, state: str, amount: Money, token: str, failure: str, moved: int | None) -> str:
        """What the sandbox gateway keeps of the call, and when it moved money; returns its reference."""
        ref = f"sbx_{kind}_{hashlib.sha256(key.encode()).hexdigest()[:24]}"
        self.sandbox_rows.add(
            len(self.sandbox_rows) + 1, kind, key, ref, state, amount.minor, amount.currency, token, failure, 0, moved, False, ""
        )
        return ref

    # --- contracts --------------------------------------------------------------------------------------------------
    def hold(self, at: int, contract_id: int, milestone_id: int, payer: int, amount: Money) -> None:
        """Wallet → hold."""
        line = Line("hold", accounts.wallet(payer, amount.currency), accounts.hold(milestone_id, payer, amount.currency), amount)
        subject = ("milestone", milestone_id)
        self.post(at, "hold", f"hold:{milestone_id}", [line], subject, actor=payer, rule="client_funding", contract_id=contract_id)

    def release(
        self, at: int, contract_id: int, milestone_id: int, payee: int, gross: Money, payee_currency: str, *, actor: int | None, rule: str
    ) -> None:
        """Hold → pending, fees and tax."""
        lines, rate, quote = self._pay(at, milestone_id, payee, gross, payee_currency)
        key, subject = f"release:{milestone_id}:1", ("milestone", milestone_id)
        self.post(
            at, "release", key, lines, subject, actor=actor, rule=rule, contract_id=contract_id, gross=gross, fx_rate_id=rate, quote=quote
        )
        self.gsv[gross.currency] += gross.minor

    def clear(self, at: int, contract_id: int, milestone_id: int, payee: int) -> Money | None:
        """Pending → available; None when nothing had been released."""
        amount = self.released.get(milestone_id)
        if amount is None:
            return None
        line = Line("clear", accounts.pending(payee, amount.currency), accounts.available(payee, amount.currency), amount)
        subject = ("milestone", milestone_id)
        self.post(at, "clear", f"clear:{milestone_id}", [line], subject, actor=None, rule="clearing_5d", contract_id=contract_id)
        return amount

    def refund(
        self, at: int, contract_id: int, milestone_id: int, payer: int, amount: Money, *, actor: int, rule: str, reason: str
    ) -> None:
        """Hold → wallet."""
        line = Line("refund", accounts.hold(milestone_id, payer, amount.currency), accounts.wallet(payer, amount.currency), amount)
        subject = ("milestone", milestone_id)
        self.post(at, "refund", f"refund:{milestone_id}", [line], subject, actor=actor, rule=rule, reason=reason, contract_id=contract_id)

    def settle(
        self,
        at: int,
        contract_id: int,
        milestone_id: int,
        sides: tuple[int, int],
        payee_currency: str,
        parts: tuple[Money, Money],
        *,
        actor: int,
        reason: str,
    ) -> None:
        """The whole hold split between payee and payer (`sides` and `parts` in this order)."""
        (payee, payer), (to_payee, to_payer) = sides, parts
        lines: list[Line] = []
        rate: int | None = None
        quote: dict[str, Any] = {}
        if to_payee:
            lines, rate, quote = self._pay(at, milestone_id, payee, to_payee, payee_currency)
        currency = to_payer.currency
        lines.append(Line("refund", accounts.hold(milestone_id, payer, currency), accounts.wallet(payer, currency), to_payer))
        self.post(
            at, "settle", f"settle:{milestone_id}", lines, ("milestone", milestone_id), actor=actor, rule="dispute_decision", reason=reason,
            contract_id=contract_id, gross=to_payee, fx_rate_id=rate, quote=quote,
        )  # fmt: skip
        self.gsv[currency] += to_payee.minor

    def _pay(
        self, at: int, milestone_id: int, payee: int, gross: Money, payee_currency: str
    ) -> tuple[list[Line], int | None, dict[str, Any]]:
        parts = fees.split(gross, self.prices.schedule)
        held = accounts.hold(milestone_id, None, gross.currency)
        lines = [Line("fee", held, accounts.fees(gross.currency), parts.fee), Line("tax", held, accounts.tax(gross.currency), parts.tax)]
        quote: dict[str, Any] = {
            "fee_schedule": self.prices.schedule.version, "currency": gross.currency, "gross": gross.minor, "fee": parts.fee.minor,
            "tax": parts.tax.minor, "net": parts.net.minor,
        }  # fmt: skip
        if payee_currency == gross.currency:
            self.released[milestone_id] = parts.net
            return [Line("net", held, accounts.pending(payee, payee_currency), parts.net), *lines], None, quote
        rate = self.prices.rate(gross.currency, payee_currency, at)
        payee_net = fx.convert(parts.net, rate)
        pair = (gross.currency, payee_currency)
        lines[:0] = [
            Line("fx_out", held, accounts.fx_clearing(*pair, gross.currency), parts.net),
            Line("fx_in", accounts.fx_clearing(*pair, payee_currency), accounts.pending(payee, payee_currency), payee_net),
        ]
        quote.update(
            payee_currency=payee_currency, payee_net=payee_net.minor, fx_rate=f"{rate.rate.normalize():f}", fx_source=rate.source,
            spread_bps=rate.spread_bps,
        )  # fmt: skip
        if payee_net:
            self.released[milestone_id] = payee_net
        return lines, rate.pk, quote
