"""The proof of the ledger names rows of contracts and disputes that say another amount than their entries, or that have none."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from marketplace.contracts import services, tasks
from marketplace.contracts.models import Bonus, Contract, Milestone, PartRelease, RefundRequest
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.payments import debts, levies
from marketplace.payments.ledger.causes import CAUSES
from marketplace.payments.ledger.check import STATES
from marketplace.payments.models import Account, Entry, FxRate, Payment
from marketplace.payments.providers import sandbox
from marketplace.payments.services import chargeback_refresh, fee_refund, ledger_check
from tests.webapp.contracts_cast import contract, days, dispute, fund, funded, offer, planned, proposal, submitted  # noqa: F401

from .test_check import account, forge


def named() -> set[tuple[str, str]]:
    """(rule, row) of what invariant 9 finds."""
    return {(v.rule, v.row) for v in ledger_check(invariants=[9]).violations}


@pytest.fixture
def bonus(alice: Any, bob: Any, submitted: Milestone, pay: Any) -> Bonus:  # noqa: F811
    """20.00 USD, paid and in order."""
    pay(alice, Money(2_000, "USD"))
    found = services.bonus_give(actor=alice, contract_id=submitted.contract_id, amount_minor=2_000, note="Thanks.")
    assert named() == set()
    return found


@pytest.fixture
def rolled(alice: Any, bob: Any, submitted: Milestone, fund: Callable[..., Milestone]) -> RefundRequest:  # noqa: F811
    """300.00 of 400.00 paid, and 100.00 that went on to the second milestone: in order."""
    fund(Milestone.objects.get(contract=submitted.contract_id, position=2), key="fund-second")
    services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=30_000, rest="next", reason="With the build.")
    services.refund_request_accept(actor=bob, request_id=RefundRequest.objects.get().pk)
    assert named() == set()
    return RefundRequest.objects.get()


@pytest.fixture
def settled(alice: Any, bob: Any, dispute: Dispute) -> Dispute:  # noqa: F811
    """All of 400.00 back to the client, because bob accepts her claim: in order."""
    disputes.dispute_respond(actor=bob, dispute_id=dispute.pk, text="You are right.", accept=True)
    assert named() == set()
    return Dispute.objects.get()


@pytest.fixture(params=["USD", "EUR"])
def levied(request: Any, bob: Any, contract: Contract, settings: Any) -> str:  # noqa: F811
    """India taxes the platform's fee (18 %) and, because bob told no number, has 5 % of all his pay kept back; the currency he is paid in."""
    settings.SELLER = {**settings.SELLER, "registrations": {"IN": "9925USA29001OSB"}, "withholds": ["IN"]}
    levies.tax_profile_put(actor=bob, country="IN")
    today = {"source": "test", "as_of": clock.now().date(), "fetched_at": clock.now()}
    FxRate.objects.create(base="USD", quote="EUR", rate=Decimal("0.9"), **today)
    Contract.objects.filter(pk=contract.pk).update(payee_currency=request.param)
    return str(request.param)


@pytest.fixture
def paid(levied: str, alice: Any, bob: Any, rolled: RefundRequest, bonus: Bonus) -> dict[str, Entry]:
    """A part, a bonus and a settlement, each less its fee, the tax on it and what is kept back: in order."""
    second = Milestone.objects.get(contract=rolled.milestone.contract_id, position=2)
    claim = disputes.dispute_open(actor=alice, milestone_id=second.pk, claim="Half of it is missing.")
    disputes.dispute_respond(actor=bob, dispute_id=claim.pk, text="It is all there.")
    for side in (alice, bob):
        disputes.dispute_offer(actor=side, dispute_id=claim.pk, to_freelancer_minor=33_333)
    assert named() == set()
    return {kind: Entry.objects.get(kind=kind) for kind in ("release", "bonus", "settle")}


def test_pay_that_bears_taxes_is_proven_like_any_other(levied: str, paid: dict[str, Entry]) -> None:
    expected = {
        "release": {"fee": 3_000, "tax": 540, "withheld": 1_500, "net": 24_960},
        "bonus": {"fee": 200, "tax": 36, "withheld": 100, "net": 1_664},
        "settle": {"fee": 3_333, "tax": 600, "withheld": 1_667, "net": 27_733, "refund": 36_667},
    }
    for kind, entry in paid.items():
        legs = dict(entry.postings.values_list("leg", "amount"))
        if levied == "EUR":
            assert legs.pop("fx_in") < legs["fx_out"]
            legs["net"] = legs.pop("fx_out")
        assert legs == expected[kind]
    assert ledger_check().violations == []


