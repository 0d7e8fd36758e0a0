"""Payouts at a gateway that come back, are claimed by nobody, or are told of late, and chargebacks after the payee was paid out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache

from marketplace.core import clock
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import oversight, selectors, services, tasks
from marketplace.payments.chargebacks import owed
from marketplace.payments.models import Chargeback, Entry, Payment, Payout
from tests.webapp.payments.places import connected

from .paypal_world import PayPalWorld
from .steps import proven, spend, start, tell_all, wallet_of
from .stripe_world import StripeWorld

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stripe_chosen")]


def connected_payout(world: StripeWorld, payer: Any, payee: Any, minor: int) -> Payout:
    """A payout that Stripe took, on its way to the payee's bank."""
    start(payer, key="work")
    spend(payer, payee, minor)
    run_in_transaction(lambda: services.clear(contract_id=1, milestone_id=7, payee_id=payee.pk))
    world.objects["acct_1"] = {"id": "acct_1", "object": "account"}
    available = selectors.balances_of(payee.pk)[0].available
    method = {"account": "acct_1"}
    connected(payee, "acct_1")
    made = services.payout_request(actor=payee, amount=available, method=method, idempotency_key="p", provider="stripe")
    Payout.objects.filter(pk=made.pk).update(held_until=clock.now())
    services.payout_send(payout_id=made.pk)
    made.refresh_from_db()
    assert made.state == "sent"
    return made


def test_a_paid_payout_that_the_bank_sends_back_is_heard_of_without_any_news(
    settings: Any, alice: Any, bob: Any, stripe_world: StripeWorld
) -> None:
    settings.PAYOUT_LEAST_USD_MINOR = 1
    made = connected_payout(stripe_world, alice, bob, 1000)
    ref = str(made.provider_ref).split("/")[1]
    stripe_world.arrive(ref)
    tasks.poll_unsettled()
    made.refresh_from_db()
    assert made.state == "paid" and made.settled_at is not None
    asked = len(stripe_world.sent(f"GET /v1/payouts/{ref}"))
    stripe_world.arrive(ref, "failed")
    every = timedelta(hours=settings.PAYOUT_PAID_ASKED_HOURS)
    clock.advance(int(every.total_seconds()) - 5)
    tasks.poll_unsettled()
    assert len(stripe_world.sent(f"GET /v1/payouts/{ref}")) == asked
    clock.advance(10)

    tasks.poll_unsettled()

    made.refresh_from_db()
    assert (made.state, selectors.balances_of(bob.pk)[0].available.minor) == ("failed", made.amount_minor)
    proven()


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_chargeback_after_the_payee_was_paid_out_is_the_payers_debt_alone(
    settings: Any, alice: Any, bob: Any, stripe_world: StripeWorld, outcome: str
) -> None:
    settings.PAYOUT_LEAST_USD_MINOR = 1
    payout = connected_payout(stripe_world, alice, bob, 1000)
    stripe_world.arrive(str(payout.provider_ref).split("/")[1])
    tasks.poll_unsettled()
    payment = Payment.objects.get()
    made = stripe_world.dispute(str(payment.provider_ref))
    tell_all(stripe_world, "dispute.created")
    payment.refresh_from_db()
    assert (payment.state, owed(alice.pk, "USD")) == ("charged_back", 1000)
    stripe_world.decide(made["id"], outcome)

    tell_all(stripe_world, "dispute")

    payout.refresh_from_db()
    row = Chargeback.objects.get()
    assert (payout.state, owed(bob.pk, "USD"), sum(b.available.minor for b in selectors.balances_of(bob.pk))) == ("paid", 0, 0)
    assert (row.state, owed(alice.pk, "USD"), wallet_of(alice)) == ((outcome, 0, 0) if outcome == "won" else (outcome, 1000, 0))
    fee = Entry.objects.get(kind="provider_fee", subject_type="chargeback").postings.get()
    assert (fee.amount, fee.debit_account.kind) == (1500, "provider_fees"), "the gateway keeps it, won or lost"
    proven()


def test_a_payout_that_nobody_claims_waits_and_comes_back_to_the_payee(
    settings: Any, alice: Any, bob: Any, stripe_world: StripeWorld, paypal_world: PayPalWorld, paypal_credentials: Any
) -> None:
    settings.PAYOUT_LEAST_USD_MINOR = 1
    given = {name: getattr(paypal_credentials, name) for name in ("client_id", "client_secret", "webhook_id", "path_token", "api")}
    settings.PAYMENT_CREDENTIALS = {**settings.PAYMENT_CREDENTIALS, "paypal": given}
    start(alice, key="work")
    spend(alice, bob, 1000)
    run_in_transaction(lambda: services.clear(contract_id=1, milestone_id=7, payee_id=bob.pk))
    available = selectors.balances_of(bob.pk)[0].available
    method = {"email": "bob@example.com"}
    made = services.payout_request(actor=bob, amount=available, method=method, idempotency_key="p", provider="paypal")
    Payout.objects.filter(pk=made.pk).update(held_until=clock.now())
    services.payout_send(payout_id=made.pk)
    made.refresh_from_db()
    paypal_world.arrive(str(made.provider_ref), "UNCLAIMED")
    services.payout_refresh(payout_id=made.pk)
    made.refresh_from_db()
    assert (made.state, selectors.balances_of(bob.pk)[0].in_transit) == ("sent", available)
    paypal_world.arrive(str(made.provider_ref), "RETURNED")

    for _ in range(2):
        services.payout_refresh(payout_id=made.pk)

    made.refresh_from_db()
    assert (made.state, selectors.balances_of(bob.pk)[0].available) == ("failed", available)
    assert Entry.objects.filter(kind="payout_fail").count() == 1
    proven()


def test_a_paid_payout_is_asked_about_rarely_and_not_for_ever(settings: Any, alice: Any, bob: Any, stripe_world: StripeWorld) -> None:
    settings.PAYOUT_LEAST_USD_MINOR = 1
    made = connected_payout(stripe_world, alice, bob, 1000)
    ref = str(made.provider_ref).split("/")[1]
    stripe_world.arrive(ref)
    tasks.poll_unsettled()

    def asked(after: timedelta) -> int:
        cache.delete(f"payments:poll:payouts_paid:{made.pk}")
        Payout.objects.filter(pk=made.pk).update(settled_at=clock.now() - after)
        before = len(stripe_world.sent(f"GET /v1/payouts/{ref}"))
        tasks.poll_unsettled()
        tasks.poll_unsettled()
        return len(stripe_world.sent(f"GET /v1/payouts/{ref}")) - before

    days = timedelta(days=settings.PAYOUT_RETURN_DAYS)
    assert [asked(days - timedelta(minutes=1)), asked(days)] == [1, 0]


def test_a_payout_that_failed_here_and_was_paid_there_is_shown_to_staff(
    settings: Any, alice: Any, bob: Any, stripe_world: StripeWorld
) -> None:
    settings.PAYOUT_LEAST_USD_MINOR = 1
    made = connected_payout(stripe_world, alice, bob, 1000)
    ref = str(made.provider_ref).split("/")[1]
    stripe_world.arrive(ref, "failed")
    tasks.poll_unsettled()
    made.refresh_from_db()
    assert made.state == "failed"
    stripe_world.arrive(ref)

    assert tell_all(stripe_world, "payout.paid") == [True]

    made.refresh_from_db()
    assert (made.state, made.failure_code) == ("failed", "paid_after_all")
    assert selectors.balances_of(bob.pk)[0].available.minor == made.amount_minor
    assert list(oversight.unknown_payouts(Payout.objects.all(), clock.now())) == [made]
    proven()
