"""Any order of acts by all roles and any jumps of the clock, beside a pure model that knows no database.

The model says of each act whether it is possible and where every cent and every clock is afterwards; the services must agree, and the ledger
must stand at the end. Time is frozen between jumps, so that edges are met exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import time_machine
from django.db import transaction
from hypothesis import HealthCheck
from hypothesis import settings as bounded
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from marketplace.contracts import services, tasks
from marketplace.contracts.models import Contract, Milestone, RefundRequest, WorkRequest
from marketplace.core.errors import DomainError
from marketplace.core.money import Money
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.payments.selectors import balances_of, held_by_milestone
from marketplace.payments.services import ledger_check, payment_start

DAY = timedelta(days=1)
START = datetime(2028, 2, 20, 12, tzinfo=UTC)  # before a leap day; jumps also cross both changes of summer time
HELD = ("funded", "in_progress", "submitted", "changes_requested")
TAKES = ("funded", "in_progress", "changes_requested")
ENDED = ("released", "refunded", "resolved", "cancelled")


def net(gross: int) -> int:
    """What a freelancer gets of a gross at ten per cent; the half cent goes to the fee."""
    return gross - (gross + 5) // 10


@dataclass
class Ask:
    to: str
    amount: int
    at: datetime
    by: datetime
    number: int


@dataclass
class Part:
    """A milestone of the model."""

    amount: int
    state: str = "planned"
    held: int = 0
    funded_at: datetime | None = None
    began: datetime | None = None
    due: datetime | None = None
    sub_at: datetime | None = None
    auto: datetime | None = None
    ask: Ask | None = None
    asked: list[datetime] = field(default_factory=list)
    came_from: str = ""
    disputed_at: datetime | None = None
    paid_parts: int = 0
    waiting: list[tuple[int, datetime]] = field(default_factory=list)
    closing: tuple[int, datetime] | None = None


class Model:
    """Where everything is, by the rules of docs/adr/0010-held-money.md."""

    def __init__(self) -> None:
        self.now = START
        self.state, self.ended_at, self.paused_at = "active", None, None
        self.wallet, self.pending, self.available, self.count = 150_000, 0, 0, 0
        self.parts = [Part(40_000), Part(60_000)]
        self.bonuses: list[tuple[int, datetime]] = []

    # each act returns whether it is possible, and does it if so
    def fund(self, i: int) -> bool:
        p = self.parts[i]
        if self.state != "active" or p.state != "planned" or self.wallet < p.amount:
            return False
        self.wallet -= p.amount
        p.state, p.held, p.funded_at, p.began = "funded", p.amount, self.now, self.now
        return True

    def start(self, i: int) -> bool:
        p = self.parts[i]
        if p.state != "funded":
            return False
        p.state = "in_progress"
        return True

    def submit(self, i: int) -> bool:
        p = self.parts[i]
        if p.state not in TAKES:
            return False
        p.ask = None
        p.state, p.sub_at, p.auto = "submitted", self.now, self.now + 14 * DAY
        return True

    def request_changes(self, i: int) -> bool:
        p = self.parts[i]
        if p.state != "submitted" or p.ask:
            return False
        p.state, p.auto = "changes_requested", None
        return True

    def approve(self, i: int) -> bool:
        p = self.parts[i]
        if p.state != "submitted":
            return False
        p.ask, p.auto = None, None
        self._pay(p, p.held)
        p.closing = (net(p.held), self.now + 5 * DAY)
        p.held, p.state = 0, "released"
        self._end()
        return True

    def approve_part(self, i: int, gross: int, to: str) -> bool:
        p = self.parts[i]
        if p.state != "submitted" or p.ask or not 0 < gross < p.held or (to == "next" and not self._takes(i)) or not self._may_ask(p):
            return False
        self._pay(p, gross)
        p.held -= gross
        p.paid_parts += 1
        p.waiting.append((net(gross), self.now + 5 * DAY))
        self._ask(p, p.held, to)
        return True

    def ask_back(self, i: int, amount: int | None) -> bool:
        p = self.parts[i]
        wanted = p.held if amount is None else amount
        if p.state not in HELD or p.ask or not 0 < wanted <= p.held or not self._may_ask(p):
            return False
        self._ask(p, wanted, "wallet")
        return True

    def accept(self, i: int) -> bool:
        p = self.parts[i]
        if not p.ask or (p.ask.to == "next" and not self._takes(i)):
            return False
        self._carry_out(i)
        return True

    def refuse(self, i: int) -> bool:
        return self._answered(self.parts[i], 7 * DAY)

    def withdraw_ask(self, i: int) -> bool:
        return self._answered(self.parts[i], timedelta(0))

    def give_back(self, i: int) -> bool:
        p = self.parts[i]
        if p.state not in HELD:
            return False
        self._empty(p)
        return True

    def dispute(self, i: int) -> bool:
        p = self.parts[i]
        if p.state not in HELD:
            return False
        self._answered(p, timedelta(0))
        p.came_from, p.disputed_at, p.state = p.state, self.now, "disputed"
        return True

    def withdraw_dispute(self, i: int) -> bool:
        p = self.parts[i]
        if p.state != "disputed" or p.disputed_at is None:
            return False
        if p.auto:
            p.auto += max(timedelta(0), (self.paused_at or self.now) - p.disputed_at)
        p.state, p.disputed_at = p.came_from, None
        return True

    def settle(self, i: int, share: int) -> bool:
        p = self.parts[i]
        if p.state != "disputed":
            return False
        given = p.held * share // 100
        self.wallet += p.held - given
        self._pay(p, given)
        if given:
            p.closing = (net(given), self.now + 5 * DAY)
        p.held, p.state, p.disputed_at, p.auto = 0, "resolved", None, None
        self._end()
        return True

    def pause(self) -> bool:
        if self.state != "active" or self.paused_at:
            return False
        self.paused_at = self.now
        return True

    def resume(self) -> bool:
        if not self.paused_at:
            return False
        for p in self.parts:
            if p.state in ENDED:
                continue
            if p.auto and p.sub_at:
                until = min(t for t in (self.now, p.disputed_at, p.ask and p.ask.at) if t)
                p.auto += max(timedelta(0), until - max(self.paused_at, p.sub_at))
            if p.ask:
                p.ask.by += self.now - max(self.paused_at, p.ask.at)
            if p.due and p.due > self.paused_at and p.state in ("planned", *TAKES):
                p.due += self.now - self.paused_at
        self.paused_at = None
        return True

    def cancel(self, ask: bool) -> bool:
        holds = [p for p in self.parts if p.state in (*HELD, "disputed")]
        open_ones = [p for p in self.parts if p.state in HELD and not p.ask]
        if self.state != "active" or (holds and not ask) or not all(self._may_ask(p) for p in open_ones):
            return False
        for p in open_ones:
            self._ask(p, p.held, "wallet")
        for p in self.parts:
            if p.state == "planned":
                p.state = "cancelled"
        self._end()
        return True

    def bonus(self, gross: int) -> bool:
        late = self.ended_at is not None and self.now > self.ended_at + 60 * DAY
        if late or self.wallet < gross:
            return False
        self.wallet -= gross
        self.pending += net(gross)
        self.bonuses.append((net(gross), self.now + 5 * DAY))
        return True

    def sweep(self) -> None:
        """What the clocks do, in the order in which the test runs the tasks."""
        for i, p in enumerate(self.parts):
            if p.state == "submitted" and p.auto and p.auto <= self.now and not self.paused_at and not p.ask:
                self.approve(i)
        due = sorted((p.ask.by, p.ask.number, i) for i, p in enumerate(self.parts) if p.ask and p.ask.by <= self.now and not self.paused_at)
        for _, _, i in due:
            ask = self.parts[i].ask
            if ask is not None and ask.to == "next" and not self._takes(i):
                self._answered(self.parts[i], 7 * DAY)
            elif ask is not None:
                self._carry_out(i)
        for p in self.parts:
            if p.closing and p.closing[1] <= self.now:
                self._clear(p.closing[0] + sum(n for n, _ in p.waiting))
                p.closing, p.waiting = None, []
            self._clear(sum(n for n, at in p.waiting if at <= self.now))
            p.waiting = [(n, at) for n, at in p.waiting if at > self.now]
        self._clear(sum(n for n, at in self.bonuses if at <= self.now))
        self.bonuses = [(n, at) for n, at in self.bonuses if at > self.now]
        for p in self.parts:
            if p.state in HELD and p.began and p.began + 75 * DAY <= self.now:
                self._empty(p)

    # --- what acts have in common
    def _takes(self, i: int) -> bool:
        later = [p for p in self.parts[i + 1 :] if p.state not in ENDED]
        return bool(later) and later[0].state in TAKES and not later[0].ask and self._young_enough(self.parts[i], later[0])

    def _young_enough(self, p: Part, target: Part) -> bool:
        assert p.began and target.began
        in_time = target.due is None or target.due <= p.began + 75 * DAY
        return target.began <= p.began or (in_time and self.now < p.began + 60 * DAY)

    def _may_ask(self, p: Part) -> bool:
        since = p.sub_at or p.funded_at or self.now
        return sum(t >= since for t in p.asked) < 3

    def _ask(self, p: Part, amount: int, to: str) -> None:
        self.count += 1
        p.ask = Ask(to, amount, self.now, self.now + 7 * DAY, self.count)
        p.asked.append(self.now)

    def _answered(self, p: Part, at_least: timedelta) -> bool:
        if not p.ask:
            return False
        if p.auto:
            until = self.paused_at or self.now
            p.auto = max(p.auto + max(timedelta(0), until - p.ask.at), until + at_least)
        p.ask = None
        return True

    def _carry_out(self, i: int) -> None:
        p = self.parts[i]
        ask, p_held = p.ask, p.held
        assert ask is not None
        self._answered(p, timedelta(0))
        if ask.to == "next":
            target = next(q for q in self.parts[i + 1 :] if q.state not in ENDED)
            target.held += ask.amount
            target.amount += ask.amount
            target.began = min(t for t in (target.began, p.began) if t)
            p.held, p.amount, p.state, p.auto = 0, p.amount - ask.amount, "released", None
            self._end()
        elif ask.amount == p_held:
            self._empty(p)
        else:
            p.held -= ask.amount
            p.amount -= ask.amount
            self.wallet += ask.amount

    def _empty(self, p: Part) -> None:
        self.wallet += p.held
        if p.paid_parts:
            p.amount -= p.held
        p.state, p.held, p.auto, p.ask = ("released" if p.paid_parts else "refunded"), 0, None, None
        self._end()

    def _pay(self, p: Part, gross: int) -> None:
        self.pending += net(gross)

    def _clear(self, amount: int) -> None:
        self.pending -= amount
        self.available += amount

    def _end(self) -> None:
        states = {p.state for p in self.parts}
        if self.state == "active" and states <= set(ENDED):
            self.state = "completed" if states & {"released", "resolved"} else "cancelled"
            self.ended_at = self.now


WHICH = st.integers(0, 1)


class Machine(RuleBasedStateMachine):
    """The same acts on the model and on the services."""

    cast: ClassVar[tuple[Any, Any, Any, Contract]]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.alice, self.bob, self.sam, self.contract = self.cast
        self.pks = list(self.contract.milestones.order_by("position").values_list("pk", flat=True))
        for part, due in zip(self.model.parts, self.contract.milestones.order_by("position").values_list("due_at", flat=True), strict=True):
            part.due = due
        self.world = transaction.atomic()
        self.world.__enter__()

    def teardown(self) -> None:
        try:
            report = ledger_check()
            assert report.ok, report.violations
        finally:
            transaction.set_rollback(True)
            self.world.__exit__(None, None, None)

    def both(self, possible: bool, act: Any) -> None:
        with time_machine.travel(self.model.now, tick=False):
            try:
                with transaction.atomic():
                    act()
                done = True
            except DomainError as e:
                done, why = False, e
        assert done == possible, "the model thinks otherwise" if done else why

    def asked(self, i: int) -> int:
        found = RefundRequest.objects.filter(milestone=self.pks[i]).order_by("-id").values_list("id", flat=True).first()
        return found or 0

    @rule(i=WHICH)
    def fund(self, i: int) -> None:
        pay = {"provider": "wallet", "method": {}, "idempotency_key": "w"}
        self.both(self.model.fund(i), lambda: services.milestone_fund(actor=self.alice, milestone_id=self.pks[i], **pay))

    @rule(i=WHICH)
    def start(self, i: int) -> None:
        self.both(self.model.start(i), lambda: services.milestone_start(actor=self.bob, milestone_id=self.pks[i]))

    @rule(i=WHICH)
    def submit(self, i: int) -> None:
        self.both(self.model.submit(i), lambda: services.milestone_submit(actor=self.bob, milestone_id=self.pks[i], note="Done."))

    @rule(i=WHICH)
    def request_changes(self, i: int) -> None:
        act = lambda: services.milestone_request_changes(actor=self.alice, milestone_id=self.pks[i], text="Blue.")  # noqa: E731
        self.both(self.model.request_changes(i), act)

    @rule(i=WHICH)
    def approve(self, i: int) -> None:
        self.both(self.model.approve(i), lambda: services.milestone_approve(actor=self.alice, milestone_id=self.pks[i]))

    @rule(i=WHICH, gross=st.integers(1, 60_000), to=st.sampled_from(["wallet", "next"]))
    def approve_part(self, i: int, gross: int, to: str) -> None:
        part = {"amount_minor": gross, "rest": to, "reason": "Not all."}
        self.both(
            self.model.approve_part(i, gross, to),
            lambda: services.milestone_approve_part(actor=self.alice, milestone_id=self.pks[i], **part),
        )

    @rule(i=WHICH, amount=st.none() | st.integers(1, 60_000))
    def ask_back(self, i: int, amount: int | None) -> None:
        self.both(
            self.model.ask_back(i, amount),
            lambda: services.refund_request_open(actor=self.alice, milestone_id=self.pks[i], amount_minor=amount, reason="No."),
        )

    @rule(i=WHICH)
    def accept(self, i: int) -> None:
        request = self.asked(i)
        self.both(self.model.accept(i), lambda: services.refund_request_accept(actor=self.bob, request_id=request))

    @rule(i=WHICH)
    def refuse(self, i: int) -> None:
        request = self.asked(i)
        self.both(self.model.refuse(i), lambda: services.refund_request_refuse(actor=self.bob, request_id=request, answer="No."))

    @rule(i=WHICH)
    def withdraw_ask(self, i: int) -> None:
        request = self.asked(i)
        self.both(self.model.withdraw_ask(i), lambda: services.refund_request_withdraw(actor=self.alice, request_id=request))

    @rule(i=WHICH)
    def give_back(self, i: int) -> None:
        self.both(self.model.give_back(i), lambda: services.milestone_refund(actor=self.bob, milestone_id=self.pks[i]))

    @rule(i=WHICH, client=st.booleans())
    def dispute(self, i: int, client: bool) -> None:
        who = self.alice if client else self.bob
        self.both(self.model.dispute(i), lambda: disputes.dispute_open(actor=who, milestone_id=self.pks[i], claim="No."))

    def live(self, i: int) -> Dispute | None:
        return Dispute.objects.filter(live_key=str(self.pks[i])).first()

    @rule(i=WHICH)
    def withdraw_dispute(self, i: int) -> None:
        found = self.live(i)
        if found is not None:
            act = lambda: disputes.dispute_withdraw(actor=found.filer, dispute_id=found.pk)  # noqa: E731
            self.both(self.model.withdraw_dispute(i), act)

    @rule(i=WHICH, share=st.integers(0, 100))
    def settle(self, i: int, share: int) -> None:
        found = self.live(i)
        if found is not None:
            given = found.held_minor * share // 100
            split = {"to_freelancer_minor": given, "to_client_minor": found.held_minor - given, "reason": "So."}
            self.both(self.model.settle(i, share), lambda: disputes.dispute_settle(actor=self.sam, dispute_id=found.pk, **split))

    @rule()
    def pause(self) -> None:
        def agree() -> None:
            asked = services.pause_ask(actor=self.bob, contract_id=self.contract.pk, reason="Holidays.")
            services.work_request_accept(actor=self.alice, request_id=asked.pk)

        self.both(self.model.pause(), agree)

    @rule()
    def resume(self) -> None:
        self.both(self.model.resume(), lambda: services.contract_resume(actor=self.alice, contract_id=self.contract.pk))

    @rule(ask=st.booleans())
    def cancel(self, ask: bool) -> None:
        self.both(
            self.model.cancel(ask),
            lambda: services.contract_cancel(actor=self.alice, contract_id=self.contract.pk, reason="Over.", ask_refund=ask),
        )

    @rule(gross=st.integers(1, 20_000))
    def bonus(self, gross: int) -> None:
        self.both(self.model.bonus(gross), lambda: services.bonus_give(actor=self.alice, contract_id=self.contract.pk, amount_minor=gross))

    @rule(
        jump=st.sampled_from(
            [timedelta(seconds=1), 2 * DAY, 5 * DAY, 7 * DAY - timedelta(seconds=1), 7 * DAY, 14 * DAY, 30 * DAY, 76 * DAY]
        )
    )
    def time_passes(self, jump: timedelta) -> None:
        self.model.now += jump
        self.model.sweep()
        with time_machine.travel(self.model.now, tick=False):
            for sweep in (tasks.auto_approve_due, tasks.grant_refunds_due, tasks.clear_due, tasks.limit_holds):
                sweep()
                if sweep is not tasks.limit_holds:
                    assert sweep() == 0, "delivered twice is done once"

    @invariant()
    def services_and_model_agree(self) -> None:
        m = self.model
        rows = list(Milestone.objects.filter(pk__in=self.pks).order_by("position"))
        held = held_by_milestone(self.pks)
        found = [(r.state, r.amount_minor, held.get(r.pk, Money(0, "USD")).minor, r.refund_asked_at, r.auto_approve_at) for r in rows]
        assert found == [(p.state, p.amount, p.held, p.ask and p.ask.at, p.auto) for p in m.parts]
        contract = Contract.objects.get(pk=self.contract.pk)
        assert (contract.state, contract.paused_at, contract.ended_at) == (m.state, m.paused_at, m.ended_at)
        due = {r.milestone_id: r.answer_by for r in RefundRequest.objects.filter(state="open")}
        assert due == {pk: p.ask.by for pk, p in zip(self.pks, m.parts, strict=True) if p.ask}
        mine = {b.currency: b for b in balances_of(self.alice.pk)}["USD"]
        his = {b.currency: b for b in balances_of(self.bob.pk)}.get("USD")
        assert mine.wallet.minor == m.wallet
        assert (0, 0) if his is None else (his.pending.minor, his.available.minor) == (m.pending, m.available)
        assert not WorkRequest.objects.filter(state="open").exclude(contract__state="active").exists()


def test_any_order_of_acts_and_any_time_agree_with_the_model(alice: Any, bob: Any, sam: Any, request: Any) -> None:
    with time_machine.travel(START, tick=False):
        contract = request.getfixturevalue("contract")
        payment_start(
            actor_id=alice.pk,
            amount=Money(150_000, "USD"),
            purpose="wallet",
            purpose_id=None,
            method={"token": "tok_visa"},
            idempotency_key="w",
        )
    Machine.cast = (alice, bob, sam, contract)
    run_state_machine_as_test(
        Machine, settings=bounded(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    )