def test_rows_that_say_what_reached_the_freelancer_are_named(paid: dict[str, Entry]) -> None:
    """A row says what its client parted with, with all that the payment bears."""
    PartRelease.objects.update(gross_minor=24_960)
    Bonus.objects.update(gross_minor=1_664)
    Dispute.objects.update(to_freelancer_minor=27_733, held_minor=27_733 + 36_667)
    assert named() == {
        ("part_is_released", f"contracts_partrelease {PartRelease.objects.get().pk}"),
        ("bonus_is_posted", f"contracts_bonus {Bonus.objects.get().pk}"),
        ("settlement_is_posted", f"disputes_dispute {Dispute.objects.get().pk}"),
    }


def test_fees_given_back_and_money_that_a_bank_took_leave_what_was_paid_proven(
    alice: Any,
    staff: Any,
    days: Any,  # noqa: F811
    paid: dict[str, Entry],
) -> None:
    fiona = staff("finance")
    for entry in paid.values():
        for _ in range(2):
            fee_refund(actor=fiona, entry_id=entry.pk, amount_minor=100, reason="The page was down.")
    for payment in Payment.objects.filter(payer=alice):
        chargeback_refresh(provider="sandbox", ref=sandbox.dispute(str(payment.provider_ref)))
    assert debts.owed(alice.pk, "USD") > 0
    days(30)
    tasks.clear_due()

    assert Entry.objects.filter(kind__in=("clear", "clear_part", "clear_bonus")).count() == len(paid)
    assert ledger_check().violations == []


@pytest.mark.parametrize("change", [{"gross_minor": 2_001}, {"currency": "EUR"}], ids=["amount", "currency"])
def test_a_bonus_that_says_something_else_than_its_entry_is_named(bonus: Bonus, change: dict[str, Any]) -> None:
    Bonus.objects.filter(pk=bonus.pk).update(**change)
    assert named() == {("bonus_is_posted", f"contracts_bonus {bonus.pk}")}


def test_a_bonus_without_an_entry_and_an_entry_without_a_bonus_are_named(bonus: Bonus) -> None:
    twin = Bonus.objects.create(contract=bonus.contract, gross_minor=5, currency="USD", given_at=bonus.given_at, clears_at=bonus.clears_at)
    assert named() == {("bonus_is_posted", f"contracts_bonus {twin.pk}")}
    Bonus.objects.all().delete()
    assert named() == {("bonus_entry_has_its_row", f"payments_entry {Entry.objects.get(kind='bonus').pk}")}


def test_a_bonus_that_was_paid_twice_is_named(alice: Any, bob: Any, bonus: Bonus, pay: Any) -> None:
    pay(alice, Money(2_000, "USD"))
    legs = [("net", account(f"wallet:{alice.pk}:USD"), account(f"pending:{bob.pk}:USD"), 2_000)]
    quote = {"fee_schedule": "standard-1"}
    forge("bonus", legs, subject=("bonus", bonus.pk), contract_id=bonus.contract_id, gross_minor=2_000, quote=quote)
    assert named() == {("bonus_is_posted", f"contracts_bonus {bonus.pk}")}


def test_a_bonus_that_cleared_without_its_row_knowing_is_named(bob: Any, bonus: Bonus) -> None:
    legs = [("clear", account(f"pending:{bob.pk}:USD"), Account.objects.get_or_create(
        key=f"available:{bob.pk}:USD", defaults={"kind": "available", "currency": "USD", "user": bob, "created_at": bonus.given_at}
    )[0], 1)]  # fmt: skip
    forged = forge("clear_bonus", legs, subject=("bonus", bonus.pk), contract_id=bonus.contract_id)
    assert named() == {("bonus_entry_has_its_row", f"payments_entry {forged.pk}")}


@pytest.mark.parametrize("change", [{"gross_minor": 29_999}, {"currency": "EUR"}], ids=["amount", "currency"])
def test_a_part_that_says_something_else_than_its_release_is_named(rolled: RefundRequest, change: dict[str, Any]) -> None:
    part = PartRelease.objects.get()
    PartRelease.objects.filter(pk=part.pk).update(**change)
    assert named() == {("part_is_released", f"contracts_partrelease {part.pk}")}


