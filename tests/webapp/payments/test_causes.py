"""The proof of the ledger names rows of contracts and disputes that say another amount than their entries, or that have none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from marketplace.contracts import services
from marketplace.contracts.models import Bonus, Contract, Milestone, PartRelease, RefundRequest
from marketplace.core.money import Money
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.payments.ledger.causes import CAUSES
from marketplace.payments.ledger.check import STATES
from marketplace.payments.models import Account, Entry
from marketplace.payments.services import ledger_check
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
