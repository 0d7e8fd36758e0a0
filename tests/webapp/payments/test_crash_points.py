"""Whatever dies, and wherever: after the poller, the outbox and a second try, the ledger is that of a run without the fault.

Each scenario is run with a fault at every place that `crash.Recorder` finds in it, and in every way; each run has people and a contract of its
own in one database, so that runs can be compared.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db.models import Q

from marketplace.accounts.models import ClientProfile, FreelancerProfile
from marketplace.contracts import services as work
from marketplace.contracts import tasks as clocks
from marketplace.contracts.models import Contract, Milestone, RefundRequest
from marketplace.core import clock
from marketplace.core import tasks as core_tasks
from marketplace.core.errors import DomainError
from marketplace.core.models import Delivery, Event
from marketplace.core.money import Money
from marketplace.core.tasks import deliver_one, due_delivery_ids
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.jobs.models import Category, Job, Proposal
from marketplace.payments import providers, services, tasks
from marketplace.payments.ledger.check import run as ledger_check
from marketplace.payments.models import Account, Chargeback, Document, Entry, Payment, PaymentRefund, Payout

from .crash import CALL_FAULTS, COMMIT_FAULTS, BankLine, BankServer, in_a_process
from .house_bank import HouseBank

PRICE = 10_003
DAY = 24 * 3600
COUNT = itertools.count(1)


@dataclass
class Cast:
    """The people and the contract of one run, and where the run begins in the tables."""

    client: Any
    freelancer: Any
    contract: Contract
    milestone: Milestone
    begins: int
    key: str

    def fresh(self) -> Milestone:
        return Milestone.objects.get(pk=self.milestone.pk)


@pytest.fixture
def line(committed_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[BankLine]:
    settings.PAYMENT_PROVIDERS = ["bank"]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    clock.advance(0)  # its row is made now, not in the middle of a run
    server = BankServer()
    made = BankLine(server)
    monkeypatch.setattr(providers, "_MAKERS", {"bank": lambda _: made})
    monkeypatch.setattr(providers, "_made", lambda name, credentials: made)
    # nobody hears the wake-up: the sweep has to find what is due
    monkeypatch.setattr(core_tasks.deliver_events, "delay", lambda: None)
    yield made
    server.close()


def cast() -> Cast:
    n = next(COUNT)
    people = []
    for role, profile in (("client", ClientProfile), ("freelancer", FreelancerProfile)):
        user = get_user_model().objects.create(email=f"{role}{n}@example.org", display_name=f"{role} {n}")
        profile.objects.create(user=user)
        people.append(user)
    client, freelancer = people
    now = clock.now()
    category, _ = Category.objects.get_or_create(slug="test", defaults={"name": "Test"})
    job = Job.objects.create(client=client, title="A job", description="Work.", category=category, pricing="fixed", created_at=now)
    price = {"amount_minor": PRICE, "currency": "USD"}
    proposal = Proposal.objects.create(job=job, freelancer=freelancer, cover_letter="Hello.", submitted_at=now, **price)
    agreed = {"pricing": "fixed", "title": "A job", "currency": "USD", "payee_currency": "USD", "total_minor": PRICE}
    contract = Contract.objects.create(
        job=job, proposal=proposal, client=client, freelancer=freelancer, state="active", fee_schedule="standard-1", offered_at=now,
        started_at=now, **agreed,
    )  # fmt: skip
    milestone = Milestone.objects.create(contract=contract, position=1, title="All of it", **price)
    begins = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
    return Cast(client, freelancer, contract, milestone, begins, f"key-{n}")


# --- how far a run is before its scenario begins
def nothing(c: Cast) -> None:
    """A contract, and no money."""


def paid_in(c: Cast) -> None:
    asked = {"purpose": "wallet", "purpose_id": None, "method": {"token": "now"}, "provider": "bank", "idempotency_key": f"in-{c.key}"}
    services.payment_start(actor_id=c.client.pk, amount=Money(PRICE, "USD"), **asked)


def funded(c: Cast) -> None:
    paid_in(c)
    work.milestone_fund(actor=c.client, milestone_id=c.milestone.pk, provider="wallet", method={}, idempotency_key="w")


def handed_in(c: Cast) -> None:
    funded(c)
    work.milestone_submit(actor=c.freelancer, milestone_id=c.milestone.pk, note="Done.")


def silent(c: Cast) -> None:
    handed_in(c)
    Milestone.objects.filter(pk=c.milestone.pk).update(auto_approve_at=clock.now())


def asked_back(c: Cast) -> None:
    funded(c)
    work.refund_request_open(actor=c.client, milestone_id=c.milestone.pk, reason="No.", amount_minor=4_001)


def asked_back_long_ago(c: Cast) -> None:
    asked_back(c)
    RefundRequest.objects.filter(milestone=c.milestone).update(answer_by=clock.now())


def disputed(c: Cast) -> None:
    handed_in(c)
    disputes.dispute_open(actor=c.client, milestone_id=c.milestone.pk, claim="No.")


def earned(c: Cast) -> None:
    handed_in(c)
    work.milestone_approve(actor=c.client, milestone_id=c.milestone.pk)
    Milestone.objects.filter(pk=c.milestone.pk).update(clears_at=clock.now())
    clocks.clear_due()


# --- the scenarios: each may be run again by whoever did not hear that it was done
def fund(c: Cast) -> None:
    work.milestone_fund(
        actor=c.client, milestone_id=c.milestone.pk, provider="bank", method={"token": "now"}, idempotency_key=f"fund-{c.key}"
    )


def fund_later(c: Cast) -> None:
    """The payer confirms after a while; a notification of it comes, and the outbox tells the contract."""
    work.milestone_fund(
        actor=c.client, milestone_id=c.milestone.pk, provider="bank", method={"token": "later"}, idempotency_key=f"fund-{c.key}"
    )
    providers.gateway("bank").server.ask("payers_confirm")  # type: ignore[attr-defined]
    clock.advance(31)
    tasks.poll_unsettled()
    deliver()


def fund_from_wallet(c: Cast) -> None:
    if c.fresh().state == "planned":
        work.milestone_fund(actor=c.client, milestone_id=c.milestone.pk, provider="wallet", method={}, idempotency_key="w")


def release(c: Cast) -> None:
    if c.fresh().state == "submitted":
        work.milestone_approve(actor=c.client, milestone_id=c.milestone.pk)


def release_by_clock(c: Cast) -> None:
    clocks.auto_approve_due()


def release_part(c: Cast) -> None:
    if not c.milestone.part_releases.exists():
        work.milestone_approve_part(actor=c.client, milestone_id=c.milestone.pk, amount_minor=3_333, rest="wallet", reason="Not all.")


def refund(c: Cast) -> None:
    if c.fresh().state == "funded":
        work.milestone_refund(actor=c.freelancer, milestone_id=c.milestone.pk)


def refund_part(c: Cast) -> None:
    request = RefundRequest.objects.get(milestone=c.milestone)
    if request.state == "open":
        work.refund_request_accept(actor=c.freelancer, request_id=request.pk)


def refund_by_clock(c: Cast) -> None:
    clocks.grant_refunds_due()


def refund_to_the_card(c: Cast) -> None:
    payment = Payment.objects.get(payer=c.client)
    asked = {"payment_id": payment.pk, "amount": Money(4_001, "USD"), "idempotency_key": f"back-{c.key}"}
    row = services.payment_refund_request(actor=c.client, **asked)
    services.payment_refund_refresh(refund_id=row.pk)


def payout(c: Cast) -> None:
    asked = {"amount": Money(5_001, "USD"), "method": {"token": "now"}, "provider": "bank", "idempotency_key": f"out-{c.key}"}
    row = services.payout_request(actor=c.freelancer, **asked)
    clock.advance(DAY)
    services.payout_send(payout_id=row.pk)


def settle(c: Cast) -> None:
    found = Dispute.objects.get(milestone=c.milestone)
    if found.live_key:
        sam = get_user_model().objects.get(email="support@staff.example.org")
        split = {"to_freelancer_minor": 3_334, "to_client_minor": PRICE - 3_334, "reason": "So."}
        disputes.dispute_settle(actor=sam, dispute_id=found.pk, **split)


def charge_back(c: Cast) -> None:
    """The bank's news of a dispute about money that is held by now."""
    (ref,) = providers.gateway("bank").server.ask("disputes_about", payment_ref=Payment.objects.get(payer=c.client).provider_ref)  # type: ignore[attr-defined]
    services.chargeback_refresh(provider="bank", ref=ref)


