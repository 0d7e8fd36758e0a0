"""Days at a simulated Stripe, judged by Stripe's own document: payments with fees, refunds, payouts, disputes against our clearing account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import services
from marketplace.payments.models import Account, Chargeback, Difference, Payment, Payout, ProviderLine, ReconciliationRun
from marketplace.payments.providers.stripe import Credentials, Stripe
from marketplace.payments.reconciliation import runs
from tests.webapp.payments.places import connected

from .conftest import PATH_TOKEN
from .stripe_world import SECRET_KEY, WEBHOOK_SECRET, StripeWorld

pytestmark = [pytest.mark.django_db]
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


@pytest.fixture(autouse=True)
def at_noon(settings: Any, stripe_credentials: Credentials, time_machine: Any) -> Any:
    given = {"secret_key": SECRET_KEY, "webhook_secrets": WEBHOOK_SECRET, "path_token": PATH_TOKEN, "api": stripe_credentials.api}
    settings.PAYMENT_CREDENTIALS = {"stripe": given}
    time_machine.move_to(NOON, tick=False)
    return time_machine


def pay(user: Any, minor: int, key: str = "k") -> Payment:
    values = {"purpose": "wallet", "purpose_id": None, "method": {"payment_method": "pm_card_visa"}, "provider": "stripe"}
    return services.payment_start(actor_id=user.pk, amount=usd(minor), idempotency_key=key, **values)


def compared(at_noon: Any) -> ReconciliationRun:
    at_noon.move_to(NOON + timedelta(days=2), tick=False)
    return services.reconcile(provider="stripe", day=(NOON + timedelta(days=1)).date())


def test_payments_refunds_payouts_and_disputes_agree_with_their_fees(
    alice: Any, bob: Any, stripe: Stripe, stripe_world: StripeWorld, at_noon: Any
) -> None:
    first, second = pay(alice, 100_000), pay(alice, 20_000, "second")
    refund = services.payment_refund_request(actor=alice, payment_id=first.pk, amount=usd(5_000), idempotency_key="r")
    services.payment_refund_refresh(refund_id=refund.pk)
    dispute = stripe_world.dispute(str(second.provider_ref))
    services.chargeback_refresh(provider="stripe", ref=dispute["id"])
    run = compared(at_noon)
    total = run.totals.get()
    assert (total.provider_minor, total.ledger_minor, total.matched, total.differences, total.unexplained_minor) == (
        *(100_000 + 20_000 - 5_000 - 20_000 - 1_500 - (2_930 + 610),) * 2,
        4,
        0,
        0,
    )
    about = set(ProviderLine.objects.values_list("kind", "subject_type", "subject_id"))
    chargeback = Chargeback.objects.get()
    assert about == {
        ("payment", "payment", first.pk),
        ("payment", "payment", second.pk),
        ("refund", "payment_refund", refund.pk),
        ("dispute", "chargeback", chargeback.pk),
    }
    assert Difference.objects.count() == 0


def test_a_transfer_is_in_flight_until_the_bank_has_answered_and_agrees_then(
    alice: Any, bob: Any, stripe: Stripe, stripe_world: StripeWorld, at_noon: Any
) -> None:
    pay(alice, 100_000)
    account = stripe.onboard_payee(
        key="payee:1:x", country="DE", email="b@example.org", return_url="https://a.example", refresh_url="https://a.example"
    ).ref
    stripe_world.onboarded(account)
    held = {"contract_id": 1, "milestone_id": 1}
    run_in_transaction(lambda: services.hold(**held, payer_id=alice.pk, amount=usd(50_000), actor_id=alice.pk, rule="r"))
    more = {"gross": usd(50_000), "payee_currency": "USD", "fee_schedule": "standard-1", "actor_id": None, "rule": "r"}
    run_in_transaction(lambda: services.release(**held, payee_id=bob.pk, **more))
    run_in_transaction(lambda: services.clear(**held, payee_id=bob.pk))
    connected(bob, account)
    payout = services.payout_request(actor=bob, amount=usd(40_000), method={"account": account}, idempotency_key="p", provider="stripe")
    Payout.objects.filter(pk=payout.pk).update(held_until=NOON)
    services.payout_send(payout_id=payout.pk)
    assert Payout.objects.get(pk=payout.pk).state == "sent"
    total = compared(at_noon).totals.get()
    assert (total.in_flight, total.in_flight_minor, total.differences, total.unexplained_minor) == (1, -40_000, 0, 0)
    sent = next(o for o in stripe_world.of("payout"))
    stripe_world.arrive(sent["id"])
    services.payout_refresh(payout_id=payout.pk)
    at_noon.shift(timedelta(days=2))
    total = services.reconcile(provider="stripe", day=(NOON + timedelta(days=3)).date()).totals.get()
    assert (total.in_flight, total.differences, total.unexplained_minor) == (0, 0, 0)
    assert total.provider_minor == total.ledger_minor


def test_what_stripe_takes_for_itself_is_missing_with_us(alice: Any, stripe_world: StripeWorld, at_noon: Any) -> None:
    pay(alice, 10_000)
    stripe_world.moved("stripe_fee", -250, "usd", None)
    stripe_world.moved("payout", -5_000, "usd", "po_own")
    compared(at_noon)
    assert sorted(Difference.objects.values_list("kind", "effect_minor")) == [("missing_with_us", -5_000), ("missing_with_us", -250)]


def test_a_fee_that_grew_and_a_refund_that_nobody_here_asked_for(alice: Any, stripe_world: StripeWorld, at_noon: Any) -> None:
    payment = pay(alice, 10_000)
    charge = next(m for m in stripe_world.of("balance_transaction") if m["type"] == "charge")
    charge |= {"fee": charge["fee"] + 11, "net": charge["net"] - 11}
    stripe_world.moved("refund", -300, "usd", "re_by_hand")
    compared(at_noon)
    found = {d.item: (d.kind, d.effect_minor) for d in Difference.objects.all()}
    line = ProviderLine.objects.get(kind="refund")
    assert found == {f"payment:{payment.pk}": ("fee_differs", -11), f"line:{line.line_ref}": ("missing_with_us", -300)}


@pytest.mark.parametrize("fault", ["refused", "error_before", "garbage"])
def test_a_stripe_that_does_not_answer_leaves_the_day_to_be_compared_again(
    fault: Any, alice: Any, stripe_world: StripeWorld, at_noon: Any
) -> None:
    pay(alice, 10_000)
    stripe_world.fail(fault, on="GET /v1/balance_transactions")
    run = compared(at_noon)
    assert (run.state, run.totals.count(), Difference.objects.count()) == ("unread", 0, 0)
    run = compared(at_noon)
    assert (run.state, run.totals.get().differences) == ("finished", 0)
    assert Account.objects.filter(kind="suspense").count() == 0
    assert runs.end_of(run.day) == datetime(2026, 11, 4, tzinfo=UTC)
