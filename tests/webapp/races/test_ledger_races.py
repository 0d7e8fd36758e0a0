"""The ledger under real threads, each with its own connection, on real commits."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from marketplace.core import clock
from marketplace.core.errors import Conflict, DomainError
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import selectors, services, tasks
from marketplace.payments.debts import owed
from marketplace.payments.ledger import accounts
from marketplace.payments.ledger.post import Line, post
from marketplace.payments.models import Account, AccountBalance, Entry, Payment, Payout, Posting, SandboxObject, WebhookEvent
from marketplace.payments.providers import sandbox
from marketplace.payments.providers.sandbox import Sandbox

from .rendezvous import behind_the_lock

THREADS = 8


def USD(minor: int) -> Money:
    return Money(minor, "USD")


@pytest.fixture(autouse=True)
def books_balance() -> None:
    """These holds stand without contracts, so each test proves the invariants that hold for it: see `proven`."""


def together(*works: Callable[[], Any]) -> list[Any]:
    """Run all at once, each in a thread of its own; the answers in order, a refusal as its code."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            gate.wait(20)
            return work()
        except DomainError as e:
            return e.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def proven() -> None:
    assert services.ledger_check(invariants=range(1, 9)).violations == []


def deposited(user: Any, minor: int, key: str) -> Payment:
    return services.payment_start(
        actor_id=user.pk, amount=USD(minor), purpose="wallet", purpose_id=None, method={"token": "tok_visa"}, idempotency_key=key
    )


def held(user: Any, milestone_id: int, minor: int) -> Entry:
    values = {"contract_id": 1, "payer_id": user.pk, "actor_id": user.pk, "rule": "client_funding"}
    return run_in_transaction(lambda: services.hold(milestone_id=milestone_id, amount=USD(minor), **values))


def released(payee: Any, milestone_id: int, minor: int, part: int = 1) -> Entry:
    values = {"contract_id": 1, "payee_currency": "USD", "fee_schedule": "standard-1", "actor_id": None, "rule": "auto_approval_14d"}
    return run_in_transaction(lambda: services.release(milestone_id=milestone_id, payee_id=payee.pk, gross=USD(minor), part=part, **values))


def test_the_same_payment_from_eight_threads_is_one_charge(committed_db: None, alice: Any) -> None:
    payments = together(*[lambda: deposited(alice, 10_000, "k").pk] * THREADS)

    assert len(set(payments)) == 1
    assert (Payment.objects.count(), SandboxObject.objects.count(), Entry.objects.count()) == (1, 1, 1)
    assert selectors.balances_of(alice.pk)[0].wallet == USD(10_000)
    proven()


def test_the_same_release_from_eight_threads_is_one_entry(committed_db: None, alice: Any, bob: Any) -> None:
    deposited(alice, 10_000, "k")
    held(alice, 7, 10_000)

    entries = together(*[lambda: released(bob, 7, 10_000).pk] * THREADS)

    assert len(set(entries)) == 1
    assert Entry.objects.filter(kind="release").count() == 1
    assert Posting.objects.filter(entry__kind="release").count() == 2
    assert selectors.balances_of(bob.pk)[0].pending == USD(9_000)
    proven()


def test_eight_holds_on_a_wallet_that_pays_for_three_are_three(committed_db: None, alice: Any) -> None:
    deposited(alice, 3_500, "k")

    answers = together(*[lambda m=m: held(alice, m, 1_000).pk for m in range(1, THREADS + 1)])

    assert answers.count("insufficient_funds") == THREADS - 3
    assert selectors.balances_of(alice.pk)[0].wallet == USD(500)
    assert AccountBalance.objects.filter(account__kind="hold", available=1_000).count() == 3
    proven()


def test_parts_of_one_hold_released_at_once_never_exceed_it(committed_db: None, alice: Any, bob: Any) -> None:
    deposited(alice, 10_000, "k")
    held(alice, 7, 10_000)

    answers = together(*[lambda part=part: released(bob, 7, 3_000, part).pk for part in range(1, THREADS + 1)])

    assert answers.count("insufficient_funds") == THREADS - 3
    assert selectors.held(7) == USD(1_000)
    proven()