Act = Callable[[Cast], None]
SCENARIOS: dict[str, tuple[Act, Act]] = {
    "fund": (nothing, fund),
    "fund_later": (nothing, fund_later),
    "fund_from_wallet": (paid_in, fund_from_wallet),
    "release": (handed_in, release),
    "release_by_clock": (silent, release_by_clock),
    "release_part": (handed_in, release_part),
    "refund": (funded, refund),
    "refund_part": (asked_back, refund_part),
    "refund_by_clock": (asked_back_long_ago, refund_by_clock),
    "refund_to_the_card": (paid_in, refund_to_the_card),
    "payout": (earned, payout),
    "settle": (disputed, settle),
    "charge_back": (funded, charge_back),
}


# --- recovery
def deliver() -> None:
    """The outbox's sweep, of the handlers that move money or write of it."""
    for _ in range(3):
        wanted = set(Delivery.objects.filter(handler__startswith="contracts.").exclude(state="done").values_list("id", flat=True))
        if not any([deliver_one(i) for i in due_delivery_ids(limit=100_000) if i in wanted] if wanted else []):
            return


def recover(c: Cast, act: Act) -> None:
    """What happens by itself afterwards, and whoever got no answer tries once more."""
    clock.advance(600)
    tasks.poll_unsettled()
    deliver()
    act(c)
    clock.advance(DAY)
    for sweep in (clocks.auto_approve_due, clocks.grant_refunds_due, tasks.poll_unsettled, deliver):
        sweep()


