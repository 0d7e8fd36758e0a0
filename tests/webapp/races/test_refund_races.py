"""Two at once on held money: one effect, and the other act learns of it. See test_contract_races."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from django.db import connections, transaction

from marketplace.accounts.models import User
from marketplace.contracts import services, tasks
from marketplace.contracts.models import Contract, Milestone, PartRelease, RefundRequest
from marketplace.core.errors import Conflict, Unavailable
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.payments import services as payments
from marketplace.payments.models import Entry, PaymentRefund
from tests.webapp.races.rendezvous import behind_the_lock

pytestmark = pytest.mark.skipif(os.environ.get("OPENLANCE_TEST_DB") == "sqlite", reason="SQLite has one writer at a time: no such race")


def kinds(milestone: Milestone) -> list[str]:
    return list(Entry.objects.filter(subject_type="milestone", subject_id=milestone.pk).order_by("id").values_list("kind", flat=True))


def refused(outcomes: list[Any]) -> int:
    assert [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, Conflict)] == []
    return sum(isinstance(o, Conflict) for o in outcomes)


def test_a_partial_release_racing_a_dispute(committed_db: None, alice: Any, bob: Any, submitted: Milestone) -> None:
    outcomes = behind_the_lock(
        submitted.contract_id,
        lambda: services.milestone_approve_part(
            actor=alice, milestone_id=submitted.pk, amount_minor=30_000, rest="wallet", reason="A page is missing."
        ),
        lambda: disputes.dispute_open(actor=bob, milestone_id=submitted.pk, claim="She does not pay."),
    )
    submitted.refresh_from_db()
    dispute = Dispute.objects.get()
    assert submitted.state == "disputed" and submitted.refund_asked_at is None
    if refused(outcomes):  # the dispute came first: nothing was paid, all of it is disputed
        assert (kinds(submitted), dispute.held_minor, RefundRequest.objects.count()) == (["hold"], 40_000, 0)
    else:  # the part was paid, and the dispute is about the rest
        assert (kinds(submitted), dispute.held_minor) == (["hold", "release"], 10_000)
        assert RefundRequest.objects.get().state == "superseded"


def test_the_same_wish_for_wallet_money_twice_at_once_is_one(committed_db: None, alice: Any) -> None:
    paid = {"purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}, "idempotency_key": "k"}
    payments.payment_start(actor_id=alice.pk, amount=Money(10_000, "USD"), **paid)
    ask = {"actor": alice, "amount": Money(6_000, "USD"), "idempotency_key": "back"}
    first, second = behind_the_lock(User.objects.filter(pk=alice.pk), *[lambda: payments.wallet_refund_request(**ask)] * 2)

    assert [(r.pk, r.amount_minor) for r in first] == [(r.pk, r.amount_minor) for r in second]
    assert (len(first), PaymentRefund.objects.count()) == (1, 1)


def test_an_answer_racing_silence_moves_the_money_once(committed_db: None, alice: Any, bob: Any, submitted: Milestone, days: Any) -> None:
    request = services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
    days(7.01)
    outcomes = behind_the_lock(
        submitted.contract_id,
        lambda: services.refund_request_refuse(actor=bob, request_id=request.pk, answer="It is done."),
        tasks.grant_refunds_due,
    )
    request.refresh_from_db()
    assert (refused(outcomes), outcomes[1], request.state) in ((1, 1, "granted"), (0, 0, "refused"))
    assert kinds(submitted) == (["hold", "refund"] if request.state == "granted" else ["hold"])


def test_the_clocks_task_delivered_twice_at_once_refunds_once(committed_db: None, alice: Any, submitted: Milestone, days: Any) -> None:
    services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
    days(7.01)
    assert sorted(behind_the_lock(submitted.contract_id, tasks.grant_refunds_due, tasks.grant_refunds_due)) == [0, 1]
    assert kinds(submitted) == ["hold", "refund"]
    assert Event.objects.filter(kind="refund_request.grant").count() == 1


def test_two_partial_approvals_at_once_pay_one_part(committed_db: None, alice: Any, submitted: Milestone) -> None:
    def part() -> Milestone:
        return services.milestone_approve_part(
            actor=alice, milestone_id=submitted.pk, amount_minor=30_000, rest="wallet", reason="A page is missing."
        )

    assert refused(behind_the_lock(submitted.contract_id, part, part)) == 1
    assert (kinds(submitted), PartRelease.objects.count()) == (["hold", "release"], 1)


def test_a_lock_that_is_waited_for_too_long_leaves_nothing_of_the_act(
    committed_db: None, alice: Any, submitted: Milestone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1205 rolls back only the statement: here the second half of a partial approval, the balances, cannot be had. All of it must be gone."""
    from marketplace.core import transactions

    monkeypatch.setattr(transactions, "ATTEMPTS", 2)
    entered, let_go = threading.Event(), threading.Event()

    def hold_the_balance() -> None:
        try:
            with transaction.atomic(), connections["default"].cursor() as cursor:
                cursor.execute(
                    "SELECT b.account_id FROM payments_accountbalance b JOIN payments_account a ON a.id = b.account_id "
                    "WHERE a.milestone_id = %s FOR UPDATE",
                    [submitted.pk],
                )
                entered.set()
                let_go.wait(60)
        finally:
            connections.close_all()

    def approve() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
        work = services.milestone_approve_part.__wrapped__  # type: ignore[attr-defined]
        transactions.run_in_transaction(
            lambda: work(actor=alice, milestone_id=submitted.pk, amount_minor=30_000, rest="wallet", reason="No."), attempts=2
        )

    rival = threading.Thread(target=hold_the_balance, daemon=True)
    rival.start()
    assert entered.wait(20)
    try:
        with pytest.raises(Unavailable):
            approve()
    finally:
        let_go.set()
        rival.join(20)
    assert (kinds(submitted), PartRelease.objects.count(), RefundRequest.objects.count()) == (["hold"], 0, 0)
    assert not Event.objects.filter(kind__in=("milestone.approve_part", "refund_request.open")).exists()
    approve()  # and afterwards it goes through
    assert (kinds(submitted), Contract.objects.get().state) == (["hold", "release"], "active")
