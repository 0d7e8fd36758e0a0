"""Payouts: the first is held, the money leaves at once and comes back when the bank refuses."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.accounts.services import user_restore, user_suspend
from marketplace.core import clock, ports
from marketplace.core.errors import Conflict, IdempotencyConflict, NotAllowed
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.payments import selectors, services, tasks
from marketplace.payments.models import Entry, Payout, SandboxObject

pytestmark = [pytest.mark.django_db, pytest.mark.parity]
DAY = 24 * 3600


def USD(minor: int) -> Money:
    return Money(minor, "USD")


def ask(user: Any, minor: int = 5_000, token: str = "bank_ok", key: str = "p") -> Payout:
    return services.payout_request(actor=user, amount=USD(minor), method={"token": token}, idempotency_key=key)


def available_and_transit(user: Any) -> tuple[int, int]:
    (balances,) = selectors.balances_of(user.pk)
    return balances.available.minor, balances.in_transit.minor


@pytest.fixture
def rich_bob(alice: Any, bob: Any, earn: Any) -> Any:
    assert earn(alice, bob, 7, USD(10_000)) == 9_000
    return bob


def test_a_first_payout_is_held_a_day_then_sent_and_paid(rich_bob: Any, proven: Any) -> None:
    payout = ask(rich_bob)
    assert (payout.state, payout.hold_reason) == ("held", "first_payout")
    assert available_and_transit(rich_bob) == (4_000, 5_000)
    tasks.poll_unsettled()
    payout.refresh_from_db()
    assert payout.state == "held"

    clock.advance(DAY)
    tasks.poll_unsettled()

    payout.refresh_from_db()
    assert payout.state == "paid"
    assert available_and_transit(rich_bob) == (4_000, 0)
    line = Entry.objects.get(kind="payout_settle").postings.get()
    assert (line.debit_account.key, line.credit_account.key) == (f"payout_transit:{rich_bob.pk}:USD", "clearing:sandbox:USD")
    proven()


def test_a_later_payout_is_not_held(rich_bob: Any) -> None:
    ask(rich_bob)
    clock.advance(DAY)
    tasks.poll_unsettled()

    second = ask(rich_bob, 1_000, key="second")

    assert second.state == "requested"
    assert services.payout_send(payout_id=second.pk).state == "paid"


@pytest.mark.parametrize(("token", "rounds"), [("bank_delayed", 2), ("bank_timeout", 2)])
def test_a_slow_or_silent_bank_pays_once(rich_bob: Any, proven: Any, token: str, rounds: int) -> None:
    payout = ask(rich_bob, token=token)
    clock.advance(DAY)
    for _ in range(rounds):
        tasks.poll_unsettled()

    payout.refresh_from_db()
    assert payout.state == "paid"
    assert SandboxObject.objects.filter(kind="payout").count() == 1
    assert Entry.objects.filter(kind="payout_settle").count() == 1
    proven()


def test_a_refused_payout_brings_the_money_back(rich_bob: Any, proven: Any) -> None:
    payout = ask(rich_bob, token="bank_closed")
    clock.advance(DAY)

    tasks.poll_unsettled()

    payout.refresh_from_db()
    assert (payout.state, payout.failure_code) == ("failed", "account_closed")
    assert available_and_transit(rich_bob) == (9_000, 0)
    proven()


def test_more_than_is_available_is_refused_and_nothing_moves(rich_bob: Any) -> None:
    with pytest.raises(Conflict, match="insufficient_funds"):
        ask(rich_bob, 9_001)

    assert available_and_transit(rich_bob) == (9_000, 0)


def test_the_same_key_is_the_same_payout_and_another_amount_a_conflict(rich_bob: Any) -> None:
    first = ask(rich_bob)

    assert ask(rich_bob).pk == first.pk
    with pytest.raises(IdempotencyConflict):
        ask(rich_bob, 4_999)
    assert available_and_transit(rich_bob) == (4_000, 5_000)


def test_long_keys_that_differ_at_their_end_are_two_payouts_and_both_are_paid(rich_bob: Any, proven: Any) -> None:
    first, second = (ask(rich_bob, 1_000, key="k" * 127 + end) for end in "ab")
    assert first.pk != second.pk
    clock.advance(DAY)
    tasks.poll_unsettled()
    assert [p.state for p in Payout.objects.order_by("id")] == ["paid", "paid"]
    assert available_and_transit(rich_bob) == (7_000, 0)
    proven()


def test_finance_staff_do_not_let_their_own_payout_go(rich_bob: Any) -> None:
    payout = ask(rich_bob)
    rich_bob.is_staff = rich_bob.is_superuser = True
    rich_bob.save()
    with pytest.raises(NotAllowed, match="payout_own"):
        services.payout_allow(actor=rich_bob, payout_id=payout.pk, reason="it is me")
    payout.refresh_from_db()
    assert (payout.state, available_and_transit(rich_bob)) == ("held", (4_000, 5_000))


def test_two_payees_may_choose_the_same_key(alice: Any, rich_bob: Any, charlie: Any, earn: Any) -> None:
    earn(alice, charlie, 8, USD(10_000))

    assert ask(rich_bob).pk != ask(charlie).pk


def test_staff_may_let_a_held_payout_go_or_refuse_it(rich_bob: Any, sam: Any, proven: Any) -> None:
    sam.is_superuser = True
    sam.save()
    first, second = ask(rich_bob), ask(rich_bob, 1_000, key="second")

    assert services.payout_allow(actor=sam, payout_id=first.pk, reason="known").state == "requested"
    assert services.payout_refuse(actor=sam, payout_id=second.pk, reason="stolen").state == "failed"
    assert services.payout_send(payout_id=first.pk).state == "paid"

    with pytest.raises(Conflict):
        services.payout_refuse(actor=sam, payout_id=first.pk, reason="too late")
    assert available_and_transit(rich_bob) == (4_000, 0)
    proven()


def test_nobody_else_decides_about_a_held_payout(rich_bob: Any, charlie: Any, sam: Any) -> None:
    payout = ask(rich_bob)

    for actor in (rich_bob, charlie, sam):
        with pytest.raises(NotAllowed):
            services.payout_allow(actor=actor, payout_id=payout.pk, reason="please")
        with pytest.raises(NotAllowed):
            services.payout_refuse(actor=actor, payout_id=payout.pk, reason="please")

    payout.refresh_from_db()
    assert payout.state == "held"


@pytest.fixture
def verdict() -> Any:
    """verdict(…) registers what the fraud port answers, until the test ends."""
    answers: dict[str, ports.FraudDecision] = {}
    ports.fraud_decision.register("test", lambda **question: answers.get(question["act"]))
    yield lambda act, decision: answers.update({act: decision})
    del ports.fraud_decision._providers["test"]


def test_a_risky_payout_waits_for_staff(rich_bob: Any, verdict: Any) -> None:
    verdict("payout", ports.FraudDecision("hold", ("new_device",)))

    payout = ask(rich_bob)
    clock.advance(100 * DAY)
    tasks.poll_unsettled()

    payout.refresh_from_db()
    assert (payout.state, payout.hold_reason, payout.held_until) == ("held", "new_device", None)


def test_a_blocked_payout_or_payment_leaves_nothing_behind(rich_bob: Any, verdict: Any, pay: Any) -> None:
    verdict("payout", ports.FraudDecision("block"))
    verdict("payment", ports.FraudDecision("block"))

    with pytest.raises(NotAllowed, match="payout_blocked"):
        ask(rich_bob)
    with pytest.raises(NotAllowed, match="payment_blocked"):
        pay(rich_bob, USD(1))


def test_a_payout_of_a_suspended_person_waits_and_nobody_is_told_that_it_is_sent(rich_bob: Any, staff: Any, proven: Any) -> None:
    payout, admin = ask(rich_bob), staff("admin")
    user_suspend(actor=admin, user_id=rich_bob.pk, reason="r")
    clock.advance(DAY)
    for _ in range(2):
        assert services.payout_send(payout_id=payout.pk).state == "held"
    assert not Event.objects.filter(kind="payout.clear").exists()
    assert not SandboxObject.objects.filter(kind="payout").exists()

    user_restore(actor=admin, user_id=rich_bob.pk, reason="r")

    assert services.payout_send(payout_id=payout.pk).state == "paid"
    proven()