def standing(c: Cast, bank: HouseBank) -> dict[str, Any]:
    """Everything that the run left behind, without the numbers that the tables gave it."""
    people = [c.client.pk, c.freelancer.pk]
    ours = Q(debit_account__user_id__in=people) | Q(credit_account__user_id__in=people)
    entries = Entry.objects.filter(pk__in=Entry.objects.filter(postings__in=_postings(ours)).values("pk"))
    found = []
    for entry in entries.prefetch_related("postings__debit_account", "postings__credit_account"):
        legs = sorted((p.leg, p.debit_account.kind, p.credit_account.kind, p.amount, p.currency) for p in entry.postings.all())
        found.append((entry.kind, entry.rule, entry.gross_minor, entry.actor_id == c.client.pk, tuple(legs)))
    accounts = Account.objects.filter(user_id__in=people).exclude(balance=None)
    payments = Payment.objects.filter(payer=c.client)
    refunds, payouts = PaymentRefund.objects.filter(payment__in=payments), Payout.objects.filter(payee=c.freelancer)
    asks = RefundRequest.objects.filter(milestone=c.milestone)
    # earlier runs go on beside this one: only what is about its own rows
    own = (Contract.objects.filter(pk=c.contract.pk), Milestone.objects.filter(pk=c.milestone.pk), payments, refunds, payouts, asks)
    about = [Q(aggregate_type=rows.model._meta.label_lower, aggregate_id__in=list(rows.values_list("pk", flat=True))) for rows in own]
    events = Event.objects.filter(functools.reduce(operator.or_, about), pk__gt=c.begins)
    # that it waits is told only when the gateway's first answer was heard: it moves nothing, and what comes after says more
    events = events.exclude(kind="payment.wait")
    rows = {
        "milestone": Milestone.objects.filter(pk=c.milestone.pk).values_list("state", "amount_minor"),
        "contract": Contract.objects.filter(pk=c.contract.pk).values_list("state"),
        "ask": asks.values_list("state", "amount_minor"),
        "payment": payments.values_list("state", "amount_minor", "failure_code"),
        "refund": refunds.values_list("state", "amount_minor"),
        "payout": payouts.values_list("state", "amount_minor", "failure_code"),
        "chargeback": Chargeback.objects.filter(payment__in=payments).values_list("state", "amount_minor", "owed_minor"),
        "document": Document.objects.filter(entry__in=entries).values_list("kind", "about", "total_minor"),
    }
    return {
        "entries": sorted(map(repr, found)),
        "balances": sorted(accounts.values_list("kind", "currency", "balance__available")),
        "events": sorted(Counter(events.values_list("kind", flat=True)).items()),
        "at the bank": sorted((t.kind, t.amount.minor, t.status) for t in bank.things.values()),
        "undelivered": Delivery.objects.filter(event__in=events, handler__startswith="contracts.").exclude(state="done").count(),
        **{name: sorted(query) for name, query in rows.items()},
    }


def _postings(where: Q) -> Any:
    from marketplace.payments.models import Posting

    return Posting.objects.filter(where)


def run(line: BankLine, name: str, place: int | None = None, fault: str = "") -> tuple[str, list[tuple[str, str]], dict[str, Any]]:
    """One run of a scenario, its recovery, and where that leads; no commit alone may leave a state without its postings, or the other way round."""
    line.server.bank = HouseBank()
    line.recorder.place = None
    before, act = SCENARIOS[name]
    c = cast()
    before(c)
    deliver()
    _at_the_bank(line.server.bank, name)
    how, passed = in_a_process(line, lambda: act(c), place, fault)
    torn = ledger_check(allow_empty=True, invariants=(9,)).violations
    _at_the_bank(line.server.bank, name)
    recover(c, act)
    return how, passed, {"torn before recovery": torn, **standing(c, line.server.bank)}


def _at_the_bank(bank: HouseBank, name: str) -> None:
    """What others do there meanwhile."""
    if name == "charge_back" and not bank.of("dispute"):
        (payment,) = bank.of("payment")
        bank.dispute(payment.ref, PRICE)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_whatever_dies_the_ledger_ends_as_if_nothing_had(line: BankLine, name: str, staff: Any) -> None:
    if name == "settle":
        from django.contrib.auth.models import Group

        staff("support").groups.add(Group.objects.get(name="moderator"))
    how, places, expected = run(line, name)
    assert how == "ended"
    assert places, "nothing was found that could fail"
    assert expected["entries"], "the scenario moves no money"
    wrong = []
    for place, (kind, what) in enumerate(places):
        for fault in COMMIT_FAULTS if kind == "commit" else CALL_FAULTS:
            told = f"{fault} {kind} {place} ({what})"
            try:
                how, passed, found = run(line, name, place, fault)
            except DomainError as e:
                wrong.append(f"{told}: could not be done again: {e}")
                continue
            if fault.startswith("killed"):
                assert how == "killed", f"{told}: {how}"
            else:
                assert passed[place] == (kind, what), f"{told}: another place was met: {passed}"
            if found != expected:
                differences = {k: (found[k], v) for k, v in expected.items() if found[k] != v}
                wrong.append(f"{told}: {differences}")
    assert not wrong, "\n".join(wrong)
    report = ledger_check()
    assert report.ok, report.violations
