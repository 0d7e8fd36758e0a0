"""Proposals and offers under any order of acts and clocks agree with a pure model: states, the one live bid, the one offer, the credits.

The model knows no database: it says of every act whether it is refused, and what every bid and every balance then is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from marketplace.contracts import services as work
from marketplace.contracts import tasks as contract_tasks
from marketplace.contracts.models import Contract, CounterOffer
from marketplace.core import clock
from marketplace.core.errors import DomainError
from marketplace.jobs import credits, services, tasks
from marketplace.jobs.models import BidCreditAccount, BidCreditMovement, Category, Job, Proposal

COST, MONTHLY = 4, 10
DAY = timedelta(days=1)
Who = st.integers(0, 1)
BEFORE_OFFER = ("submitted", "seen", "shortlisted")


@dataclass
class Bid:
    """One proposal of the model. `price` is what an accepted counter-offer may have changed."""

    who: int
    sent: datetime
    state: str = "submitted"
    opened: bool = False
    ghosted: bool = False
    returned: bool = False
    price: int = 1_000
    changes: int = 0
    expires: datetime | None = None
    counter: int | None = None
    counters: int = 0

    @property
    def live(self) -> bool:
        return self.state in (*BEFORE_OFFER, "offered")


class Model:
    """One job, two freelancers, one client."""

    def __init__(self, opened: datetime) -> None:
        self.job, self.expires = "open", opened + 30 * DAY
        self.bids: list[Bid] = []
        self.balance: dict[int, int | None] = {0: None, 1: None}
        self.month: dict[int, datetime] = {}

    def of(self, who: int) -> Bid | None:
        return next((b for b in reversed(self.bids) if b.who == who), None)

    def offered(self) -> Bid | None:
        return next((b for b in self.bids if b.state == "offered"), None)

    def fill(self, who: int, now: datetime) -> None:
        if self.balance[who] is None or self.month[who] <= now:
            self.balance[who] = max(self.balance[who] or 0, MONTHLY)
            self.month[who] = credits.month_after(now)

    def give_back(self, bid: Bid) -> None:
        if not bid.returned:
            bid.returned = True
            self.balance[bid.who] = (self.balance[bid.who] or 0) + COST

    def end(self, job: str) -> None:
        """The job ended: what waits ends with it, and credits come back by the rules."""
        self.job = job
        for bid in self.bids:
            if bid.state in BEFORE_OFFER:
                bid.state = "archived" if job in ("filled", "closed") else "expired"
                if not bid.opened or job in ("closed", "removed"):
                    self.give_back(bid)
            elif job == "removed" and bid.state != "withdrawn":
                self.give_back(bid)


class Bidding(RuleBasedStateMachine):
    """Each example is a job of its own, in a transaction that is rolled back."""

    alice: ClassVar[Any]
    people: ClassVar[list[Any]]
    staff: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer._from_testcase = True
        self.outer.__enter__()
        Category.objects.get_or_create(slug="data", defaults={"name": "Data"})
        bands = [{"up_to_usd_minor": None, "credits": COST}]
        services.credit_rule_publish(version="model", active_from=clock.now(), monthly=MONTHLY, bands=bands, hourly=COST, unknown=COST)
        job = services.job_create(
            actor=self.alice, title="Load orders", description="Three sources, one warehouse.", category="data", pricing="fixed", skills=[]
        )
        self.job: Job = services.job_publish(actor=self.alice, job_id=job.pk)
        assert self.job.opened_at is not None
        self.model = Model(self.job.opened_at)
        self.rows: list[Proposal] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    def attempt(self, allowed: bool, act: Callable[[], Any]) -> Any:
        """Run the act; it must be refused exactly when the model says so, and a refusal leaves nothing."""
        try:
            with transaction.atomic():
                found = act()
        except DomainError as e:
            assert not allowed, f"refused: {e}"
            return None
        assert allowed, "the model refuses this"
        return found

    def row(self, bid: Bid) -> Proposal:
        return self.rows[self.model.bids.index(bid)]

    def contract(self, bid: Bid) -> int:
        return int(Contract.objects.values_list("pk", flat=True).get(proposal=self.row(bid)))

    # ——— the freelancers

    @rule(who=Who)
    def send(self, who: int) -> None:
        m, now, latest = self.model, clock.now(), self.model.of(who)
        rich = (MONTHLY if m.balance[who] is None or m.month[who] <= now else m.balance[who]) or 0
        rich = max(rich, m.balance[who] or 0)
        allowed = m.job == "open" and now < m.expires and not (latest and latest.live) and rich >= COST
        given = {"cover_letter": "I have done this.", "amount_minor": 1_000, "currency": "USD"}
        made = self.attempt(allowed, lambda: services.proposal_submit(actor=self.people[who], job_id=self.job.pk, **given))
        if made:
            m.fill(who, now)
            m.balance[who] = (m.balance[who] or 0) - COST
            m.bids.append(Bid(who, made.submitted_at))
            self.rows.append(made)

    @rule(who=Who, amount=st.sampled_from([900, 1_100]))
    def change_terms(self, who: int, amount: int) -> None:
        bid = self.model.of(who)
        if bid is None:
            return
        act = lambda: services.proposal_update(actor=self.people[who], proposal_id=self.row(bid).pk, amount_minor=amount)  # noqa: E731
        if self.attempt(bid.state == "submitted", act):
            bid.price, bid.changes = amount, bid.changes + 1

    @rule(who=Who)
    def withdraw(self, who: int) -> None:
        bid = self.model.of(who)
        if bid and self.attempt(
            bid.state in BEFORE_OFFER, lambda: services.proposal_withdraw(actor=self.people[who], proposal_id=self.row(bid).pk)
        ):
            bid.state = "withdrawn"

    @rule(price=st.sampled_from([500, 2_000]))
    def counter(self, price: int) -> None:
        bid = self.model.offered()
        if bid and bid.expires:
            allowed = clock.now() < bid.expires and bid.counter is None and bid.counters < 10
            terms = [{"title": "All of it", "amount_minor": price, "due_in_days": 5}]
            pk = self.contract(bid)
            if self.attempt(allowed, lambda: work.counter_offer_make(actor=self.people[bid.who], contract_id=pk, milestones=terms)):
                bid.counter, bid.counters = price, bid.counters + 1

    @rule(accepts=st.booleans())
    def answer_offer(self, accepts: bool) -> None:
        m, bid = self.model, self.model.offered()
        if bid is None or bid.expires is None:
            return
        pk, actor = self.contract(bid), self.people[bid.who]
        if not accepts:
            self.attempt(True, lambda: work.offer_decline(actor=actor, contract_id=pk, reason="No time."))
            bid.state, bid.counter = "declined", None
        elif self.attempt(clock.now() < bid.expires and m.job == "open", lambda: work.offer_accept(actor=actor, contract_id=pk)):
            bid.state, bid.counter = "accepted", None
            m.end("filled")

    # ——— the client

    @rule(who=Who)
    def see(self, who: int) -> None:
        bid = self.model.of(who)
        if bid:
            services.proposal_see(actor=self.alice, proposal_id=self.row(bid).pk)
            if bid.state == "submitted":
                bid.state, bid.opened = "seen", True

    @rule(who=Who, act=st.sampled_from(["shortlist", "decline"]))
    def sort(self, who: int, act: str) -> None:
        bid = self.model.of(who)
        if bid is None:
            return
        allowed = bid.state in (("submitted", "seen") if act == "shortlist" else BEFORE_OFFER)
        more = {"reason": "No."} if act == "decline" else {}
        service = getattr(services, f"proposal_{act}")
        if self.attempt(allowed, lambda: service(actor=self.alice, proposal_id=self.row(bid).pk, **more)):
            bid.state, bid.opened = {"shortlist": "shortlisted", "decline": "declined"}[act], True

    @rule(who=Who)
    def offer(self, who: int) -> None:
        m, bid = self.model, self.model.of(who)
        if bid is None:
            return
        allowed = bid.state in BEFORE_OFFER and m.job == "open" and m.offered() is None
        if self.attempt(allowed, lambda: work.offer_make(actor=self.alice, proposal_id=self.row(bid).pk)):
            bid.state, bid.opened = "offered", True
            bid.expires = Contract.objects.get(proposal=self.row(bid)).offered_at + 7 * DAY

    @rule(act=st.sampled_from(["accept", "decline", "withdraw"]))
    def answer_counter(self, act: str) -> None:
        bid = self.model.offered()
        if bid is None or bid.counter is None or bid.expires is None:
            return
        actor = self.people[bid.who] if act == "withdraw" else self.alice
        pk = CounterOffer.objects.get(live_key=self.contract(bid)).pk
        allowed = act != "accept" or clock.now() < bid.expires
        done = self.attempt(allowed, lambda: getattr(work, f"counter_offer_{act}")(actor=actor, counter_offer_id=pk))
        if done:
            if act == "accept":
                bid.price, bid.expires = bid.counter, done.decided_at + 7 * DAY
            bid.counter = None

    @rule()
    def take_the_offer_back(self) -> None:
        bid = self.model.offered()
        if bid:
            pk = self.contract(bid)
            self.attempt(True, lambda: work.contract_cancel(actor=self.alice, contract_id=pk, reason="The budget is gone."))
            bid.state, bid.counter = "declined", None

    @rule(removed=st.booleans(), sure=st.integers(0, 3))
    def end_the_job(self, removed: bool, sure: int) -> None:
        m = self.model
        if sure:
            return
        if removed:
            if self.attempt(m.job == "open", lambda: services.job_remove(actor=self.staff, job_id=self.job.pk, reason="Fake.")):
                m.end("removed")
        elif self.attempt(m.job == "open" and m.offered() is None, lambda: services.job_close(actor=self.alice, job_id=self.job.pk)):
            m.end("closed")

    # ——— strangers to an act, and the clocks

    @rule(who=Who)
    def the_other_freelancer_may_nothing(self, who: int) -> None:
        bid = self.model.of(who)
        if bid:
            other, pk = self.people[1 - who], self.row(bid).pk
            self.attempt(False, lambda: services.proposal_withdraw(actor=other, proposal_id=pk))
            self.attempt(False, lambda: services.proposal_update(actor=self.alice, proposal_id=pk, amount_minor=1))

    @rule(hours=st.sampled_from([5, 30, 100, 170, 340]))
    def time_passes(self, hours: int) -> None:
        clock.advance(hours * 3600)

    @rule(twice=st.booleans())
    def clocks_run(self, twice: bool) -> None:
        m, now = self.model, clock.now()
        for _ in range(2 if twice else 1):
            contract_tasks.expire_offers_due()
            tasks.ghost_due()
            tasks.expire_due()
            tasks.grant_due()
        offered = m.offered()
        if offered and offered.expires and offered.expires <= now:
            offered.state, offered.counter = "expired", None
        for bid in m.bids:
            if bid.state in ("submitted", "seen") and not bid.ghosted and bid.sent + 14 * DAY <= now:
                bid.ghosted = True
                m.give_back(bid)
        if m.job == "open" and m.expires <= now and m.offered() is None:
            m.end("expired")
        for who in (0, 1):
            if m.balance[who] is not None:
                m.fill(who, now)

    # ——— what must always hold

    @invariant()
    def agrees_with_the_model(self) -> None:
        m = self.model
        stored = {p.pk: p for p in Proposal.objects.filter(job=self.job)}
        found = [(p.state, p.first_seen_at is not None, p.ghosted_at is not None) for p in (stored[r.pk] for r in self.rows)]
        assert found == [(b.state, b.opened, b.ghosted) for b in m.bids]
        assert len(stored) == len(m.bids) and Job.objects.get(pk=self.job.pk).state == m.job
        live = [p.live_key for p in stored.values() if p.live_key]
        assert len(live) == len(set(live)) == sum(b.live for b in m.bids)
        assert sum(p.state == "accepted" for p in stored.values()) <= 1 and sum(p.state == "offered" for p in stored.values()) <= 1
        returned = set(BidCreditMovement.objects.filter(kind="return").values_list("proposal_id", flat=True))
        assert [r.pk in returned for r in self.rows] == [b.returned for b in m.bids]
        for who, person in enumerate(self.people):
            account = BidCreditAccount.objects.filter(pk=person.pk).first()
            assert (account.balance if account else None) == m.balance[who]
            changes = list(
                BidCreditMovement.objects.filter(account=person.pk).order_by("number").values_list("number", "change", "balance")
            )
            assert [n for n, _, _ in changes] == list(range(1, len(changes) + 1))
            sums = [sum(c for _, c, _ in changes[: i + 1]) for i in range(len(changes))]
            assert [b for _, _, b in changes] == sums and all(s >= 0 for s in sums)
        for bid, row in zip(m.bids, self.rows, strict=True):
            versions = row.versions.count()
            assert versions == bid.changes
            contract = Contract.objects.filter(proposal=row).first()
            if contract is not None:
                assert contract.total_minor == bid.price
                assert sum(contract.milestones.values_list("amount_minor", flat=True)) == bid.price
                assert CounterOffer.objects.filter(live_key=contract.pk).count() == (bid.counter is not None)


def test_any_order_of_acts_agrees_with_the_model(alice: Any, bob: Any, charlie: Any, sam: Any) -> None:
    Bidding.alice, Bidding.people, Bidding.staff = alice, [bob, charlie], sam
    quick = settings(
        max_examples=int(os.environ.get("BIDDING_EXAMPLES", "15")),
        phases=[Phase.generate],
        stateful_step_count=30,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Bidding, settings=quick)
