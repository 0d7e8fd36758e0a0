"""Every act that moves money, in any order, beside a pure model that knows no database, and a bank whose own books must agree.

After each step all positions are those of the model, all twelve invariants of the ledger hold, and what the bank holds for us differs from what
we say only by what it has not told us yet. OPENLANCE_MONEY_EXAMPLES asks for more than the 12 sequences that `make test` tries.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck
from hypothesis import settings as bounded
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from marketplace.contracts import services as work
from marketplace.contracts import tasks as clocks
from marketplace.contracts.models import Contract, RefundRequest
from marketplace.core.errors import DomainError
from marketplace.core.models import Delivery
from marketplace.core.money import Money
from marketplace.core.tasks import deliver_one
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.payments import providers, selectors, services, tasks
from marketplace.payments.fee_refunds import PAID
from marketplace.payments.ledger import check
from marketplace.payments.models import Entry, FxRate, Payment, PaymentRefund, Payout
from marketplace.payments.payouts import payout_key

from .house_bank import CURRENCIES, HouseBank
from .money_contracts import START, parts, three_contracts
from .money_model import HELD, SPREAD_BPS, Books
from .money_truths import Truths

EXAMPLES = int(os.environ.get("OPENLANCE_MONEY_EXAMPLES", "12"))
STEPS = int(os.environ.get("OPENLANCE_MONEY_STEPS", "30"))
RATES = {("USD", "KRW"): 1_391_470_000, ("KRW", "KWD"): 221}
AMOUNTS = st.one_of(st.integers(1, 12), st.integers(1, 60_000))
CURRENCY = st.sampled_from(CURRENCIES)
TOKEN = st.sampled_from(("now", "now", "later", "lost", "refused"))
ANY = st.integers(0, 10**6)


class Machine(Truths, RuleBasedStateMachine):
    """The same acts on the model and on the services."""

    alice: ClassVar[Any]
    bob: ClassVar[Any]
    sam: ClassVar[Any]
    finn: ClassVar[Any]
    mona: ClassVar[Any]
    contracts: ClassVar[list[Contract]]
    #: set anew for each sequence; the gateway of the product's registry is whatever is here
    bank: ClassVar[HouseBank]

    def __init__(self) -> None:
        super().__init__()
        Machine.bank = HouseBank()
        selectors._remembered_rate.cache_clear()  # each sequence has rates of its own for the same days
        self.books = Books(parts(), dict(RATES))
        self.pks = [pk for c in self.contracts for pk in c.milestones.order_by("position").values_list("pk", flat=True)]
        self.payments: list[int] = []
        self.payouts: list[int] = []
        self.backs: list[int] = []
        self.entries: list[int] = []
        self.serial = 0
        self.settled: list[int] = []
        self.world = transaction.atomic()
        self.world._from_testcase = True  # type: ignore[attr-defined]  # the outermost of ours: acts that call the bank ask for that
        self.world.__enter__()
        self._rates()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.world.__exit__(None, None, None)

    # --- helpers
    @property
    def now(self) -> datetime:
        return START + timedelta(days=self.books.day)

    def key(self) -> str:
        self.serial += 1
        return f"machine-{self.serial}"

    def ask(self, act: Any) -> Any:
        """An act that talks to the bank; the services own its transactions."""
        with time_machine.travel(self.now, tick=False):
            return act()

    def both(self, possible: bool, act: Any, *, twice: bool = False) -> Any:
        """An act of one transaction. With `twice` its repetition must change nothing."""
        result, why = None, None
        with time_machine.travel(self.now, tick=False):
            try:
                with transaction.atomic():
                    result = act()
                    if twice:
                        assert act().pk == result.pk
            except DomainError as e:
                why = e
        assert (why is None) == possible, why or "the model thinks otherwise"
        return result

    def among(self, n: int, *states: str, asked: bool | None = None) -> int:
        """A milestone in one of these states; any when there is none, or once in a while."""
        there = [i for i, p in enumerate(self.books.parts) if p.state in states and asked in (None, p.ask is not None)]
        return there[n % len(there)] if there and n % 11 else n % len(self.pks)

    def any(self, *states: str, asked: bool = False) -> bool:
        """Whether a milestone is in one of these states."""
        return any(p.state in states and (p.ask is not None or not asked) for p in self.books.parts)

    def note_fees(self) -> None:
        """The entries that took a fee, in the order in which the model took them."""
        self.entries = list(Entry.objects.filter(kind__in=PAID, gross_minor__gt=0).order_by("id").values_list("id", flat=True))
        assert len(self.entries) == len(self.books.fees)

    def _rates(self) -> None:
        for (base, quote), millionths in self.books.rates.items():
            values = {"rate": Decimal(millionths) / 10**6, "spread_bps": SPREAD_BPS, "fetched_at": self.now}
            FxRate.objects.create(base=base, quote=quote, source=f"day{self.books.day}-{self.key()}"[:32], as_of=self.now.date(), **values)

    # --- money in
    @initialize(
        doing=st.lists(st.sampled_from((0, 1, 2, 3, 3)), min_size=6, max_size=6), then=st.sampled_from(("now", "week", "lost", "lost"))
    )
    def some_work_is_under_way(self, doing: list[int], then: str) -> None:
        """Wallets filled by two payments each; of the milestones some are funded, some handed in, some paid, perhaps a week ago, and paid out by
        a payout whose answer was lost."""
        for currency, minor in (("USD", 45_000), ("KRW", 6_000), ("KWD", 99_999)):
            self.deposit(currency, minor, "now", False)
            self.deposit(currency, minor // 9, "now", False)
        for i, far in enumerate(doing):
            act = {"actor": self.alice, "milestone_id": self.pks[i]}
            if far >= 1:
                pay = {"provider": "wallet", "method": {}, "idempotency_key": "w"}
                self.both(self.books.fund(i), lambda act=act, pay=pay: work.milestone_fund(**act, **pay))
            if far >= 2:
                note = {**act, "actor": self.bob, "note": "Done."}
                self.both(self.books.submit(i), lambda note=note: work.milestone_submit(**note))
            if far >= 3:
                self.both(self.books.approve(i), lambda act=act: work.milestone_approve(**act))
        if then != "now":
            self.time_passes(7, 0)
            there = [c for c in CURRENCIES if self.books.at["available", c] > 1]
            if then == "lost" and there:
                self.the_answer_to_a_payout_is_lost(1, there[-1], 1, "later" if doing[-1] else "now", True)

    @rule(currency=CURRENCY, minor=AMOUNTS, token=TOKEN, again=st.booleans())
    def deposit(self, currency: str, minor: int, token: str, again: bool) -> None:
        asked = {"purpose": "wallet", "purpose_id": None, "method": {"token": token}, "provider": "bank", "idempotency_key": self.key()}
        start = lambda: services.payment_start(actor_id=self.alice.pk, amount=Money(minor, currency), **asked)  # noqa: E731
        payment = self.ask(start)
        self._paid(payment, self.books.pay(minor, currency, token), again, start)

    def _paid(self, payment: Payment, ours: Any, again: bool, start: Any) -> None:
        self.payments.append(payment.pk)
        if again:  # an answer that was lost is had by asking again
            assert self.ask(start).pk == payment.pk
            self._hear_payment(len(self.payments) - 1)

    @rule(n=ANY, token=TOKEN)
    def fund_by_card(self, n: int, token: str) -> None:
        i = self.among(n, "planned")
        p = self.books.parts[i]
        method = {"provider": "bank", "method": {"token": token}, "idempotency_key": self.key()}
        fund = lambda: work.milestone_fund(actor=self.alice, milestone_id=self.pks[i], **method)  # noqa: E731
        if p.contract in self.books.ended or p.state != "planned":
            with pytest.raises(DomainError):
                self.ask(fund)
            return
        payment, _ = self.ask(fund)
        self.payments.append(payment.pk)
        waiting, self.books.to_fund = self.books.to_fund, []
        self.books.pay(p.amount + sum(p.charge(p.amount)), p.currency, token, i)
        if token == "now":
            self.books.fund(i)
        self.books.to_fund = waiting + self.books.to_fund

    @rule(n=ANY)
    def fund_from_wallet(self, n: int) -> None:
        """A hold out of as many payments as lie in the wallet."""
        i = self.among(n, "planned")
        method = {"provider": "wallet", "method": {}, "idempotency_key": "w"}
        self.both(self.books.fund(i), lambda: work.milestone_fund(actor=self.alice, milestone_id=self.pks[i], **method))

    @rule()
    def deliver(self) -> None:
        """The outbox tells contracts which payments came."""
        self.books.tell()
        due = Delivery.objects.filter(handler="contracts.milestone_fund", state="pending").order_by("id").values_list("id", flat=True)
        with time_machine.travel(self.now, tick=False):
            for pk in list(due):
                assert deliver_one(pk)
                assert not deliver_one(pk)

    @precondition(lambda self: self.bank.of("payment", "pending", "cancelled"))
    @rule(n=ANY, ends=st.sampled_from(["succeeded", "succeeded", "failed"]))
    def payer_answers(self, n: int, ends: str) -> None:
        """At the bank; also one that we gave up, or that the payer did not want before."""
        there = self.bank.of("payment", "pending", "cancelled")
        there[n % len(there)].status = ends

    @precondition(lambda self: self.payments)
    @rule(n=ANY)
    def hear_payment(self, n: int) -> None:
        i = n % len(self.payments)
        for _ in range(2):
            self.ask(lambda: services.payment_refresh(payment_id=self.payments[i]))
        self._hear_payment(i)

    def _hear_payment(self, i: int) -> None:
        # without a reference the same key is sent again
        self.books.hear_payment(i, self._theirs(Payment, self.payments[i]))

    def _theirs(self, model: Any, pk: int) -> str:
        return self.bank.things[model.objects.get(pk=pk).provider_ref].status

    @precondition(lambda self: any(p.state == "pending" for p in self.books.ins))
    @rule(n=ANY)
    def cancel(self, n: int) -> None:
        waiting = [i for i, p in enumerate(self.books.ins) if p.state == "pending"]
        i = waiting[n % len(waiting)]
        self.ask(lambda: services.payment_cancel(payment_id=self.payments[i]))
        self._hear_payment(i)

    @rule(pair=st.sampled_from(sorted(RATES)), minor=AMOUNTS)
    def exchange(self, pair: tuple[str, str], minor: int) -> None:
        """Money of the wallet into another currency, at a quote that is used twice."""

        def act() -> Entry:
            quote = services.exchange_quote(actor=self.alice, buy=Money(minor, pair[1]), sell_currency=pair[0])
            made = services.exchange_make(actor=self.alice, quote_id=quote.pk)
            assert services.exchange_make(actor=self.alice, quote_id=quote.pk).pk == made.pk
            return made

        self.both(self.books.exchange(pair, minor), act)

    # --- work and pay
    @precondition(lambda self: self.any("funded"))
    @rule(n=ANY)
    def submit(self, n: int) -> None:
        i = self.among(n, "funded")
        self.both(self.books.submit(i), lambda: work.milestone_submit(actor=self.bob, milestone_id=self.pks[i], note="Done."))

    @precondition(lambda self: self.any("submitted"))
    @rule(n=ANY)
    def approve(self, n: int) -> None:
        i = self.among(n, "submitted")
        self.both(self.books.approve(i), lambda: work.milestone_approve(actor=self.alice, milestone_id=self.pks[i]))

    @precondition(lambda self: self.any("submitted"))
    @rule(n=ANY, gross=AMOUNTS, to=st.sampled_from(["wallet", "next"]))
    def approve_part(self, n: int, gross: int, to: str) -> None:
        i = self.among(n, "submitted", asked=False)
        part = {"amount_minor": gross, "rest": to, "reason": "Not all."}
        self.both(
            self.books.approve_part(i, gross, to),
            lambda: work.milestone_approve_part(actor=self.alice, milestone_id=self.pks[i], **part),
        )

    @rule(n=st.integers(0, 2), gross=AMOUNTS)
    def bonus(self, n: int, gross: int) -> None:
        act = lambda: work.bonus_give(actor=self.alice, contract_id=self.contracts[n].pk, amount_minor=gross)  # noqa: E731
        self.both(self.books.bonus(2 * n, gross), act)

    @precondition(lambda self: self.books.fees)
    @rule(n=ANY, amount=AMOUNTS)
    def fee_back(self, n: int, amount: int) -> None:
        self.note_fees()
        i = n % len(self.entries)
        fee = self.books.fees[i]
        amount = min(amount, fee.fee - fee.back + 1) or 1
        give = {"entry_id": self.entries[i], "amount_minor": amount, "reason": "Our fault."}
        self.both(self.books.fee_back(fee, amount), lambda: services.fee_refund(actor=self.finn, **give))

    # --- back to the client
    def asked(self, i: int) -> int:
        found = RefundRequest.objects.filter(milestone=self.pks[i]).order_by("-id").values_list("id", flat=True).first()
        return found or 0

    @precondition(lambda self: self.any(*HELD))
    @rule(n=ANY, amount=AMOUNTS, whole=st.booleans())
    def ask_back(self, n: int, amount: int, whole: bool) -> None:
        i = self.among(n, "funded", "submitted", asked=False)
        wanted = self.books.parts[i].held if whole else amount
        self.both(
            self.books.ask_back(i, wanted),
            lambda: work.refund_request_open(
                actor=self.alice, milestone_id=self.pks[i], amount_minor=None if whole else wanted, reason="No."
            ),
        )

    @precondition(lambda self: self.any(*HELD, asked=True))
    @rule(n=ANY, yes=st.booleans())
    def answer(self, n: int, yes: bool) -> None:
        i = self.among(n, "funded", "submitted", asked=True)
        request = self.asked(i)
        if yes:
            self.both(self.books.accept(i), lambda: work.refund_request_accept(actor=self.bob, request_id=request))
        else:
            self.both(self.books.refuse(i), lambda: work.refund_request_refuse(actor=self.bob, request_id=request, answer="No."))

    @precondition(lambda self: self.any(*HELD))
    @rule(n=ANY)
    def give_back(self, n: int) -> None:
        i = self.among(n, "funded", "submitted")
        self.both(self.books.give_back(i), lambda: work.milestone_refund(actor=self.bob, milestone_id=self.pks[i]))

    # --- disputes about the work
    @precondition(lambda self: self.any(*HELD))
    @rule(n=ANY, client=st.booleans())
    def dispute(self, n: int, client: bool) -> None:
        i = self.among(n, "funded", "submitted")
        who = self.alice if client else self.bob
        self.both(self.books.dispute(i), lambda: disputes.dispute_open(actor=who, milestone_id=self.pks[i], claim="No."))

    @precondition(lambda self: self.any("disputed"))
    @rule(n=ANY)
    def resume(self, n: int) -> None:
        i = self.among(n, "disputed")
        found = Dispute.objects.filter(live_key=str(self.pks[i])).first()
        if found is not None:
            act = lambda: disputes.dispute_withdraw(actor=found.filer, dispute_id=found.pk)  # noqa: E731
            self.both(self.books.resume(i), act)

    @precondition(lambda self: self.any("disputed"))
    @rule(n=ANY, share=st.integers(0, 100), wrong=st.sampled_from([0, 0, 0, 1, -1]))
    def settle(self, n: int, share: int, wrong: int) -> None:
        i = self.among(n, "disputed")
        found = Dispute.objects.filter(live_key=str(self.pks[i])).first()
        if found is None:
            return
        given = found.held_minor * share // 100
        back = found.held_minor - given + wrong
        split = {"to_freelancer_minor": given, "to_client_minor": back, "reason": "So."}
        possible = not wrong and self.books.settle(i, given)
        self.both(possible, lambda: disputes.dispute_settle(actor=self.sam, dispute_id=found.pk, **split))

    # --- money out
    @precondition(lambda self: any(self.books.at["available", c] for c in CURRENCIES))
    @rule(currency=CURRENCY, minor=AMOUNTS, token=TOKEN, whole=st.booleans(), sent=st.booleans())
    def pay_out(self, currency: str, minor: int, token: str, whole: bool, sent: bool) -> None:
        there = [c for c in CURRENCIES if self.books.at["available", c]]
        currency = currency if currency in there or not there else there[0]
        minor = (self.books.at["available", currency] if whole else minor) or minor
        asked = {"amount": Money(minor, currency), "method": {"token": token}, "idempotency_key": self.key(), "provider": "bank"}
        made = self.both(self.books.pay_out(minor, currency, token), lambda: services.payout_request(actor=self.bob, **asked), twice=True)
        if made is not None:
            self.payouts.append(made.pk)
            if sent:
                self.send_payout(len(self.payouts) - 1)

    @precondition(lambda self: self.payouts)
    @rule(n=ANY)
    def send_payout(self, n: int) -> None:
        i = n % len(self.payouts)
        for _ in range(2):
            self.ask(lambda: services.payout_send(payout_id=self.payouts[i]))
        self.books.send(i)

    @precondition(lambda self: self.bank.of("payout", "sent", "paid"))
    @rule(n=ANY, paid=st.booleans())
    def payout_arrives_or_returns(self, n: int, paid: bool) -> None:
        there = self.bank.of("payout", "sent", "paid")
        if there:
            there[n % len(there)].status = "paid" if paid else "failed"

    @precondition(lambda self: any(o.state in ("sent", "paid") for o in self.books.outs))
    @rule(n=ANY)
    def hear_payout(self, n: int) -> None:
        known = [i for i, o in enumerate(self.books.outs) if o.state in ("sent", "paid")]
        if not known:
            return
        i = known[n % len(known)]
        for _ in range(2):
            self.ask(lambda: services.payout_refresh(payout_id=self.payouts[i]))
        self.books.hear_payout(i, self._theirs(Payout, self.payouts[i]))

    @precondition(lambda self: any(self.books.at["available", c] for c in CURRENCIES))
    @rule(n=ANY, currency=CURRENCY, minor=AMOUNTS, spent=st.sampled_from(["", "now", "later"]), settled=st.booleans())
    def the_answer_to_a_payout_is_lost(self, n: int, currency: str, minor: int, spent: str, settled: bool) -> None:
        """It is given up, perhaps its money is paid out a second time, and then it turns out to have been paid: the second one comes back."""
        before = len(self.payouts)
        self.pay_out(currency, minor, "lost", True, False)
        if len(self.payouts) == before:
            return
        for _ in range(2):  # the first of all payouts is held for a day, and nobody is given up on the day
            self.send_payout(before)
            self.time_passes(1, 0)
        self.give_a_payout_up(before)
        if spent:
            self.pay_out(currency, minor, spent, bool(n % 2), True)
            self.time_passes(1, 0)
            self.send_payout(-1)
        if settled and self._paid_all_the_same():
            self.settle_a_payout_late(n)
        if spent == "later":
            self.payout_arrives_or_returns(-1, False)
            self.hear_payout(-1)

    @precondition(lambda self: any(o.state == "sent" for o in self.books.outs))
    @rule(n=ANY)
    def give_a_payout_up(self, n: int) -> None:
        """Two people resolve it as failed; whatever the bank does."""
        waiting = [i for i, o in enumerate(self.books.outs) if o.state == "sent"]
        i = n if n in waiting else (waiting or [0])[n % (len(waiting) or 1)]
        self._two_people(self.books.resolve_payout(i), i, services.payout_resolve, services.payout_resolve_approve)

    @precondition(lambda self: self._paid_all_the_same())
    @rule(n=ANY)
    def settle_a_payout_late(self, n: int) -> None:
        """Of what failed here and the bank has paid: its news move nothing, two people do."""
        there = self._paid_all_the_same()
        i = there[n % len(there)]
        heard = self.ask(lambda: services.payout_refresh(payout_id=self.payouts[i], heard_ref=self._ref_of(i)))
        assert (heard.state, heard.failure_code) == ("failed", "paid_after_all")
        self._two_people(self.books.settle_late(i), i, services.payout_settle_late, services.payout_settle_late_approve)

    def _two_people(self, possible: bool, i: int, ask: Any, approve: Any) -> None:
        def act() -> Any:
            ask(actor=self.finn, payout_id=self.payouts[i], reason="So it says there.")
            return approve(actor=self.mona, payout_id=self.payouts[i], reason="I read the same.")

        self.both(possible, act)

    def _ref_of(self, i: int) -> str | None:
        """The bank's name of a payout of ours, also of one whose answer was lost."""
        return self.bank.named(payout_key(Payout.objects.get(pk=self.payouts[i])))

    def _paid_all_the_same(self) -> list[int]:
        failed = [i for i, o in enumerate(self.books.outs) if o.state == "failed" and o.sent is not None]
        return [i for i in failed if (ref := self._ref_of(i)) is not None and self.bank.things[ref].status == "paid"]

    @precondition(lambda self: self.payments)
    @rule(n=ANY, minor=AMOUNTS, whole=st.booleans(), sent=st.booleans())
    def send_back(self, n: int, minor: int, whole: bool, sent: bool) -> None:
        i = n % len(self.payments)
        payment = self.books.ins[i]
        amount = payment.amount if whole else minor
        asked = {"payment_id": self.payments[i], "amount": Money(amount, payment.currency), "idempotency_key": self.key()}
        made = self.both(self.books.send_back(i, amount), lambda: services.payment_refund_request(actor=self.alice, **asked), twice=True)
        if made is not None:
            self.backs.append(made.pk)
            if sent:
                self.hear_refund(len(self.backs) - 1)

    @rule()
    def refunds_take_longer(self) -> None:
        self.bank.refunds_wait = not self.bank.refunds_wait

    @precondition(lambda self: self.bank.of("refund", "pending", "succeeded"))
    @rule(n=ANY, good=st.booleans())
    def refund_arrives_or_returns(self, n: int, good: bool) -> None:
        there = self.bank.of("refund", "pending", "succeeded")
        there[n % len(there)].status = "succeeded" if good else "failed"

    @precondition(lambda self: self.backs)
    @rule(n=ANY)
    def hear_refund(self, n: int) -> None:
        i = n % len(self.backs)
        for _ in range(2):
            self.ask(lambda: services.payment_refund_refresh(refund_id=self.backs[i]))
        self.books.hear_back(i, self._theirs(PaymentRefund, self.backs[i]))

    # --- disputes with the bank
    @precondition(lambda self: self.bank.of("payment", "succeeded"))
    @rule(
        n=ANY,
        minor=AMOUNTS,
        part=st.sampled_from([False, False, True]),
        news=st.sampled_from([(), ("open",), ("open", "won"), ("won",), ("open", "lost")]),
    )
    def charge_back(self, n: int, minor: int, part: bool, news: tuple[str, ...]) -> None:
        """The payer's bank takes a payment back, or a part of it, and we hear of none, some or all of its steps."""
        there = self.bank.of("payment", "succeeded")
        payment = there[n % len(there)]
        made = self.bank.dispute(payment.ref, min(minor, payment.amount.minor) if part else payment.amount.minor)
        for made.status in news:
            self._hear_dispute(made)

    @precondition(lambda self: self.bank.of("dispute", "open"))
    @rule(n=ANY, won=st.booleans(), told=st.booleans())
    def bank_decides(self, n: int, won: bool, told: bool) -> None:
        there = self.bank.of("dispute", "open")
        thing = there[n % len(there)]
        thing.status = "won" if won else "lost"
        if told:
            self._hear_dispute(thing)

    @precondition(lambda self: self.bank.of("dispute"))
    @rule(n=ANY)
    def hear_dispute(self, n: int) -> None:
        there = self.bank.of("dispute")
        self._hear_dispute(there[n % len(there)])

    def _hear_dispute(self, thing: Any) -> None:
        for _ in range(2):
            self.ask(lambda: services.chargeback_refresh(provider="bank", ref=thing.ref))
        self._hear_taken(thing.ref)

    def _hear_taken(self, ref: str) -> None:
        thing = self.bank.things[ref]
        known = Payment.objects.filter(provider_ref=thing.of).values_list("pk", flat=True).first()
        if known is not None:
            self.books.hear_taken(ref, self.payments.index(known), thing.amount.minor, thing.status, thing.fee)

    # --- time
    @rule()
    def poll(self) -> None:
        """The poller's round: what is open is asked about, given up, or sent."""
        books = self.books
        old = [i for i, p in enumerate(books.ins) if p.state == "pending" and p.at < books.day]
        asked = [i for i, p in enumerate(books.ins) if p.state in ("created", "pending") and p.at < books.day]
        sent = [i for i, o in enumerate(books.outs) if o.state == "sent"]
        self.ask(tasks.poll_unsettled)
        for i in asked:
            theirs = self._theirs(Payment, self.payments[i])
            books.hear_payment(i, "pending" if i in old and theirs == "cancelled" and books.ins[i].state == "pending" else theirs)
        for i in old:
            if books.ins[i].at + 3 <= books.day:
                books.hear_payment(i, self._theirs(Payment, self.payments[i]))
        for i, b in enumerate(books.backs):
            if b.state in ("created", "pending"):
                books.hear_back(i, self._theirs(PaymentRefund, self.backs[i]))
        for ref in [ref for ref, t in books.taken.items() if t.state in ("inquiry", "open")]:
            self._hear_taken(ref)
        for i in sent:
            books.hear_payout(i, self._theirs(Payout, self.payouts[i]))
        for i in range(len(books.outs)):
            books.send(i)

    @rule(days=st.sampled_from([1, 3, 5, 7, 14, 30]), percent=st.integers(-3, 3))
    def time_passes(self, days: int, percent: int) -> None:
        self.books.day += days
        self.books.rates = {pair: rate * (100 + percent) // 100 for pair, rate in self.books.rates.items()}
        self._rates()
        self.books.sweep()
        with time_machine.travel(self.now, tick=False):
            for sweep in (clocks.auto_approve_due, clocks.grant_refunds_due, clocks.clear_due, clocks.limit_holds):
                sweep()
                if sweep is not clocks.limit_holds:  # its warnings come one at a time
                    assert sweep() == 0, "delivered twice is done once"
        self.no_hold_is_too_old()


@pytest.mark.django_db
def test_any_order_of_money_acts_agrees_with_the_model_and_the_bank(
    alice: Any, bob: Any, sam: Any, staff: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PAYMENT_PROVIDERS = ["bank"]
    # who may be paid out how much, and when, has tests of its own: here all of it is possible at once
    settings.VELOCITY_MODES = dict.fromkeys(settings.VELOCITY_MODES, "off")
    settings.PAYOUT_METHOD_WAIT_HOURS = settings.PAYOUT_LEAST_USD_MINOR = 0
    # the poller's place is kept in the cache: one of this process's own
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    monkeypatch.setitem(providers._MAKERS, "bank", lambda _: Machine.bank)
    monkeypatch.setattr(providers, "_made", lambda name, credentials: providers._MAKERS[name]({}))
    Machine.alice, Machine.bob, Machine.sam, Machine.finn = alice, bob, sam, staff("finance")
    Machine.mona = staff("admin")
    Machine.contracts = three_contracts(alice, bob)
    # the schema stays as it is: asking the server for it after each step would be most of the time
    for name in ("_missing_keys", "_missing_protection"):
        found = list(getattr(check, name)())
        monkeypatch.setattr(check, name, lambda found=found: iter(found))
    run_state_machine_as_test(
        Machine,
        settings=bounded(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)),
    )