def test_a_part_without_its_release_and_a_release_without_its_part_are_named(rolled: RefundRequest) -> None:
    part, release = PartRelease.objects.get(), Entry.objects.get(kind="release")
    PartRelease.objects.filter(pk=part.pk).update(part=3)
    assert named() == {
        ("part_is_released", f"contracts_partrelease {part.pk}"),
        ("part_entry_has_its_row", f"payments_entry {release.pk}"),
    }


@pytest.mark.parametrize("change", [{"to": "wallet"}, {"state": "refused"}], ids=["to", "state"])
def test_a_roll_that_nobody_agreed_to_is_named(rolled: RefundRequest, change: dict[str, Any]) -> None:
    RefundRequest.objects.filter(pk=rolled.pk).update(**change)
    assert named() == {("roll_is_of_its_request", f"payments_entry {Entry.objects.get(kind='roll').pk}")}


@pytest.mark.parametrize("change", [{"amount_minor": 9_999}, {"currency": "EUR"}], ids=["amount", "currency"])
def test_a_roll_of_something_else_than_was_agreed_to_is_named(rolled: RefundRequest, change: dict[str, Any]) -> None:
    RefundRequest.objects.filter(pk=rolled.pk).update(**change)
    assert named() == {
        ("roll_is_of_its_request", f"payments_entry {Entry.objects.get(kind='roll').pk}"),
        ("roll_follows_its_request", f"contracts_refundrequest {rolled.pk}"),
    }


@pytest.mark.parametrize("amount", [10_000, 1], ids=["same", "another"])
def test_a_second_agreement_about_a_rest_that_moved_once_is_named(rolled: RefundRequest, amount: int) -> None:
    rolled.pk, rolled.amount_minor = None, amount
    rolled.save(force_insert=True)
    roll = ("roll_is_of_its_request", f"payments_entry {Entry.objects.get(kind='roll').pk}")
    assert named() == {roll if amount == 10_000 else ("roll_follows_its_request", f"contracts_refundrequest {rolled.pk}")}


def test_a_roll_out_of_a_milestone_that_goes_on_is_named(rolled: RefundRequest) -> None:
    Milestone.objects.filter(pk=rolled.milestone_id).update(state="submitted")
    roll = Entry.objects.get(kind="roll")
    assert ("roll_is_of_its_request", f"payments_entry {roll.pk}") in named()


def test_a_rest_that_was_agreed_on_and_did_not_move_is_named(alice: Any, submitted: Milestone) -> None:  # noqa: F811
    request = services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
    RefundRequest.objects.filter(pk=request.pk).update(to="next", state="accepted")
    assert named() == {("roll_follows_its_request", f"contracts_refundrequest {request.pk}")}


@pytest.mark.parametrize(
    "change",
    [{"to_freelancer_minor": 1, "to_client_minor": 39_999}, {"to_client_minor": 40_001, "held_minor": 40_001}, {"currency": "EUR"}],
    ids=["split", "client", "currency"],
)
def test_a_dispute_that_says_another_split_than_was_posted_is_named(settled: Dispute, change: dict[str, Any]) -> None:
    assert (settled.to_freelancer_minor, settled.to_client_minor) == (0, 40_000)
    Dispute.objects.filter(pk=settled.pk).update(**change)
    assert named() == {("settlement_is_posted", f"disputes_dispute {settled.pk}")}


def test_a_second_dispute_about_money_that_was_split_once_is_named(settled: Dispute) -> None:
    settled.pk = None
    settled.save(force_insert=True)
    assert named() == {("settlement_has_its_dispute", f"payments_entry {Entry.objects.get(kind='settle').pk}")}


def test_a_settlement_without_a_settled_dispute_is_named(settled: Dispute) -> None:
    Dispute.objects.filter(pk=settled.pk).update(settled_at=None)
    assert named() == {("settlement_has_its_dispute", f"payments_entry {Entry.objects.get(kind='settle').pk}")}


def test_a_dispute_that_was_settled_without_an_entry_is_named(contract: Contract, dispute: Dispute) -> None:  # noqa: F811
    Dispute.objects.filter(pk=dispute.pk).update(settled_at=dispute.opened_at, to_freelancer_minor=0, to_client_minor=dispute.held_minor)
    assert named() == {("settlement_is_posted", f"disputes_dispute {dispute.pk}")}


def test_each_rule_is_one_statement(rolled: RefundRequest, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(len(STATES + CAUSES) + len(("entries", "postings"))):
        assert ledger_check(invariants=[9]).ok
