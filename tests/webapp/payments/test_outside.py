"""The proof of the ledger looks beyond its postings: at the gateways, at the age of held money, at what disputes split."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from marketplace.contracts.models import Milestone
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.payments.ledger.outside import SWEEP_DAYS
from marketplace.payments.models import Difference, Entry, Payment, Payout, Posting, ReconciliationRun, ReconciliationTotal
from marketplace.payments.services import ledger_check
from tests.webapp.contracts_cast import contract, dispute, fund, funded, offer, planned, proposal, submitted  # noqa: F401

from .test_check import account, forge

pytestmark = pytest.mark.parity


def named(invariant: int) -> set[tuple[str, str]]:
    """(rule, row) of what the invariant finds."""
    return {(v.rule, v.row) for v in ledger_check(invariants=[invariant]).violations}


def test_10_money_that_came_through_another_gateway_is_named(alice: Any, pay: Any) -> None:
    made = pay(alice, Money(2_000, "USD"))
    posting = Posting.objects.get(entry__kind="deposit", entry__subject_id=made.pk)
    assert named(10) == set()
    Payment.objects.filter(pk=made.pk).update(provider="paypal")
    assert named(10) == {("money_came_through_its_gateway", f"payments_posting {posting.pk}")}


def test_10_money_that_left_through_another_gateway_or_for_nothing_is_named(alice: Any, bob: Any, pay: Any) -> None:
    pay(alice, Money(2_000, "USD"))
    about = {"provider": "mpesa", "state": "paid", "amount_minor": 500, "currency": "USD", "method": {}, "created_at": clock.now()}
    row = Payout.objects.create(payee=bob, idempotency_key="forged-1", **about)
    legs = [("payout", account(f"wallet:{alice.pk}:USD"), account("clearing:sandbox:USD"), 500)]
    forged = [
        forge("payout_settle", legs, key="forged-1", subject=("payout", row.pk)),
        forge("payout_settle", legs, key="forged-2", subject=("payout", row.pk + 1)),
    ]
    expected = {f"payments_posting {Posting.objects.get(entry=entry).pk}" for entry in forged}
    assert named(10) == {("money_left_through_its_gateway", posting) for posting in expected}


@pytest.mark.parametrize(("more", "wrong"), [({}, False), ({"unexplained_minor": 1}, True), ({"unexplained_minor": None}, True)])
def test_10_a_compared_day_that_does_not_add_up_is_named(db: None, more: dict[str, Any], wrong: bool) -> None:
    run = ReconciliationRun.objects.create(provider="sandbox", day=clock.now().date(), begun_at=clock.now())
    values = {"provider_minor": 1_000, "ledger_minor": 600, "in_flight_minor": 300, "differences_minor": 70, "uncovered_minor": 30}
    total = ReconciliationTotal.objects.create(run=run, currency="USD", **{**values, "unexplained_minor": 0, **more})
    assert named(10) == ({("compared_day_adds_up", f"payments_reconciliationtotal {total.pk}")} if wrong else set())


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"state": "open", "live_key": "k"}, False),
        ({"state": "open", "live_key": None}, True),
        ({"state": "open", "live_key": "k", "since": timedelta(hours=1)}, True),
        ({"state": "matched", "live_key": None}, False),
        ({"state": "matched", "live_key": "k"}, True),
        ({"state": "booked", "live_key": None}, True),
        ({"state": "explained", "live_key": "k", "explanation": "A holiday."}, False),
        ({"state": "explained", "live_key": "k"}, True),
    ],
)
def test_10_a_difference_without_age_or_end_is_named(db: None, more: dict[str, Any], wrong: bool) -> None:
    now = clock.now()
    values = {
        "provider": "sandbox",
        "currency": "USD",
        "item": "balance",
        "aspect": "balance",
        "kind": "balance_differs",
        "effect_minor": 1,
    }
    row = Difference.objects.create(**{**values, "opened_at": now, **more, "since": now + more.get("since", timedelta())})
    assert named(10) == ({("difference_has_an_age_and_an_end", f"payments_difference {row.pk}")} if wrong else set())


def test_11_a_hold_that_its_clock_forgot_is_named(funded: Milestone, settings: Any) -> None:  # noqa: F811
    limit = timedelta(days=settings.HOLD_LIMIT_DAYS + SWEEP_DAYS)
    held = Milestone.objects.filter(pk=funded.pk)
    held.update(funded_at=clock.now() - limit + timedelta(hours=1))
    assert named(11) == set()
    held.update(funded_at=clock.now() - limit - timedelta(seconds=1))
    assert named(11) == {("hold_within_its_limit", f"contracts_milestone {funded.pk}")}
    held.update(state="disputed")
    assert named(11) == set()
    held.update(state=funded.state, held_since=F("funded_at"), funded_at=clock.now())
    assert named(11) == {("hold_within_its_limit", f"contracts_milestone {funded.pk}")}


def test_11_a_clock_that_acted_twice_is_named(funded: Milestone) -> None:  # noqa: F811
    legs = [("refund", account(f"hold:{funded.pk}:USD"), account(f"wallet:{funded.contract.client_id}:USD"), 100)]
    for key in ("first", "second"):
        assert named(11) == set()
        forge("refund", legs, key=key, subject=("milestone", funded.pk), rule="hold_limit_75d")
    assert named(11) == {("clock_acts_once", f"payments_entry {Entry.objects.get(idempotency_key='second').pk}")}


@pytest.fixture
def settled(bob: Any, dispute: Dispute) -> Dispute:  # noqa: F811
    """All of 400.00 back to the client, because bob accepts her claim: in order."""
    disputes.dispute_respond(actor=bob, dispute_id=dispute.pk, text="You are right.", accept=True)
    assert named(12) == set()
    return Dispute.objects.get()


@pytest.mark.parametrize(
    "change",
    [
        {"to_freelancer_minor": 1, "to_client_minor": F("held_minor"), "settled_at": None},
        {"to_freelancer_minor": -1, "to_client_minor": F("held_minor") + 1},
        {"to_client_minor": None, "settled_at": None},
    ],
    ids=["more", "negative", "half"],
)
def test_12_a_split_that_is_not_what_is_held_is_named(settled: Dispute, change: dict[str, Any]) -> None:
    Dispute.objects.filter(pk=settled.pk).update(**change)
    assert ("split_is_what_is_held", f"disputes_dispute {settled.pk}") in named(12)


def test_12_a_settlement_that_moved_less_than_was_held_is_named(settled: Dispute) -> None:
    both = {"held_minor": F("held_minor") + 7, "to_client_minor": F("to_client_minor") + 7}
    Dispute.objects.filter(pk=settled.pk).update(**both)
    assert named(12) == {("settlement_empties_the_hold", f"disputes_dispute {settled.pk}")}
