"""Money over HTTP: what each person sees, and what bad input gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from marketplace.core.money import Money
from marketplace.payments.models import Payout, WebhookEvent
from marketplace.payments.providers import sandbox

pytestmark = [pytest.mark.django_db, pytest.mark.parity]


def USD(minor: int) -> Money:
    return Money(minor, "USD")


def client_of(user: Any = None) -> APIClient:
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


def usd(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "USD"}


def test_balances_are_the_users_own(alice: Any, bob: Any, charlie: Any, fund: Any, pay: Any) -> None:
    fund(alice, 7, USD(10_000))
    pay(alice, USD(500))

    answer = client_of(alice).get("/api/v1/me/balances")

    zero = usd(0)
    assert answer.json() == {
        "results": [{"currency": "USD", "wallet": usd(500), "held": usd(10_000), "pending": zero, "available": zero, "in_transit": zero}]
    }
    assert client_of(charlie).get("/api/v1/me/balances").json() == {"results": []}


def test_transactions_show_only_what_happened_to_the_users_accounts(alice: Any, bob: Any, fund: Any, release: Any) -> None:
    fund(alice, 7, USD(10_000))
    release(bob, 7, USD(10_000))

    his = client_of(bob).get("/api/v1/me/transactions").json()["results"]
    hers = client_of(alice).get("/api/v1/me/transactions").json()["results"]

    assert [(t["kind"], t["rule"], t["changes"]) for t in his] == [
        ("release", "auto_approval_14d", [{"account": "pending", "milestone_id": None, "change": usd(9_000)}])
    ]
    assert [(t["kind"], [c["change"]["minor"] for c in t["changes"]]) for t in hers] == [
        ("release", [-10_000]),
        ("hold", [-10_000, 10_000]),
        ("deposit", [10_000]),
    ]


def test_transactions_are_paged_by_key_in_a_constant_number_of_queries(alice: Any, pay: Any, django_assert_num_queries: Any) -> None:
    for n in range(1, 6):
        pay(alice, USD(n))
    client = client_of(alice)

    with django_assert_num_queries(3):
        first = client.get("/api/v1/me/transactions?limit=2").json()
    pay(alice, USD(99))
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()

    pages = [[t["changes"][0]["change"]["minor"] for t in page["results"]] for page in (first, second, third)]
    assert pages == [[5, 4], [3, 2], [1]]
    assert third["next"] is None


def test_a_payment_is_seen_by_its_payer_and_finance_only(alice: Any, bob: Any, charlie: Any, sam: Any, pay: Any) -> None:
    payment = pay(alice, USD(500))
    address = f"/api/v1/payments/{payment.pk}"

    answer = client_of(alice).get(address)
    assert answer.status_code == 200
    assert {k: answer.json()[k] for k in ("state", "amount_minor", "currency", "provider")} == {
        "state": "succeeded",
        "amount_minor": 500,
        "currency": "USD",
        "provider": "sandbox",
    }
    absent = client_of(alice).get("/api/v1/payments/999999999999")
    for stranger in (bob, charlie, sam):
        refused = client_of(stranger).get(address)
        assert (refused.status_code, refused.json()) == (404, absent.json())
    sam.is_superuser = True
    sam.save()
    assert client_of(sam).get(address).status_code == 200


def ask(user: Any, body: Any, key: str | None = "key-1") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client_of(user).post("/api/v1/me/payouts", body, format="json", headers=headers)


def test_a_payout_is_asked_for_once_and_listed(alice: Any, bob: Any, charlie: Any, earn: Any) -> None:
    earn(alice, bob, 7, USD(10_000))
    body = {"amount_minor": 5_000, "currency": "USD"}

    first, second = ask(bob, body), ask(bob, body)

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert (first.json()["state"], first.json()["hold_reason"]) == ("held", "first_payout")
    assert ask(bob, {**body, "amount_minor": 4_999}).json()["code"] == "idempotency_key_reused"
    assert [p["id"] for p in client_of(bob).get("/api/v1/me/payouts").json()["results"]] == [first.json()["id"]]
    assert client_of(charlie).get("/api/v1/me/payouts").json()["results"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ([], 400, "invalid"),
        ({"amount_minor": 0, "currency": "USD"}, 400, "invalid"),
        ({"amount_minor": -5, "currency": "USD"}, 400, "invalid"),
        ({"amount_minor": 1.5, "currency": "USD"}, 400, "invalid"),
        ({"amount_minor": "100", "currency": "USD"}, 400, "invalid"),
        ({"amount_minor": 10**30, "currency": "USD"}, 400, "invalid"),
        ({"amount_minor": True, "currency": "USD"}, 400, "invalid"),
        ({"amount_minor": 100, "currency": "ZZZ"}, 400, "invalid"),
        ({"amount_minor": 100, "currency": None}, 400, "invalid"),
        ({"amount_minor": 100, "currency": "USD", "method": "bank"}, 400, "invalid"),
        ({"amount_minor": 100, "currency": "USD", "method": {"token": "nobody"}}, 400, "method_unknown"),
        ({"amount_minor": 100, "currency": "USD", "method": {"token": {"a": [1]}}}, 400, "method_unknown"),
        ({"amount_minor": 100, "currency": "USD"}, 409, "insufficient_funds"),
        ({"amount_minor": 100, "currency": "JPY"}, 409, "insufficient_funds"),
    ],
)
def test_a_bad_payout_says_what_is_wrong_and_changes_nothing(bob: Any, body: Any, status: int, code: str) -> None:
    answer = ask(bob, body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "message", "fields"}
    assert not Payout.objects.exists()


def test_a_payout_needs_a_key(bob: Any) -> None:
    assert ask(bob, {"amount_minor": 1, "currency": "USD"}, key=None).json()["code"] == "idempotency_key_required"


@pytest.mark.parametrize("address", ["me/balances", "me/transactions", "me/payouts", "payments/1"])
def test_money_is_not_shown_to_strangers(db: None, address: str) -> None:
    assert client_of().get(f"/api/v1/{address}").status_code in (401, 403)


def test_fees_are_published_to_everybody(db: None) -> None:
    answer = client_of().get("/api/v1/fee-schedule").json()

    assert answer["current"] == "standard-1"
    assert [(s["version"], s["freelancer_fee_bps"], s["tax_bps"]) for s in answer["schedules"]] == [("standard-1", 1_000, 0)]


def notify(body: bytes, signature: str | None = None, token: str | None = None) -> Any:
    return client_of().post(
        f"/api/v1/webhooks/sandbox/{token or sandbox.webhook_path_token()}",
        body,
        content_type="application/json",
        headers={"Sandbox-Signature": signature or sandbox.sign(body)},
    )


def test_a_webhook_is_stored_and_answered_at_once(alice: Any, pay: Any) -> None:
    payment = pay(alice, USD(500), "tok_3ds")
    body = json.dumps({"id": "evt_1", "type": "payment.succeeded", "object": payment.provider_ref}).encode()

    first, second = notify(body), notify(body)

    assert (first.status_code, first.json()) == (second.status_code, second.json()) == (200, {"received": True})
    stored = WebhookEvent.objects.get()
    assert (stored.event_id, stored.object_ref, stored.handled_at) == ("evt_1", payment.provider_ref, None)
    payment.refresh_from_db()
    assert payment.state == "pending"


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        (b"{}", {}, 400),
        (b"not json", {}, 400),
        (b"", {}, 400),
        (b'{"id": "e", "type": "t", "object": "o"}', {"signature": "t=1,v1=00"}, 400),
        (b'{"id": "e", "type": "t", "object": "o"}', {"token": "wrong"}, 404),
    ],
)
def test_a_webhook_that_cannot_be_verified_is_refused(db: None, body: bytes, more: dict[str, str], status: int) -> None:
    answer = notify(body, **more)

    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message", "fields"}
    assert not WebhookEvent.objects.exists()
