"""The PayPal adapter against a simulated PayPal; each request is judged by PayPal's own documents (see conftest.closed)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.core.errors import InvalidInput, NotFound, Unavailable
from marketplace.core.money import Money
from marketplace.payments.providers.base import Accepted, Done, Fetched, Rejected, Unknown, own_ref
from marketplace.payments.providers.paypal import BATCH_LIVES, OLDEST, Credentials, PayPal

from .paypal_world import CERT_URL, Authority, PayPalWorld, raw, signed

KEY = "payment:7:abc"
TEN = Money(1000, "EUR")


def ordered(paypal: PayPal, key: str = KEY, amount: Money = TEN) -> str:
    made = paypal.create_payment(key=key, amount=amount, method={})
    assert isinstance(made, Accepted)
    return made.ref


def paid(paypal: PayPal, world: PayPalWorld) -> str:
    ref = ordered(paypal)
    world.approve(ref)
    assert paypal.capture(key=f"{KEY}:capture", ref=ref, amount=TEN) == Done(ref)
    return ref


def test_an_order_waits_for_the_payer_then_for_us_and_is_taken(paypal: PayPal, paypal_world: PayPalWorld) -> None:
    made = paypal.create_payment(key=KEY, amount=TEN, method={})
    assert isinstance(made, Accepted)
    assert made.action == {"kind": "redirect", "url": f"https://www.paypal.com/checkoutnow?token={made.ref}"}
    assert paypal.fetch_payment(ref=made.ref).status == "pending"  # type: ignore[union-attr]
    paypal_world.approve(made.ref)
    assert paypal.fetch_payment(ref=made.ref).status == "approved"  # type: ignore[union-attr]

    assert paypal.capture(key=f"{KEY}:capture", ref=made.ref, amount=TEN) == Done(made.ref)

    assert paypal.fetch_payment(ref=made.ref) == Fetched(made.ref, "succeeded", TEN, "", TEN, Money(79, "EUR"), own_ref(KEY))


@pytest.mark.parametrize(("amount", "value"), [(Money(1200, "JPY"), "1200"), (Money(5, "USD"), "0.05"), (Money(120_000, "HUF"), "1200")])
def test_amounts_are_written_as_paypal_writes_them(paypal: PayPal, paypal_world: PayPalWorld, amount: Money, value: str) -> None:
    ref = ordered(paypal, amount=amount)

    assert paypal_world.objects[ref]["purchase_units"][0]["amount"]["value"] == value
    assert paypal.fetch_payment(ref=ref).amount == amount  # type: ignore[union-attr]


@pytest.mark.parametrize("amount", [Money(120_050, "HUF"), Money(1000, "KES"), Money(1000, "KWD")])
def test_what_paypal_cannot_move_exactly_is_refused_before(paypal: PayPal, amount: Money) -> None:
    with pytest.raises(InvalidInput):
        paypal.check_amount(amount, purpose="payment")


@pytest.mark.parametrize("fault", ["lost", "error_after", "garbage"])
def test_a_lost_answer_makes_no_second_order_nor_capture(paypal: PayPal, paypal_world: PayPalWorld, fault: Any) -> None:
    paypal_world.fail(fault, "POST /v2/checkout/orders$")
    assert isinstance(paypal.create_payment(key=KEY, amount=TEN, method={}), Unknown)
    ref = ordered(paypal)
    assert sum(o.startswith("ORDER") for o in paypal_world.objects) == 1
    paypal_world.approve(ref)
    paypal_world.fail(fault, "capture$")

    assert isinstance(paypal.capture(key=f"{KEY}:capture", ref=ref, amount=TEN), Unknown)
    assert paypal.capture(key=f"{KEY}:capture", ref=ref, amount=TEN) == Done(ref)
    paypal_world.keys.clear()
    assert paypal.capture(key=f"{KEY}:capture", ref=ref, amount=TEN) == Done(ref)

    assert sum(o.startswith("CAP") for o in paypal_world.objects) == 1


def test_a_capture_that_is_pending_and_then_declined_fails(paypal: PayPal, paypal_world: PayPalWorld) -> None:
    paypal_world.capture_status = "PENDING"
    ref = ordered(paypal)
    paypal_world.approve(ref)
    assert isinstance(paypal.capture(key=f"{KEY}:capture", ref=ref, amount=TEN), Accepted)
    paypal_world.settle(ref, "DECLINED")

    fetched = paypal.fetch_payment(ref=ref)

    assert fetched is not None
    assert (fetched.status, fetched.failure_code) == ("failed", "declined")


def test_a_stale_access_token_is_replaced_once(paypal: PayPal, paypal_world: PayPalWorld) -> None:
    ref = ordered(paypal)
    paypal_world.tokens = 5  # ours is no longer good

    assert paypal.fetch_payment(ref=ref) is not None
    assert paypal_world.tokens == 6
    paypal_world.tokens, paypal_world.token_refused = 9, True
    with pytest.raises(Unavailable):
        paypal.fetch_payment(ref=ref)
    assert isinstance(paypal.create_payment(key=KEY, amount=TEN, method={}), Unknown)


def test_refunds_sum_to_the_payment_and_no_further(paypal: PayPal, paypal_world: PayPalWorld) -> None:
    ref = paid(paypal, paypal_world)
    paypal_world.fail("lost", "refund$")

    assert isinstance(paypal.refund(key="refund:1:a", payment_ref=ref, amount=Money(400, "EUR")), Unknown)
    first = paypal.refund(key="refund:1:a", payment_ref=ref, amount=Money(400, "EUR"))
    assert isinstance(first, Done)
    assert isinstance(paypal.refund(key="refund:2:a", payment_ref=ref, amount=Money(600, "EUR")), Done)
    assert paypal.refund(key="refund:3:a", payment_ref=ref, amount=Money(1, "EUR")) == Rejected("over_refund")

    assert paypal.fetch_refund(ref=first.ref).own_ref == own_ref("refund:1:a")  # type: ignore[union-attr]
    assert sum(o.startswith("REF") for o in paypal_world.objects) == 2


@pytest.mark.parametrize(
    ("status", "ours"),
    [("SUCCESS", "paid"), ("UNCLAIMED", "sent"), ("ONHOLD", "sent"), ("RETURNED", "failed"), ("FAILED", "failed"), ("BLOCKED", "failed")],
)
def test_what_becomes_of_a_payout(paypal: PayPal, paypal_world: PayPalWorld, status: str, ours: str) -> None:
    made = paypal.pay_out(key="payout:5:x", amount=TEN, method={"email": "bob@example.com"})
    assert isinstance(made, Accepted)
    paypal_world.arrive(made.ref, status)

    fetched = paypal.fetch_payout(ref=made.ref)

    assert fetched is not None
    assert (fetched.status, fetched.amount, fetched.own_ref) == (ours, TEN, own_ref("payout:5:x"))


@pytest.mark.parametrize("fault", ["lost", "error_after", "error_before"])
def test_a_payout_interrupted_pays_once(paypal: PayPal, paypal_world: PayPalWorld, fault: Any) -> None:
    paypal_world.fail(fault, "POST /v1/payments/payouts$")
    assert isinstance(paypal.pay_out(key="payout:5:x", amount=TEN, method={"email": "bob@example.com"}), Unknown)
    paypal_world.keys.clear()  # only the sender_batch_id remembers

    assert isinstance(paypal.pay_out(key="payout:5:x", amount=TEN, method={"email": "bob@example.com"}, age=timedelta(hours=1)), Accepted)

    assert len(paypal_world.batches) == 1


def test_a_refusal_says_nothing_about_an_earlier_call(paypal: PayPal, paypal_world: PayPalWorld) -> None:
    paypal_world.payout_refused = True
    method = {"email": "bob@example.com"}

    assert isinstance(paypal.pay_out(key="payout:5:x", amount=TEN, method=method), Rejected)
    assert isinstance(paypal.pay_out(key="payout:6:x", amount=TEN, method=method, age=timedelta(hours=1)), Unknown)


def test_a_payout_whose_batch_paypal_may_have_forgotten_is_never_sent_again(paypal: PayPal, paypal_world: PayPalWorld) -> None:
    assert isinstance(
        paypal.pay_out(key="payout:5:x", amount=TEN, method={"email": "b@example.com"}, age=BATCH_LIVES + timedelta(1)), Unknown
    )
    assert paypal_world.requests == []


def test_a_dispute_is_led_back_to_its_order(paypal: PayPal, paypal_world: PayPalWorld) -> None:
    ref = paid(paypal, paypal_world)
    made = paypal_world.dispute(ref, "6.00", "INQUIRY")

    found = paypal.fetch_dispute(ref=made["dispute_id"])
    assert found is not None
    assert (found.status, found.amount, found.payment_ref, found.fee) == ("inquiry", Money(600, "EUR"), ref, Money(2000, "EUR"))
    made["dispute_life_cycle_stage"] = "CHARGEBACK"
    assert paypal.fetch_dispute(ref=made["dispute_id"]).status == "open"  # type: ignore[union-attr]
    for outcome, status in (("RESOLVED_SELLER_FAVOUR", "won"), ("CANCELED_BY_BUYER", "won"), ("RESOLVED_BUYER_FAVOUR", "lost")):
        made |= {"status": "RESOLVED", "dispute_outcome": {"outcome_code": outcome}}
        assert paypal.fetch_dispute(ref=made["dispute_id"]).status == status  # type: ignore[union-attr]
    for refunded, status, minor in (("2.50", "lost", 250), ("0.00", "won", 600)):
        made["dispute_outcome"]["amount_refunded"] = {"currency_code": "EUR", "value": refunded}
        decided = paypal.fetch_dispute(ref=made["dispute_id"])
        assert decided is not None
        assert (decided.status, decided.amount) == (status, Money(minor, "EUR"))


def read(paypal: PayPal, body: bytes, headers: dict[str, str], path_token: str = "paypal-path-token") -> Any:
    return paypal.parse_webhook(raw_body=body, headers=headers, path_token=path_token)


def test_signed_news_name_what_to_fetch(paypal: PayPal, paypal_world: PayPalWorld, signing: Any) -> None:
    ref = paid(paypal, paypal_world)
    paypal.refund(key="refund:1:a", payment_ref=ref, amount=Money(400, "EUR"))
    payout = paypal.pay_out(key="payout:5:x", amount=TEN, method={"email": "bob@example.com"})
    assert isinstance(payout, Accepted)
    paypal_world.arrive(payout.ref)
    paypal_world.dispute(ref, "6.00")

    found = [read(paypal, raw(e), signed(raw(e), signing[0])) for e in paypal_world.events]

    assert [(f.subject, f.own_ref) for f in found] == [
        ("payment", own_ref(KEY)),
        ("payment", own_ref(KEY)),
        ("refund", own_ref("refund:1:a")),
        ("payout", own_ref("payout:5:x")),
        ("dispute", ""),
    ]
    assert [f.object_ref for f in found][:2] == [ref, ref]
    assert [e.event_id for e in paypal.missed_events(since=datetime.now(UTC) - timedelta(days=3))] == [f.event_id for f in found]


def test_events_that_cannot_be_read_hide_none_that_follow(paypal: PayPal, paypal_world: PayPalWorld) -> None:
    paypal_world.event("CUSTOMER.DISPUTE.CREATED", {})
    paypal_world.event("CHECKOUT.ORDER.APPROVED", {"id": "O1", "purchase_units": []})
    last = paypal_world.event("CHECKOUT.ORDER.APPROVED", {"id": "O2", "purchase_units": [{}]})

    assert [e.event_id for e in paypal.missed_events(since=datetime.now(UTC) - timedelta(days=3))] == [last["id"]]


BODY = raw({"id": "WH-1", "event_type": "CHECKOUT.ORDER.APPROVED", "resource": {"id": "O1", "purchase_units": [{}]}})


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Paypal-Transmission-Id": "transmission-2"}, "signature_invalid"),
        ({"Paypal-Transmission-Sig": base64.b64encode(b"x" * 256).decode()}, "signature_invalid"),
        ({"Paypal-Transmission-Sig": "%%%"}, "signature_invalid"),
        ({"Paypal-Transmission-Time": "yesterday"}, "signature_invalid"),
        ({"Paypal-Transmission-Time": "2026-11-29T08:00:00"}, "signature_invalid"),
        ({"Paypal-Auth-Algo": "SHA1withRSA"}, "signature_invalid"),
        ({"Paypal-Cert-Url": CERT_URL.replace("https", "http")}, "certificate_elsewhere"),
        ({"Paypal-Cert-Url": CERT_URL.replace("api.paypal.com", "api.paypal.com.evil.example")}, "certificate_elsewhere"),
        ({"Paypal-Cert-Url": CERT_URL.replace("api.paypal.com", "api.paypal.com@evil.example")}, "certificate_elsewhere"),
        ({"Paypal-Cert-Url": CERT_URL.replace("api.paypal.com", "api.paypal.com:8443")}, "certificate_elsewhere"),
        ({"Paypal-Cert-Url": CERT_URL + "/../../x"}, "certificate_elsewhere"),
        ({"Paypal-Cert-Url": ""}, "certificate_elsewhere"),
    ],
)
def test_a_changed_header_is_refused(paypal: PayPal, signing: Any, changed: dict[str, str], code: str) -> None:
    with pytest.raises(InvalidInput, match=code):
        read(paypal, BODY, signed(BODY, signing[0]) | changed)


def test_another_body_webhook_or_path_is_refused(paypal: PayPal, signing: Any) -> None:
    with pytest.raises(InvalidInput, match="signature_invalid"):
        read(paypal, BODY + b" ", signed(BODY, signing[0]))
    with pytest.raises(InvalidInput, match="signature_invalid"):
        read(paypal, BODY, signed(BODY, signing[0], webhook_id="of another account"))
    with pytest.raises(NotFound):
        read(paypal, BODY, signed(BODY, signing[0]), path_token="guess")


@pytest.mark.parametrize("age", [OLDEST + timedelta(seconds=5), timedelta(minutes=-6)])
def test_a_signature_out_of_its_time_is_stale(paypal: PayPal, signing: Any, age: timedelta) -> None:
    with pytest.raises(InvalidInput, match="signature_stale"):
        read(paypal, BODY, signed(BODY, signing[0], at=datetime.now(UTC) - age))


def test_a_certificate_must_be_valid_now_paypals_and_lead_to_a_trusted_root(paypal_credentials: Credentials, authority: Authority) -> None:
    wrong = {
        "expired": authority.leaf(since=-90, until=-1),
        "not yet": authority.leaf(since=1, until=90),
        "of another host": authority.leaf(host="api.evil.example"),
        "of the sandbox": authority.leaf(host="messageverificationcerts.sandbox.paypal.com"),
        "of another root": Authority().leaf(),
    }
    for why, (key, pem) in wrong.items():
        adapter = PayPal(paypal_credentials, certificates=lambda url, pem=pem: pem)  # type: ignore[misc]
        with pytest.raises(InvalidInput, match="certificate_invalid"):
            read(adapter, BODY, signed(BODY, key))
            pytest.fail(why)
    key, pem = authority.leaf()
    assert read(PayPal(paypal_credentials, certificates=lambda url: pem), BODY, signed(BODY, key)).object_ref == "O1"


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"id": 5, "event_type": "x", "resource": {}}', b'{"id": "x", "event_type": "CHECKOUT.ORDER.X", "resource": {}}']
)
def test_a_signed_body_that_is_no_event_is_refused(paypal: PayPal, signing: Any, body: bytes) -> None:
    with pytest.raises(InvalidInput, match="webhook_unreadable"):
        read(paypal, body, signed(body, signing[0]))


def test_what_paypal_does_not_know_is_none(paypal: PayPal) -> None:
    assert paypal.fetch_payment(ref="NONE") is None
    assert paypal.fetch_payout(ref="NONE") is None
    assert paypal.fetch_dispute(ref="NONE") is None
