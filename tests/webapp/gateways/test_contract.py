"""The judge itself: what a wrong request looks like to it. Without this the checks of the adapters would prove nothing."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from .contract import document

STRIPE = "stripe/spec3-2026-08-26.dahlia.json.gz"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json", "Authorization": "Bearer x", "PayPal-Request-Id": "r"}


def stripe(path: str, **values: str) -> list[str]:
    return document(STRIPE).request("POST", path, "", FORM, urlencode(values).encode())


def test_a_good_request_has_no_breach() -> None:
    good = {"amount": "100", "currency": "usd", "metadata[a]": "b", "automatic_payment_methods[enabled]": "true", "expand[0]": "x"}

    assert stripe("/v1/payment_intents", **good) == []


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/v1/payment_intents", {"currency": "usd"}),
        ("/v1/payment_intents", {"amount": "1.5", "currency": "usd"}),
        ("/v1/payment_intents", {"amount": "100", "currency": "usd", "colour": "red"}),
        ("/v1/payment_intents", {"amount": "100", "currency": "usd", "capture_method": "sometimes"}),
        (
            "/v1/payment_intents",
            {"amount": "100", "currency": "usd", "automatic_payment_methods[enabled]": "true", "automatic_payment_methods[x]": "1"},
        ),
        ("/v1/payment_intents", {"amount": "100", "currency": "usd", "automatic_payment_methods[enabled]": "perhaps"}),
        ("/v1/transfers", {"amount": "100", "currency": "usd"}),
        ("/v1/refunds", {"amount": "100", "reason": "bored"}),
        ("/v1/accounts", {"controller[fees][payer]": "nobody"}),
        ("/v1/nothing", {}),
    ],
)
def test_a_wrong_request_to_stripe_is_a_breach(path: str, values: dict[str, str]) -> None:
    assert stripe(path, **values) != []


def test_a_wrong_answer_of_stripe_is_a_breach() -> None:
    judge = document(STRIPE)
    refund = {"id": "re_1", "object": "refund", "amount": 1, "created": 1, "currency": "usd"}

    assert judge.response("GET", "/v1/refunds/re_1", 200, refund) == []
    assert judge.response("GET", "/v1/refunds/re_1", 200, refund | {"amount": "1"}) != []
    assert judge.response("GET", "/v1/refunds/re_1", 200, {k: v for k, v in refund.items() if k != "currency"}) != []


def unit(value: object = "10.00", **more: object) -> dict[str, object]:
    return {"amount": {"currency_code": "USD", "value": value}, **more}


def order(**changed: object) -> list[str]:
    body = {"intent": "CAPTURE", "purchase_units": [unit()], **changed}
    return document("paypal/checkout_orders_v2.json").request("POST", "/v2/checkout/orders", "", JSON, json.dumps(body).encode())


def test_a_good_order_has_no_breach() -> None:
    assert order() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"intent": "GRAB"},
        {"purchase_units": []},
        {"purchase_units": [unit(10.0)]},
        {"purchase_units": [unit("ten")]},
        {"purchase_units": [unit(colour="red")]},
        {"colour": "red"},
        {"purchase_units": [unit(custom_id="x" * 300)]},
    ],
)
def test_a_wrong_order_is_a_breach(changed: dict[str, object]) -> None:
    assert order(**changed) != []
