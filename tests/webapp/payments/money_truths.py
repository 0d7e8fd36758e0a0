"""What must be true of all money after each step of the machine (test_money_machine)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from hypothesis.stateful import invariant

from marketplace.contracts.models import Milestone
from marketplace.disputes.models import Dispute
from marketplace.payments.models import Entry, Payment, PaymentRefund, Payout
from marketplace.payments.services import ledger_check

from .house_bank import CURRENCIES, HouseBank
from .money_model import HELD, LIMIT, Books


class Truths:
    """Compares what the services made with the model and with the bank's own books."""

    books: Books
    bank: HouseBank
    pks: list[int]
    now: datetime

    @invariant()
    def every_position_is_the_models(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT a.kind, a.currency, SUM(m.amount) FROM (SELECT credit_account_id AS a, amount FROM payments_posting UNION ALL "
                "SELECT debit_account_id, -amount FROM payments_posting) m JOIN payments_account a ON a.id = m.a GROUP BY a.kind, a.currency"
            )
            found = {(kind, currency): int(total) for kind, currency, total in cursor.fetchall() if total}
        assert found == {k: v for k, v in self.books.at.items() if v}
        for currency in CURRENCIES:
            assert sum(v for (_, c), v in self.books.at.items() if c == currency) == 0
        rows = dict(Milestone.objects.filter(pk__in=self.pks).values_list("pk", "state"))
        assert [rows[pk] for pk in self.pks] == [p.state for p in self.books.parts]

    @invariant()
    def the_ledger_stands(self) -> None:
        """1 to 9, and whatever else the house's own check proves."""
        report = ledger_check(allow_empty=True)
        assert report.ok, report.violations

    @invariant()
    def the_bank_holds_what_we_say(self) -> None:
        """10: clearing = the bank's balance, but for things whose news we have not heard, one by one."""
        untold = dict.fromkeys(CURRENCIES, 0)
        for thing, ours in self._heard():
            untold[thing.amount.currency] += thing.holds(thing.status) - ours
        for currency in CURRENCIES:
            assert self.bank.balance(currency) - untold[currency] == -self.books.at["clearing", currency]

    def _heard(self) -> list[tuple[Any, int]]:
        """Each of the bank's things with what we say that it holds for us because of it, from our own rows."""
        rows: dict[str, int] = {}
        for payment in Payment.objects.exclude(settled_at=None):
            rows[payment.provider_ref] = payment.received - self.bank.things[payment.provider_ref].fee
        for model, good in ((PaymentRefund, "succeeded"), (Payout, "paid")):
            rows |= {row.provider_ref: -row.amount_minor for row in model.objects.filter(state=good)}
        for ref, taken in self.books.taken.items():
            rows[ref] = (-taken.amount if taken.state in ("open", "lost") else 0) - taken.fee
        return [(thing, rows.get(thing.ref, 0)) for thing in self.bank.things.values()]

    def no_hold_is_too_old(self) -> None:
        """11, after each sweep; a disputed one waits for its decision, and goes with the next sweep when the dispute is withdrawn too late."""
        assert not [p for p in self.books.parts if p.state in HELD and p.began + LIMIT <= self.books.day]
        limit = self.now - timedelta(days=LIMIT)
        assert not Milestone.objects.filter(state__in=("funded", "submitted"), funded_at__lte=limit, held_since=None).exists()

    @invariant()
    def a_split_is_all_that_was_held(self) -> None:
        """12: what both sides got of a settled dispute, in the ledger, is what was held when it was opened."""
        for found in Dispute.objects.filter(state="settled"):
            entry = Entry.objects.get(kind="settle", subject_type="milestone", subject_id=found.milestone_id)
            legs = entry.postings.exclude(leg="fx_in").values_list("amount", flat=True)
            assert sum(legs) == found.held_minor == (found.to_freelancer_minor or 0) + (found.to_client_minor or 0)
