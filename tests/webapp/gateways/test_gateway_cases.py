"""What may go wrong between us and a gateway, through our own services and a simulated provider: order, repetition, loss, refunds that come
back, disputes after the money went on, and an endpoint that was deaf for three days. Payouts: test_payout_cases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from marketplace.core import clock
from marketplace.core.errors import Conflict, IdempotencyConflict, InvalidInput
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import oversight, providers, refunds, services, tasks
from marketplace.payments.chargebacks import owed
from marketplace.payments.models import Chargeback, Entry, GatewayPoll, Payment, WebhookEvent
from marketplace.payments.providers.stripe import Stripe, made_of
from marketplace.payments.providers.units import MPESA, PAYPAL, STRIPE, STRIPE_PAYOUT

from .paypal_world import PayPalWorld
from .steps import TEN, ask_back, in_transit, proven, spend, start, tell, tell_all, wallet_of
from .stripe_world import StripeWorld

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stripe_chosen")]


def test_a_payment_is_deposited_and_the_gateways_fee_is_our_expense(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice)

    assert (payment.state, wallet_of(alice)) == ("succeeded", 1000)
    fee = Entry.objects.get(kind="provider_fee").postings.get()
    assert (fee.amount, fee.debit_account.kind, fee.credit_account.key) == (59, "provider_fees", "clearing:stripe:USD")
    proven()


def test_the_same_event_many_times_and_out_of_order_is_one_deposit(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice, "element")
    assert payment.action["kind"] == "stripe"
    stripe_world.pay(str(payment.provider_ref))
    stripe_world.event("payment_intent.processing", stripe_world.objects[str(payment.provider_ref)])

    for event in [*reversed(stripe_world.events), *stripe_world.events]:
        assert services.webhook_handle(webhook_id=tell(event).pk)

    payment.refresh_from_db()
    assert (payment.state, payment.action, wallet_of(alice)) == ("succeeded", {}, 1000)
    assert WebhookEvent.objects.count() == len(stripe_world.events)


def test_news_before_our_own_answer_find_the_payment_by_our_name_of_it(alice: Any, stripe_world: StripeWorld) -> None:
    stripe_world.fail("lost", "POST /v1/payment_intents$")
    payment = start(alice)
    assert (payment.state, payment.provider_ref) == ("created", None)

    assert tell_all(stripe_world) == [True]

    payment.refresh_from_db()
    assert (payment.state, wallet_of(alice)) == ("succeeded", 1000)
    assert len(stripe_world.sent("POST /v1/payment_intents$")) == 1


def test_our_name_in_somebody_elses_event_moves_nothing(alice: Any, stripe_world: StripeWorld) -> None:
    stripe_world.fail("refused", "POST /v1/payment_intents$")
    payment = start(alice)
    foreign = stripe_world.new("payment_intent", "pi", amount=1000, currency="usd", status="succeeded", amount_received=1000)
    foreign["metadata"] = {"openlance": f"payment-{payment.pk}-{'0' * 16}"}
    event = tell(stripe_world.event("payment_intent.succeeded", foreign))

    assert services.webhook_handle(webhook_id=event.pk) is False

    payment.refresh_from_db()
    assert (payment.state, payment.provider_ref, wallet_of(alice)) == ("created", None, 0)


def test_an_event_about_nothing_of_ours_is_kept_and_left_alone_after_a_week(alice: Any, stripe_world: StripeWorld) -> None:
    event = tell(stripe_world.event("payment_intent.succeeded", {"id": "pi_none", "object": "payment_intent"}))
    clock.advance(60)
    assert tasks.poll_unsettled() == 1
    clock.advance(7 * 24 * 3600)

    assert tasks.poll_unsettled() == 0

    event.refresh_from_db()
    assert (event.handled_at, event.last_error) == (None, "object_unknown")


def test_part_of_a_reserved_amount_is_deposited_and_no_more(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice, capture="manual")
    assert (payment.state, wallet_of(alice)) == ("pending", 0)
    with pytest.raises(InvalidInput):
        services.payment_capture(payment_id=payment.pk, amount=Money(1001, "USD"))
    stripe_world.fail("lost", "capture$")

    services.payment_capture(payment_id=payment.pk, amount=Money(600, "USD"))
    tell_all(stripe_world)

    payment.refresh_from_db()
    assert (payment.state, payment.received, wallet_of(alice)) == ("succeeded", 600, 600)
    proven()


def test_a_reservation_that_ran_out_is_cancelled(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice, capture="manual")
    stripe_world.expire(str(payment.provider_ref))

    assert services.payment_capture(payment_id=payment.pk, amount=TEN).state == "cancelled"

    payment.refresh_from_db()
    assert (payment.failure_code, wallet_of(alice)) == ("authorization_expired", 0)


def test_another_amount_taken_at_the_gateway_is_never_deposited(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice, "element")
    stripe_world.objects[str(payment.provider_ref)]["amount"] = 999
    stripe_world.pay(str(payment.provider_ref))

    tell_all(stripe_world)

    payment.refresh_from_db()
    assert (payment.state, payment.failure_code, wallet_of(alice)) == ("pending", "amount_differs", 0)


def test_another_currency_at_the_gateway_is_never_deposited(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice, "element")
    stripe_world.objects[str(payment.provider_ref)]["currency"] = "eur"
    stripe_world.pay(str(payment.provider_ref))

    tell_all(stripe_world)

    payment.refresh_from_db()
    assert (payment.failure_code, wallet_of(alice)) == ("amount_differs", 0)


def test_a_payment_that_nobody_confirms_is_given_up(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice, "element")
    clock.advance(72 * 3600 + 1)

    tasks.poll_unsettled()

    payment.refresh_from_db()
    assert payment.state == "cancelled"
    assert stripe_world.objects[str(payment.provider_ref)]["status"] == "canceled"


def test_a_payment_that_succeeded_before_it_could_be_cancelled_has_succeeded(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice, "element")
    stripe_world.pay(str(payment.provider_ref))

    assert services.payment_cancel(payment_id=payment.pk).state == "succeeded"
    assert wallet_of(alice) == 1000


def test_refunds_leave_the_wallet_at_once_and_never_exceed_the_payment(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice)
    first = ask_back(alice, payment, 400)
    assert ask_back(alice, payment, 400).pk == first.pk
    assert (wallet_of(alice), in_transit(alice)) == (600, 400)
    with pytest.raises(IdempotencyConflict):
        ask_back(alice, payment, 401)
    with pytest.raises(Conflict, match="over_refund"):
        ask_back(alice, payment, 601, "s")

    tasks.poll_unsettled()
    payment.refresh_from_db()
    assert (payment.state, in_transit(alice)) == ("partially_refunded", 0)
    ask_back(alice, payment, 600, "s")
    tasks.poll_unsettled()

    payment.refresh_from_db()
    assert (payment.state, wallet_of(alice)) == ("refunded", 0)
    assert len(stripe_world.of("refund")) == 2
    proven()


@pytest.mark.parametrize("fault", ["lost", "error_after", "error_before", "refused"])
def test_a_refund_interrupted_is_made_once(alice: Any, stripe_world: StripeWorld, fault: Any) -> None:
    payment = start(alice)
    ask_back(alice, payment, 400)
    stripe_world.fail(fault, "POST /v1/refunds")

    for _ in range(3):
        tasks.poll_unsettled()

    payment.refresh_from_db()
    assert (payment.state, wallet_of(alice), in_transit(alice)) == ("partially_refunded", 600, 0)
    assert len(stripe_world.of("refund")) == 1
    proven()


@pytest.mark.parametrize("later", [False, True])
def test_a_refund_that_the_bank_returns_is_in_the_wallet_again(alice: Any, stripe_world: StripeWorld, later: bool) -> None:
    payment = start(alice)
    stripe_world.refund_status = "succeeded" if later else "pending"
    refund = ask_back(alice, payment, 1000)
    tasks.poll_unsettled()
    payment.refresh_from_db()
    assert payment.state == ("refunded" if later else "succeeded")
    stripe_world.refund_fails(stripe_world.of("refund")[0]["id"])

    tell_all(stripe_world, "refund.failed")
    tell_all(stripe_world, "refund.failed")

    payment.refresh_from_db()
    refund.refresh_from_db()
    assert (payment.state, refund.state, wallet_of(alice), in_transit(alice)) == ("succeeded", "failed", 1000, 0)
    proven()


def test_what_was_released_cannot_be_sent_back(alice: Any, bob: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice)
    spend(alice, bob, 1000)

    with pytest.raises(Conflict, match="insufficient_funds"):
        run_in_transaction(lambda: ask_back(alice, payment, 1))


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_chargeback_after_the_money_went_on_is_owed_until_it_is_won(
    alice: Any, bob: Any, stripe_world: StripeWorld, outcome: str
) -> None:
    payment = start(alice)
    spend(alice, bob, 700)
    made = stripe_world.dispute(str(payment.provider_ref))
    tell_all(stripe_world, "dispute.created")
    payment.refresh_from_db()
    row = Chargeback.objects.get()
    assert (payment.state, row.state, row.owed_minor, wallet_of(alice), owed(alice.pk, "USD")) == ("charged_back", "open", 700, 0, 700)
    assert (row.fee_minor, row.fee_currency) == (1500, "USD")
    stripe_world.decide(made["id"], outcome)

    tell_all(stripe_world, "dispute")
    tell_all(stripe_world, "dispute")

    payment.refresh_from_db()
    row.refresh_from_db()
    won = outcome == "won"
    assert (payment.state, row.state) == ("succeeded" if won else "charged_back", outcome)
    assert (wallet_of(alice), owed(alice.pk, "USD")) == ((300, 0) if won else (0, 700))
    assert Entry.objects.filter(kind="provider_fee", subject_type="chargeback").count() == 1
    proven()


def test_a_dispute_that_we_hear_of_only_when_it_is_lost(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice)
    made = stripe_world.dispute(str(payment.provider_ref), 600)
    stripe_world.decide(made["id"], "lost")

    tell_all(stripe_world, "dispute.closed")
    tell_all(stripe_world, "dispute.created")

    assert (Chargeback.objects.get().state, wallet_of(alice)) == ("lost", 400)
    proven()


def test_an_inquiry_that_becomes_a_dispute_takes_what_the_bank_says_by_then(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice)
    made = stripe_world.dispute(str(payment.provider_ref), 600)
    made["status"] = "warning_needs_response"
    tell_all(stripe_world, "dispute")
    row = Chargeback.objects.get()
    assert (row.state, row.amount_minor, wallet_of(alice)) == ("inquiry", 600, 1000)

    made |= {"status": "needs_response", "amount": 900}
    services.chargeback_refresh(provider="stripe", ref=made["id"])

    row.refresh_from_db()
    assert (row.state, row.amount_minor, wallet_of(alice)) == ("open", 900, 100)
    proven()


@pytest.mark.parametrize("spent", [0, 300, 700])
def test_a_dispute_that_is_lost_for_less_gives_the_rest_back(alice: Any, bob: Any, stripe_world: StripeWorld, spent: int) -> None:
    payment = start(alice)
    if spent:
        spend(alice, bob, spent)
    made = stripe_world.dispute(str(payment.provider_ref))
    tell_all(stripe_world, "dispute")
    assert (wallet_of(alice), owed(alice.pk, "USD")) == (0, spent)
    made["amount"] = 400
    stripe_world.decide(made["id"], "lost")

    tell_all(stripe_world, "dispute")
    tell_all(stripe_world, "dispute")

    row = Chargeback.objects.get()
    assert (row.state, row.amount_minor) == ("lost", 400)
    assert (wallet_of(alice), owed(alice.pk, "USD")) == (max(0, 600 - spent), max(0, spent - 600))
    assert row.owed_minor == owed(alice.pk, "USD")
    proven()


def test_a_dispute_that_grows_is_flagged_and_takes_no_more(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice)
    made = stripe_world.dispute(str(payment.provider_ref), 600)
    tell_all(stripe_world, "dispute")
    assert not oversight.unknown_chargebacks(Chargeback.objects.all()).exists()

    for theirs in (1000, 1001):
        made["amount"] = theirs
        services.chargeback_refresh(provider="stripe", ref=made["id"])
        (row,) = oversight.unknown_chargebacks(Chargeback.objects.all())
        assert (row.amount_minor, row.told_minor, wallet_of(alice)) == (600, theirs, 400)

    made["amount"] = 600
    services.chargeback_refresh(provider="stripe", ref=made["id"])
    assert not oversight.unknown_chargebacks(Chargeback.objects.all()).exists()
    proven()


def test_a_fee_that_the_gateway_tells_later_is_posted_once(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice, "element")
    intent = stripe_world.objects[str(payment.provider_ref)]
    stripe_world.pay(intent["id"])
    charge, intent["latest_charge"] = intent["latest_charge"], None
    services.payment_refresh(payment_id=payment.pk)
    payment.refresh_from_db()
    assert (payment.state, Entry.objects.filter(kind="provider_fee").count()) == ("succeeded", 0)

    intent["latest_charge"] = charge
    clock.advance(60)
    tasks.poll_unsettled()
    tasks.poll_unsettled()

    fee = Entry.objects.get(kind="provider_fee")
    assert (fee.postings.get().amount, fee.subject_id) == (59, payment.pk)
    services.payment_refresh(payment_id=payment.pk)
    assert Entry.objects.filter(kind="provider_fee").count() == 1
    proven()


def test_a_dispute_after_a_refund_takes_what_is_there(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice)
    ask_back(alice, payment, 1000)
    tasks.poll_unsettled()
    stripe_world.dispute(str(payment.provider_ref))

    tell_all(stripe_world, "dispute.created")

    payment.refresh_from_db()
    assert (payment.state, owed(alice.pk, "USD")) == ("charged_back", 1000)
    with pytest.raises(Conflict, match="refund_impossible"):
        ask_back(alice, payment, 1, "s")
    proven()


def test_three_days_without_a_single_webhook_lose_nothing(alice: Any, bob: Any, stripe_world: StripeWorld) -> None:
    assert tasks.poll_events() == 0
    waiting, paid, refunded = start(alice, "element", "1"), start(alice, key="2"), start(bob, key="3")
    ask_back(bob, refunded, 1000)
    tasks.poll_unsettled()
    WebhookEvent.objects.all().delete()
    stripe_world.pay(str(waiting.provider_ref))
    stripe_world.refund_fails(stripe_world.of("refund")[0]["id"])
    stripe_world.dispute(str(paid.provider_ref))
    clock.advance(3 * 24 * 3600)

    assert tasks.poll_events() == len(stripe_world.events)
    clock.advance(60)
    tasks.poll_unsettled()
    assert tasks.poll_events() == 0

    assert not WebhookEvent.objects.filter(handled_at=None).exists()
    assert (wallet_of(alice), wallet_of(bob)) == (1000, 1000)
    assert Payment.objects.get(pk=paid.pk).state == "charged_back"
    proven()


def test_a_gateway_that_does_not_answer_does_not_move_the_mark(alice: Any, stripe_world: StripeWorld) -> None:
    tasks.poll_events()
    start(alice)
    stripe_world.fail("refused", "GET /v1/events")
    clock.advance(3600)

    assert tasks.poll_events() == 0
    assert tasks.poll_events() == len(stripe_world.events)


def test_an_event_that_cannot_be_read_hides_none_that_follow(alice: Any, stripe_world: StripeWorld) -> None:
    tasks.poll_events()
    stripe_world.event("payment_intent.succeeded", {"id": "pi_of_the_other_mode", "object": "payment_intent"}, livemode=True)
    start(alice)
    stripe_world.event("charge.refunded", {"id": "ch_of_a_payee", "object": "charge"}, account="acct_other")

    assert tasks.poll_events() == 1
    assert tasks.poll_events() == 0

    assert WebhookEvent.objects.get().kind == "payment_intent.succeeded"


def test_a_gateway_whose_list_is_odd_does_not_hide_the_lists_of_others(
    settings: Any, alice: Any, stripe_world: StripeWorld, paypal_world: PayPalWorld, paypal_credentials: Any
) -> None:
    own = paypal_credentials
    paypal = {
        "client_id": own.client_id,
        "client_secret": own.client_secret,
        "webhook_id": own.webhook_id,
        "path_token": "p",
        "api": own.api,
    }
    settings.PAYMENT_CREDENTIALS = {**settings.PAYMENT_CREDENTIALS, "paypal": paypal}
    assert tasks.poll_events() == 0
    mark = GatewayPoll.objects.get(provider="paypal").read_until
    start(alice)
    paypal_world.pages = {"events": [], "links": [{"rel": "next"}]}
    clock.advance(60)

    assert tasks.poll_events() == 1

    assert GatewayPoll.objects.get(provider="paypal").read_until == mark
    paypal_world.breaches.clear()  # that page is meant to break PayPal's document


def test_without_credentials_a_gateway_is_not_there(settings: Any, alice: Any) -> None:
    settings.PAYMENT_CREDENTIALS = {}

    assert list(providers.gateways()) == ["sandbox"]
    with pytest.raises(InvalidInput, match="provider_unknown"):
        start(alice)


@pytest.mark.parametrize("missing", ["secret_key", "webhook_secrets", "path_token"])
def test_half_of_the_credentials_are_none(missing: str) -> None:
    given = {"secret_key": "sk_test_x", "webhook_secrets": "whsec_x", "path_token": "p"}

    assert isinstance(made_of(given), Stripe)
    assert made_of({k: v for k, v in given.items() if k != missing}) is None


def test_who_sees_which_gateway(settings: Any) -> None:
    mpesa = ("consumer_key", "consumer_secret", "short_code", "passkey", "callback_secret", "callback")
    settings.PAYMENT_CREDENTIALS |= {
        "paypal": dict.fromkeys(("client_id", "client_secret", "webhook_id", "path_token"), "x"),
        "mpesa": dict.fromkeys(mpesa, "x"),
    }
    settings.PAYMENT_PROVIDERS = ["stripe", "paypal", "mpesa"]

    def seen(country: str, currency: str, purpose: Any = "payment") -> list[str]:
        return providers.offered(country=country, currency=currency, purpose=purpose)

    assert seen("DE", "EUR") == ["paypal", "stripe"]
    assert seen("KE", "KES") == ["mpesa", "stripe"]
    assert seen("DE", "KES") == ["stripe"]
    assert seen("", "KWD") == ["stripe"]
    assert seen("KE", "USD", "payout") == ["paypal"]
    assert seen("KE", "KES", "payout") == []  # no initiator: M-Pesa pays in only
    assert seen("US", "IRR") == []


@pytest.mark.parametrize(
    ("units", "amount", "out"),
    [
        (STRIPE, Money(1250, "USD"), 1250),
        (STRIPE, Money(500, "JPY"), 500),
        (STRIPE, Money(12_340, "KWD"), 12_340),
        (STRIPE, Money(12_341, "KWD"), None),
        (STRIPE, Money(500, "ISK"), 50_000),
        (STRIPE, Money(500, "UGX"), 50_000),
        (STRIPE, Money(12_345, "HUF"), 12_345),
        (STRIPE_PAYOUT, Money(12_345, "HUF"), None),
        (STRIPE_PAYOUT, Money(12_300, "HUF"), 12_300),
        (PAYPAL, Money(12_300, "HUF"), 123),
        (PAYPAL, Money(12_345, "HUF"), None),
        (PAYPAL, Money(12_345, "TWD"), None),
        (PAYPAL, Money(500, "JPY"), 500),
        (MPESA, Money(150_000, "KES"), 1500),
        (MPESA, Money(150_050, "KES"), None),
    ],
)
def test_each_gateway_counts_in_its_own_units(units: Any, amount: Money, out: int | None) -> None:
    if out is None:
        with pytest.raises(InvalidInput, match="amount_too_fine"):
            units.out(amount)
    else:
        assert units.out(amount) == out
        assert units.back(out, amount.currency) == amount


def test_a_gateways_fraction_that_we_cannot_say_is_no_amount() -> None:
    with pytest.raises(ValueError, match="minor units"):
        STRIPE.back(50_050, "ISK")


def test_the_age_of_a_refund_is_never_that_of_a_first_call(alice: Any, stripe_world: StripeWorld) -> None:
    payment = start(alice)
    refund = ask_back(alice, payment, 400)
    stripe_world.fail("lost", "POST /v1/refunds")
    refunds.payment_refund_refresh(refund_id=refund.pk)
    stripe_world.keys.clear()
    clock.advance(int(timedelta(days=2).total_seconds()))

    refunds.payment_refund_refresh(refund_id=refund.pk)

    assert len(stripe_world.of("refund")) == 1