def test_opposing_transfers_lose_no_update_and_leave_no_deadlock(committed_db: None, alice: Any, bob: Any) -> None:
    """A hold and its refund lock the same two balances in opposite directions of the money, but in the same order."""
    for n, user in enumerate((alice, bob)):
        deposited(user, 100_000, f"k{n}")
    there, back = accounts.wallet(alice.pk, "USD"), accounts.hold(1, alice.pk, "USD")
    held(alice, 1, 50_000)

    def move(kind: str, debit: Any, credit: Any, thread: int) -> int:
        for n in range(10):
            line = Line(kind, debit, credit, USD(7))
            values = {"key": f"{kind}:{thread}:{n}", "lines": [line], "subject": ("milestone", 1), "actor_id": None, "rule": "test"}
            run_in_transaction(functools.partial(post, kind, **values))
        return 10

    works = [lambda t=t: move("hold", there, back, t) for t in range(4)] + [lambda t=t: move("refund", back, there, t) for t in range(4)]
    assert sum(together(*works)) == 80

    assert selectors.balances_of(alice.pk)[0].wallet == USD(50_000)
    assert selectors.held(1) == USD(50_000)
    assert services.ledger_check(invariants=(1, 2, 3, 4, 5)).violations == []


def test_an_account_created_by_eight_at_once_is_one_row_with_one_balance(committed_db: None, alice: Any) -> None:
    answers = together(*[lambda n=n: deposited(alice, 100, f"k{n}").state for n in range(THREADS)])

    assert answers == ["succeeded"] * THREADS
    assert Account.objects.filter(kind="wallet").count() == 1
    assert selectors.balances_of(alice.pk)[0].wallet == USD(100 * THREADS)
    proven()


def test_a_release_racing_a_refund_moves_the_hold_once(committed_db: None, alice: Any, bob: Any) -> None:
    deposited(alice, 10_000, "k")
    held(alice, 7, 10_000)

    def refunded() -> int:
        values = {"contract_id": 1, "payer_id": alice.pk, "actor_id": None, "rule": "freelancer_refund", "reason": "late"}
        return run_in_transaction(lambda: services.refund(milestone_id=7, amount=USD(10_000), **values).pk)

    answers = together(lambda: released(bob, 7, 10_000).pk, refunded)

    assert answers.count("insufficient_funds") == 1
    assert Entry.objects.filter(kind__in=("release", "refund")).count() == 1
    proven()


def test_eight_payouts_of_all_the_money_are_one(committed_db: None, alice: Any, bob: Any) -> None:
    deposited(alice, 10_000, "k")
    held(alice, 7, 10_000)
    released(bob, 7, 10_000)
    run_in_transaction(lambda: services.clear(contract_id=1, milestone_id=7, payee_id=bob.pk))

    def ask(n: int) -> Any:
        return services.payout_request(actor=bob, amount=USD(9_000), method={"token": "bank_ok"}, idempotency_key=f"p{n}").pk

    answers = together(*[lambda n=n: ask(n) for n in range(THREADS)])

    assert answers.count("insufficient_funds") == THREADS - 1
    assert selectors.balances_of(bob.pk)[0].in_transit == USD(9_000)
    proven()


def test_refunds_of_one_payment_at_once_never_exceed_it(committed_db: None, alice: Any) -> None:
    payment = deposited(alice, 10_000, "k")
    deposited(alice, 90_000, "more")  # the wallet alone would let all of them pass

    def ask(n: int) -> Any:
        return services.payment_refund_request(actor=alice, payment_id=payment.pk, amount=USD(3_000), idempotency_key=f"r{n}").state

    answers = together(*[lambda n=n: ask(n) for n in range(THREADS)])

    assert (answers.count("created"), answers.count("over_refund")) == (3, THREADS - 3)
    assert selectors.balances_of(alice.pk)[0].wallet == USD(91_000)
    proven()


