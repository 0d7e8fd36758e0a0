"""The Stripe adapter against a simulated Stripe; each request is judged by Stripe's own document (see conftest.closed)."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.core.errors import InvalidInput, NotFound, Unavailable
from marketplace.core.money import Money
from marketplace.payments.providers.base import Accepted, Done, Fetched, Rejected, Unknown, own_ref
from marketplace.payments.providers.stripe import KEY_LIVES, Credentials, Stripe

from .conftest import PATH_TOKEN
from .stripe_world import WEBHOOK_SECRET, StripeWorld, signed

KEY = "payment:7:abc"
TEN = Money(1000, "USD")
CARD = {"payment_method": "pm_card_visa"}
YOUNG, OLD = timedelta(minutes=5), KEY_LIVES + timedelta(seconds=1)


def test_a_card_is_charged_and_the_fee_is_read(stripe: Stripe, stripe_world: StripeWorld) -> None:
    result = stripe.create_payment(key=KEY, amount=TEN, method=CARD)

    assert isinstance(result, Done)
    fetched = stripe.fetch_payment(ref=result.ref)
    assert fetched == Fetched(result.ref, "succeeded", TEN, "", TEN, Money(59, "USD"), own_ref(KEY), {})


@pytest.mark.parametrize(
    ("token", "code"),
    [("pm_card_declined", "declined"), ("pm_card_insufficient", "insufficient_funds"), ("pm_card_expired", "card_expired")],
)
def test_a_refused_card_is_rejected_in_our_words(stripe: Stripe, stripe_world: StripeWorld, token: str, code: str) -> None:
    result = stripe.create_payment(key=KEY, amount=TEN, method={"payment_method": token})

    assert isinstance(result, Rejected)
    assert result.code == code
    fetched = stripe.fetch_payment(ref=str(result.ref))
    assert fetched is not None
    assert (fetched.status, fetched.failure_code) == ("failed", code)


@pytest.mark.parametrize("method", [{"token": "element"}, {"payment_method": "pm_card_3ds"}])
def test_what_waits_for_the_payer_hands_the_browser_a_secret(stripe: Stripe, stripe_world: StripeWorld, method: dict[str, str]) -> None:
    result = stripe.create_payment(key=KEY, amount=TEN, method=method)

    assert isinstance(result, Accepted)
    assert result.action == {"kind": "stripe", "client_secret": f"{result.ref}_secret_x"}
    stripe_world.pay(result.ref)
    assert stripe.fetch_payment(ref=result.ref).status == "succeeded"  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", ["lost", "error_after", "garbage"])
def test_an_answer_lost_after_success_is_unknown_and_the_key_finds_the_payment(
    stripe: Stripe, stripe_world: StripeWorld, fault: Any
) -> None:
    stripe_world.fail(fault, "POST /v1/payment_intents")

    assert isinstance(stripe.create_payment(key=KEY, amount=TEN, method=CARD), Unknown)
    assert isinstance(stripe.create_payment(key=KEY, amount=TEN, method=CARD, age=YOUNG), Done)
    assert len(stripe_world.of("charge")) == 1


@pytest.mark.parametrize("fault", ["error_before", "refused"])
def test_a_call_that_did_nothing_is_unknown_and_done_by_the_second(stripe: Stripe, stripe_world: StripeWorld, fault: Any) -> None:
    stripe_world.fail(fault, "POST /v1/payment_intents")

    assert isinstance(stripe.create_payment(key=KEY, amount=TEN, method=CARD), Unknown)
    assert isinstance(stripe.create_payment(key=KEY, amount=TEN, method=CARD, age=YOUNG), Done)
    assert len(stripe_world.of("charge")) == 1


def test_a_key_that_keeps_answering_with_an_error_is_looked_up(stripe: Stripe, stripe_world: StripeWorld) -> None:
    stripe_world.fail("error_after", "POST /v1/payment_intents", times=2)
    stripe.create_payment(key=KEY, amount=TEN, method=CARD)

    result = stripe.create_payment(key=KEY, amount=TEN, method=CARD, age=YOUNG)

    assert isinstance(result, Done)
    assert len(stripe_world.of("charge")) == 1


def test_a_key_that_stripe_forgot_is_never_charged_again(stripe: Stripe, stripe_world: StripeWorld) -> None:
    stripe_world.fail("lost", "POST /v1/payment_intents")
    stripe.create_payment(key=KEY, amount=TEN, method=CARD)
    stripe_world.keys.clear()

    assert isinstance(stripe.create_payment(key=KEY, amount=TEN, method=CARD, age=OLD), Done)

    assert len(stripe_world.of("charge")) == 1
    assert len(stripe_world.sent("POST /v1/payment_intents$")) == 1


def test_a_key_used_for_something_else_is_nobodys_refusal(stripe: Stripe, stripe_world: StripeWorld) -> None:
    stripe.create_payment(key=KEY, amount=TEN, method=CARD)

    assert isinstance(stripe.create_payment(key=KEY, amount=Money(999, "USD"), method=CARD), Unknown)


def test_a_wrong_key_of_ours_refuses_nobody(stripe_credentials: Credentials) -> None:
    wrong = Stripe(replace(stripe_credentials, secret_key="sk_test_wrong"))

    assert isinstance(wrong.create_payment(key=KEY, amount=TEN, method=CARD), Unknown)
    with pytest.raises(Unavailable):
        wrong.fetch_payment(ref="pi_1")


def test_part_of_a_reserved_amount_is_captured(stripe: Stripe, stripe_world: StripeWorld) -> None:
    made = stripe.create_payment(key=KEY, amount=TEN, method=CARD, capture="manual")
    assert isinstance(made, Accepted)
    assert stripe.fetch_payment(ref=made.ref).status == "authorized"  # type: ignore[union-attr]

    assert stripe.capture(key=f"{KEY}:capture", ref=made.ref, amount=Money(600, "USD")) == Done(made.ref)

    fetched = stripe.fetch_payment(ref=made.ref)
    assert fetched is not None
    assert (fetched.amount, fetched.received) == (TEN, Money(600, "USD"))


def test_more_than_is_reserved_is_not_captured(stripe: Stripe) -> None:
    made = stripe.create_payment(key=KEY, amount=TEN, method=CARD, capture="manual")
    assert isinstance(made, Accepted)

    assert isinstance(stripe.capture(key=f"{KEY}:capture", ref=made.ref, amount=Money(1001, "USD")), Rejected)


def test_an_expired_reservation_is_cancelled_and_says_why(stripe: Stripe, stripe_world: StripeWorld) -> None:
    made = stripe.create_payment(key=KEY, amount=TEN, method=CARD, capture="manual")
    assert isinstance(made, Accepted)
    stripe_world.expire(made.ref)

    fetched = stripe.fetch_payment(ref=made.ref)

    assert fetched is not None
    assert (fetched.status, fetched.failure_code) == ("cancelled", "authorization_expired")


def test_a_payment_is_cancelled_before_it_succeeds_and_not_after(stripe: Stripe, stripe_world: StripeWorld) -> None:
    waiting = stripe.create_payment(key=KEY, amount=TEN, method={"token": "element"})
    paid = stripe.create_payment(key="payment:8:x", amount=TEN, method=CARD)
    assert isinstance(waiting, Accepted)
    assert isinstance(paid, Done)

    assert stripe.cancel(key=f"{KEY}:cancel", ref=waiting.ref) == Done(waiting.ref)
    assert isinstance(stripe.cancel(key="payment:8:x:cancel", ref=paid.ref), Rejected)
    assert stripe.fetch_payment(ref=waiting.ref).status == "cancelled"  # type: ignore[union-attr]


def test_refunds_sum_to_the_payment_and_no_further(stripe: Stripe, stripe_world: StripeWorld) -> None:
    paid = stripe.create_payment(key=KEY, amount=TEN, method=CARD)
    assert isinstance(paid, Done)

    first = stripe.refund(key="refund:1:a", payment_ref=paid.ref, amount=Money(400, "USD"))
    second = stripe.refund(key="refund:2:a", payment_ref=paid.ref, amount=Money(600, "USD"))
    third = stripe.refund(key="refund:3:a", payment_ref=paid.ref, amount=Money(1, "USD"))

    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert third == Rejected("charge_already_refunded")
    fetched = stripe.fetch_refund(ref=first.ref)
    assert fetched is not None
    assert (fetched.status, fetched.amount, fetched.payment_ref, fetched.own_ref) == (
        "succeeded",
        Money(400, "USD"),
        paid.ref,
        own_ref("refund:1:a"),
    )


@pytest.mark.parametrize("age", [YOUNG, OLD])
def test_a_refund_whose_answer_was_lost_is_made_once(stripe: Stripe, stripe_world: StripeWorld, age: timedelta) -> None:
    paid = stripe.create_payment(key=KEY, amount=TEN, method=CARD)
    assert isinstance(paid, Done)
    stripe_world.fail("lost", "POST /v1/refunds")

    assert isinstance(stripe.refund(key="refund:1:a", payment_ref=paid.ref, amount=Money(400, "USD")), Unknown)
    if age is OLD:
        stripe_world.keys.clear()
    assert isinstance(stripe.refund(key="refund:1:a", payment_ref=paid.ref, amount=Money(400, "USD"), age=age), Done)

    assert len(stripe_world.of("refund")) == 1


def test_a_dispute_tells_amount_fee_and_outcome(stripe: Stripe, stripe_world: StripeWorld) -> None:
    paid = stripe.create_payment(key=KEY, amount=TEN, method=CARD)
    assert isinstance(paid, Done)
    made = stripe_world.dispute(paid.ref)

    found = stripe.fetch_dispute(ref=made["id"])
    stripe_world.decide(made["id"], "won")
    decided = stripe.fetch_dispute(ref=made["id"])

    assert found is not None
    assert decided is not None
    assert (found.status, found.amount, found.fee, found.payment_ref) == ("open", TEN, Money(1500, "USD"), paid.ref)
    assert (decided.status, decided.fee) == ("won", Money(1500, "USD"))


def payee(stripe: Stripe, world: StripeWorld) -> str:
    made = stripe.onboard_payee(
        key="payee:3:x",
        country="DE",
        email="bob@example.com",
        return_url="https://openlance.example/r",
        refresh_url="https://openlance.example/f",
    )
    world.onboarded(made.ref)
    return made.ref


def test_a_payee_is_onboarded_once_and_is_ready_when_stripe_says_so(stripe: Stripe, stripe_world: StripeWorld) -> None:
    urls = {"return_url": "https://openlance.example/r", "refresh_url": "https://openlance.example/f"}
    first = stripe.onboard_payee(key="payee:3:x", country="DE", email="bob@example.com", **urls)
    again = stripe.onboard_payee(key="payee:3:x", country="DE", email="bob@example.com", ref=first.ref, **urls)

    assert first.ref == again.ref
    assert first.url.startswith("https://")
    assert stripe.fetch_payee(ref=first.ref).ready is False  # type: ignore[union-attr]
    stripe_world.onboarded(first.ref)
    assert stripe.fetch_payee(ref=first.ref).ready is True  # type: ignore[union-attr]


def test_a_payout_is_a_transfer_and_a_payout_from_the_payees_account(stripe: Stripe, stripe_world: StripeWorld) -> None:
    account = payee(stripe, stripe_world)

    result = stripe.pay_out(key="payout:5:x", amount=TEN, method={"account": account})

    assert isinstance(result, Accepted)
    assert stripe.fetch_payout(ref=result.ref) == Fetched(result.ref, "sent", TEN, own_ref=own_ref("payout:5:x"))
    stripe_world.arrive(result.ref.split("/")[1])
    assert stripe.fetch_payout(ref=result.ref).status == "paid"  # type: ignore[union-attr]


@pytest.mark.parametrize("step", ["POST /v1/transfers$", "POST /v1/payouts$"])
@pytest.mark.parametrize("fault", ["lost", "error_after", "error_before"])
@pytest.mark.parametrize("age", [YOUNG, OLD])
def test_a_payout_interrupted_anywhere_pays_once(stripe: Stripe, stripe_world: StripeWorld, step: str, fault: Any, age: timedelta) -> None:
    account = payee(stripe, stripe_world)
    stripe_world.fail(fault, step)
    assert isinstance(stripe.pay_out(key="payout:5:x", amount=TEN, method={"account": account}), Unknown)
    if age is OLD:
        stripe_world.keys.clear()

    assert isinstance(stripe.pay_out(key="payout:5:x", amount=TEN, method={"account": account}, age=age), Accepted)

    assert (len(stripe_world.of("transfer")), len(stripe_world.of("payout"))) == (1, 1)


def test_a_payout_refused_after_the_transfer_brings_the_money_back_first(stripe: Stripe, stripe_world: StripeWorld) -> None:
    account = payee(stripe, stripe_world)
    stripe_world.payout_refused = True
    stripe_world.fail("error_before", "POST /v1/transfers/.*/reversals")

    assert stripe.pay_out(key="payout:5:x", amount=TEN, method={"account": account}) == Unknown("transfer_not_reversed")
    assert stripe.pay_out(key="payout:5:x", amount=TEN, method={"account": account}, age=YOUNG) == Rejected("balance_insufficient")

    (transfer,) = stripe_world.of("transfer")
    assert transfer["reversed"] is True


def test_a_payout_that_the_bank_returns_fails_only_when_the_money_is_back(stripe: Stripe, stripe_world: StripeWorld) -> None:
    account = payee(stripe, stripe_world)
    made = stripe.pay_out(key="payout:5:x", amount=TEN, method={"account": account})
    assert isinstance(made, Accepted)
    stripe_world.arrive(made.ref.split("/")[1], "failed")
    stripe_world.fail("error_before", "POST /v1/transfers/.*/reversals")

    assert stripe.fetch_payout(ref=made.ref).status == "sent"  # type: ignore[union-attr]
    fetched = stripe.fetch_payout(ref=made.ref)

    assert fetched is not None
    assert (fetched.status, fetched.failure_code) == ("failed", "account_closed")
    assert len(stripe_world.of("transfer_reversal")) == 1


def event(world: StripeWorld, **values: Any) -> bytes:
    about = {"id": "pi_1", "object": "payment_intent", "metadata": {"openlance": own_ref(KEY)}}
    return json.dumps(world.event("payment_intent.succeeded", about) | values).encode()


def read(stripe: Stripe, body: bytes, headers: dict[str, str] | None = None, path_token: str = PATH_TOKEN) -> Any:
    return stripe.parse_webhook(raw_body=body, headers=headers if headers is not None else signed(body), path_token=path_token)


def test_a_signed_event_names_what_to_fetch(stripe: Stripe, stripe_world: StripeWorld) -> None:
    found = read(stripe, event(stripe_world))

    assert (found.subject, found.object_ref, found.own_ref) == ("payment", "pi_1", own_ref(KEY))


def test_both_secrets_are_good_while_one_is_replaced(stripe_credentials: Credentials, stripe_world: StripeWorld) -> None:
    rolling = Stripe(replace(stripe_credentials, webhook_secrets=("whsec_new", WEBHOOK_SECRET)))
    body = event(stripe_world)

    assert read(rolling, body).object_ref == "pi_1"
    assert read(rolling, body, signed(body, "whsec_new")).object_ref == "pi_1"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (lambda body: signed(body, "whsec_other"), "signature_invalid"),
        (lambda body: signed(body + b" "), "signature_invalid"),
        (lambda body: {}, "signature_invalid"),
        (lambda body: {"Stripe-Signature": "t=x,v1=y"}, "signature_invalid"),
        (lambda body: signed(body, at=int(time.time()) - 302), "signature_stale"),
        (lambda body: signed(body, at=int(time.time()) + 302), "signature_stale"),
    ],
    ids=["other_secret", "other_body", "none", "unreadable", "old", "of_the_future"],
)
def test_a_bad_signature_is_refused(stripe: Stripe, stripe_world: StripeWorld, headers: Any, code: str) -> None:
    body = event(stripe_world)

    with pytest.raises(InvalidInput, match=code):
        read(stripe, body, headers(body))


def test_a_signature_within_the_tolerance_is_good(stripe: Stripe, stripe_world: StripeWorld) -> None:
    body = event(stripe_world)

    assert read(stripe, body, signed(body, at=int(time.time()) - 295)).object_ref == "pi_1"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"livemode": True}, "webhook_wrong_mode"),
        ({"account": "acct_other"}, "webhook_wrong_account"),
        ({"livemode": None}, "webhook_unreadable"),
        ({"data": 5}, "webhook_unreadable"),
        ({"id": "x" * 129}, "webhook_unreadable"),
    ],
)
def test_an_event_that_is_not_for_us_is_refused(stripe: Stripe, stripe_world: StripeWorld, values: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput, match=code):
        read(stripe, event(stripe_world, **values))


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'"x"', b"null"])
def test_a_signed_body_that_is_no_event_is_refused(stripe: Stripe, body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(stripe, body)


def test_a_wrong_path_looks_like_no_path(stripe: Stripe, stripe_world: StripeWorld) -> None:
    with pytest.raises(NotFound):
        read(stripe, event(stripe_world), path_token="guess")


def test_a_connected_accounts_payout_is_named_as_we_named_it(stripe: Stripe, stripe_world: StripeWorld) -> None:
    account = payee(stripe, stripe_world)
    made = stripe.pay_out(key="payout:5:x", amount=TEN, method={"account": account})
    assert isinstance(made, Accepted)
    stripe_world.arrive(made.ref.split("/")[1])

    found = read(stripe, json.dumps(stripe_world.events[-1]).encode())

    assert (found.subject, found.object_ref) == ("payout", made.ref)


def test_events_that_never_arrived_are_listed(stripe: Stripe, stripe_world: StripeWorld) -> None:
    before = datetime.now(UTC) - timedelta(days=3)
    stripe_world.event("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent"}, created=int(before.timestamp()) - 10)
    paid = stripe.create_payment(key=KEY, amount=TEN, method=CARD)
    assert isinstance(paid, Done)

    assert [e.object_ref for e in stripe.missed_events(since=before)] == [paid.ref]


def test_what_stripe_does_not_know_is_none(stripe: Stripe) -> None:
    assert stripe.fetch_payment(ref="pi_none") is None
    assert stripe.fetch_refund(ref="re_none") is None
    assert stripe.fetch_dispute(ref="dp_none") is None


@pytest.mark.parametrize(
    "method", [{"payment_method": "4242424242424242"}, {"payment_method": 5}, {"token": "tok_visa"}, {"payment_method": "pm_x/y"}]
)
def test_card_data_and_strange_tokens_are_refused(stripe: Stripe, method: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="method_unknown"):
        stripe.check_method(method, purpose="payment")