def test_no_transaction_is_open_while_a_gateway_is_asked(committed_db: None, alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is held over the network would last as long as the gateway takes to answer."""
    asked: list[tuple[str, bool]] = []

    def watched(name: str) -> Callable[..., Any]:
        original = getattr(Sandbox, name)

        def call(self: Sandbox, **given: Any) -> Any:
            asked.append((name, connection.in_atomic_block))
            return original(self, **given)

        return call

    for name in ("create_payment", "fetch_payment", "pay_out", "fetch_payout"):
        monkeypatch.setattr(Sandbox, name, watched(name))
    deposited(alice, 10_000, "k")
    held(alice, 7, 10_000)
    released(bob, 7, 10_000)
    run_in_transaction(lambda: services.clear(contract_id=1, milestone_id=7, payee_id=bob.pk))
    services.payout_request(actor=bob, amount=USD(9_000), method={"token": "bank_delayed"}, idempotency_key="p")
    for _ in range(2):
        clock.advance(24 * 3600)
        tasks.poll_unsettled()

    assert {name for name, _ in asked} == {"create_payment", "fetch_payment", "pay_out", "fetch_payout"}
    assert [name for name, is_open in asked if is_open] == []
    with pytest.raises(RuntimeError, match="durable"):
        run_in_transaction(lambda: deposited(alice, 100, "inside"))
    assert Payment.objects.count() == 1


def test_a_refused_movement_leaves_no_account_behind(committed_db: None, alice: Any) -> None:
    with pytest.raises(Conflict, match="insufficient_funds"):
        held(alice, 7, 10_000)

    assert not Account.objects.exists()


def test_one_notification_delivered_by_eight_at_once_is_one_row_and_one_deposit(committed_db: None, alice: Any) -> None:
    asked = {"purpose": "wallet", "purpose_id": None, "method": {"token": "tok_3ds"}, "idempotency_key": "k"}
    payment = services.payment_start(actor_id=alice.pk, amount=USD(10_000), **asked)
    sandbox.change(str(payment.provider_ref), "succeeded")
    body = json.dumps({"id": "evt_1", "type": "payment.succeeded", "object": payment.provider_ref}).encode()
    given = {"path_token": sandbox.webhook_path_token(), "raw_body": body, "headers": {"Sandbox-Signature": sandbox.sign(body)}}

    def delivered() -> int:
        event = services.webhook_receive(provider="sandbox", **given)
        assert services.webhook_handle(webhook_id=event.pk)
        return event.pk

    assert len(set(together(*[delivered] * THREADS))) == 1
    assert (WebhookEvent.objects.count(), Entry.objects.count()) == (1, 1)
    assert selectors.balances_of(alice.pk)[0].wallet == USD(10_000)
    proven()


def owing_payer(alice: Any, bob: Any) -> str:
    """Bob has 90.00 USD on their way to be paid out; what he paid himself is held. The reference of his bank's dispute about that."""
    deposited(alice, 10_000, "k")
    held(alice, 7, 10_000)
    released(bob, 7, 10_000)
    run_in_transaction(lambda: services.clear(contract_id=1, milestone_id=7, payee_id=bob.pk))
    payment = deposited(bob, 7_000, "own")
    held(bob, 8, 7_000)
    return sandbox.dispute(str(payment.provider_ref))


def payout_or_debt(payout_id: int) -> None:
    """Either it was sent before the bank took the money, or it has paid what is owed."""
    state = Payout.objects.get(pk=payout_id).state
    bob = Payout.objects.get(pk=payout_id).payee_id
    there = sum(b.available.minor for b in selectors.balances_of(bob))
    assert (state, there, owed(bob, "USD")) in [("paid", 0, 7_000), ("failed", 2_000, 0)]
    proven()


def test_a_payout_that_is_sent_while_the_bank_takes_money_back_is_sent_or_pays_it(committed_db: None, alice: Any, bob: Any) -> None:
    ref = owing_payer(alice, bob)
    payout = services.payout_request(actor=bob, amount=USD(9_000), method={"token": "bank_ok"}, idempotency_key="p")
    clock.advance(25 * 3600)
    together(lambda: services.payout_send(payout_id=payout.pk), lambda: services.chargeback_refresh(provider="sandbox", ref=ref))
    payout_or_debt(payout.pk)


def test_both_wait_for_the_payout_and_it_is_not_sent_by_what_was_known_before(committed_db: None, alice: Any, bob: Any) -> None:
    ref = owing_payer(alice, bob)
    payout = services.payout_request(actor=bob, amount=USD(9_000), method={"token": "bank_ok"}, idempotency_key="p")
    clock.advance(25 * 3600)
    behind_the_lock(
        Payout.objects.filter(pk=payout.pk),
        lambda: services.payout_send(payout_id=payout.pk),
        lambda: services.chargeback_refresh(provider="sandbox", ref=ref),
    )
    payout_or_debt(payout.pk)


def test_a_payout_that_is_asked_for_while_the_bank_takes_money_back_is_stopped_or_refused(committed_db: None, alice: Any, bob: Any) -> None:
    ref = owing_payer(alice, bob)

    def ask() -> Any:
        return services.payout_request(actor=bob, amount=USD(9_000), method={"token": "bank_ok"}, idempotency_key="p").pk

    answers = behind_the_lock(type(bob).objects.filter(pk=bob.pk), ask, lambda: services.chargeback_refresh(provider="sandbox", ref=ref))
    if isinstance(answers[0], int):
        assert Payout.objects.get(pk=answers[0]).state == "failed"
    else:
        assert isinstance(answers[0], Conflict) and answers[0].code == "insufficient_funds"
    assert (sum(b.available.minor for b in selectors.balances_of(bob.pk)), owed(bob.pk, "USD")) == (2_000, 0)
    proven()
