"""Paying in, sending back, saved cards and payee accounts over HTTP: what is offered to whom, what is told to whom."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache

from config.settings import base
from marketplace.core import clock
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.payments import selectors, services
from marketplace.payments.models import FxRate, Payment, PaymentRefund, PayoutMethod, SavedMethod
from tests.webapp.people import Person

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def all_gateways(settings: Any) -> None:
    settings.PAYMENT_CREDENTIALS = {
        "stripe": {"secret_key": "sk_test_x", "webhook_secrets": "w", "path_token": "p", "publishable_key": "pk_test_x"},
        "paypal": {"client_id": "i", "client_secret": "s", "webhook_id": "w", "path_token": "p"},
        "mpesa": {
            **dict.fromkeys(("consumer_key", "consumer_secret", "short_code", "passkey", "callback_secret", "callback"), "x"),
            **dict.fromkeys(("initiator", "initiator_password", "certificate"), "x"),
        },
    }


def offered(person: Person, **query: str) -> list[str]:
    answer = person.get("payment-gateways", **query)
    assert answer.status_code == 200, answer.content
    return [found["provider"] for found in answer.json()["results"]]


def test_what_is_offered_depends_on_country_and_currency(alice: Any, bob: Any, all_gateways: None) -> None:
    german, kenyan = Person(alice), Person(bob)

    assert offered(german, currency="EUR") == ["paypal", "sandbox", "stripe"]
    assert offered(german, currency="KES") == ["sandbox", "stripe"]
    assert offered(kenyan, currency="KES") == ["mpesa", "sandbox", "stripe"]
    assert offered(german, currency="KES", country="KE") == ["mpesa", "sandbox", "stripe"]
    assert offered(kenyan, currency="KES", purpose="payout") == ["mpesa", "sandbox"]
    assert offered(german, currency="EUR", purpose="payout") == ["paypal", "sandbox", "stripe"]
    assert offered(german, currency="KWD") == ["sandbox", "stripe"]


def test_what_a_gateway_needs_is_told_with_it(alice: Any, bob: Any, all_gateways: None) -> None:
    found = {g["provider"]: g for g in Person(bob).get("payment-gateways", currency="KES", country="KE").json()["results"]}
    to_be_paid = {
        g["provider"]: g["flow"] for g in Person(alice).get("payment-gateways", purpose="payout", currency="EUR").json()["results"]
    }

    assert {name: g["flow"] for name, g in found.items()} == {"mpesa": "phone", "sandbox": "token", "stripe": "element"}
    assert (found["stripe"]["publishable_key"], found["stripe"]["saves_methods"], found["mpesa"]["refunds"]) == ("pk_test_x", True, False)
    assert to_be_paid == {"paypal": "email", "sandbox": "token", "stripe": "onboarding"}


@pytest.mark.parametrize("query", [{"country": "XX"}, {"currency": "ABC"}, {"purpose": "theft"}, {"currency": "\u0000"}])
def test_a_question_that_makes_no_sense_says_where(alice: Any, query: dict[str, str]) -> None:
    answer = Person(alice).get("payment-gateways", **query)

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == list(query)


def test_amounts_are_estimated_in_the_readers_currency_by_the_rates_of_the_day(alice: Any) -> None:
    now = clock.now()
    for pair, value in (("EUR", "USD"), "1.25"), (("USD", "EUR"), "0.8"):
        values = {"rate": Decimal(value), "spread_bps": 100, "as_of": now.date(), "fetched_at": now}
        FxRate.objects.create(base=pair[0], quote=pair[1], source="test", **values)
    selectors._remembered_rate.cache_clear()
    alice.display_currency = "EUR"
    alice.save(update_fields=["display_currency"])

    told = Person(alice).get("money-estimates", amount=["150000.USD", "0.USD", "700.EUR"])
    other = Person(alice).get("money-estimates", amount="100.EUR", currency="USD")
    selectors._remembered_rate.cache_clear()

    assert told.json() == {
        "currency": "EUR",
        "results": [
            {"amount": {"minor": 150_000, "currency": "USD"}, "worth": {"minor": 120_000, "currency": "EUR"}},
            {"amount": {"minor": 0, "currency": "USD"}, "worth": {"minor": 0, "currency": "EUR"}},
            {"amount": {"minor": 700, "currency": "EUR"}, "worth": {"minor": 700, "currency": "EUR"}},
        ],
    }
    assert other.json()["results"][0]["worth"] == {"minor": 125, "currency": "USD"}


@pytest.mark.parametrize(
    "amount", [[], ["1.USD"] * 21, "100", "USD", "-1.USD", "1.5.USD", "1.XYZ", "1000000000001.USD", "٣.USD", "1.\u0000", "9" * 400 + ".USD"]
)
def test_an_amount_that_cannot_be_estimated_is_refused(alice: Any, amount: Any) -> None:
    answer = Person(alice).get("money-estimates", amount=amount)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["amount"])


def test_a_gateway_without_its_credentials_is_not_offered(alice: Any) -> None:
    assert offered(Person(alice), currency="EUR") == ["sandbox"]
    answer = Person(alice).post("me/payments", {"provider": "stripe", "amount_minor": 100, "currency": "EUR"})
    assert (answer.status_code, answer.json()["code"]) == (400, "provider_unknown")


def pay_in(person: Person, token: str = "tok_visa", **more: Any) -> Any:
    return person.post("me/payments", {"provider": "sandbox", "amount_minor": 5_000, "currency": "EUR", "method": {"token": token}}, **more)


def test_a_payment_waits_for_its_payer_and_is_told_when_they_come_back(
    alice: Any, sam: Any, staff: Any, client: Any, settings: Any
) -> None:
    payer, finance = Person(alice), Person(staff("finance"))
    begun = pay_in(payer, "tok_3ds", key="k")
    again = pay_in(payer, "tok_3ds", key="k")
    assert (begun.status_code, again.status_code) == (201, 201)
    number, action = begun.json()["id"], begun.json()["next_action"]
    assert again.json()["next_action"] is None, "told once; the payment itself tells it again"
    assert payer.get(f"payments/{number}").json()["next_action"] == action
    assert finance.get(f"payments/{number}").json()["next_action"] is None
    assert action["kind"] == "redirect"
    client.post(action["url"].removeprefix(settings.BASE_URL), {"answer": "yes"})

    back = payer.post(f"payments/{number}/refresh")

    assert (back.status_code, back.json()["state"], back.json()["next_action"]) == (200, "succeeded", None)
    assert [p["id"] for p in payer.get("me/payments").json()["results"]] == [number]
    assert Person(sam).post(f"payments/{number}/refresh").status_code == 404


def test_the_gateway_is_not_asked_at_every_click(alice: Any, client: Any, settings: Any) -> None:
    payer = Person(alice)
    begun = pay_in(payer, "tok_3ds").json()
    payer.post(f"payments/{begun['id']}/refresh")
    client.post(begun["next_action"]["url"].removeprefix(settings.BASE_URL), {"answer": "yes"})

    assert payer.post(f"payments/{begun['id']}/refresh").json()["state"] == "pending"
    cache.delete(f"payments:look:{begun['id']}")
    assert payer.post(f"payments/{begun['id']}/refresh").json()["state"] == "succeeded"


def test_payments_are_begun_at_a_pace_of_their_own(alice: Any, charlie: Any, settings: Any) -> None:
    assert base.API_PACE["payment"] == (20, 3600)
    settings.API_PACE = {"payment": (2, 3600)}
    payer = Person(alice)
    assert [pay_in(payer, key=f"k{n}").status_code for n in range(3)] == [201, 201, 429]
    assert len(payer.get("me/payments").json()["results"]) == 2
    assert pay_in(Person(charlie)).status_code == 201


def test_a_waiting_payment_is_cancelled_by_its_payer_alone(alice: Any, charlie: Any, staff: Any) -> None:
    number = pay_in(Person(alice), "tok_3ds").json()["id"]
    assert Person(charlie).post(f"payments/{number}/cancel").status_code == 404
    assert Person(staff("finance")).post(f"payments/{number}/cancel").json()["code"] == "payment_cancel_not_yours"

    assert Person(alice).post(f"payments/{number}/cancel").json()["state"] == "cancelled"
    assert Person(alice).post(f"payments/{number}/cancel").status_code == 409


def test_money_goes_back_the_way_it_came(alice: Any, proven: Any) -> None:
    payer = Person(alice)
    number = pay_in(payer).json()["id"]

    asked = payer.post(f"payments/{number}/refunds", {"amount_minor": 2_000, "reason": "Too much."})
    rest = payer.post("me/wallet-refunds", {"amount_minor": 3_000, "currency": "EUR"})
    more = payer.post("me/wallet-refunds", {"amount_minor": 1, "currency": "EUR"})

    assert (asked.status_code, asked.json()["state"], rest.status_code, more.status_code) == (201, "created", 201, 409)
    listed = payer.get(f"payments/{number}/refunds").json()["results"]
    assert [r["amount_minor"] for r in listed] == [3_000, 2_000]
    for refund in listed:
        services.payment_refund_refresh(refund_id=refund["id"])
    assert payer.get(f"payments/{number}").json()["state"] == "refunded"
    proven()


def test_staff_who_see_a_payment_neither_send_it_back_nor_ask_its_gateway_past_the_audit(alice: Any, staff: Any) -> None:
    payer = Person(alice)
    paid, waiting = pay_in(payer).json()["id"], pay_in(payer, "tok_3ds").json()["id"]
    for group in ("finance", "admin"):
        person = Person(staff(group))
        refused = person.post(f"payments/{paid}/refunds", {"amount_minor": 2_000, "reason": "r"})
        assert (refused.status_code, refused.json()["code"]) == (403, "payment_refund_not_yours")
        refused = person.post(f"payments/{waiting}/refresh")
        assert (refused.status_code, refused.json()["code"]) == (403, "payment_refresh_not_yours")
    assert not PaymentRefund.objects.exists()
    assert not cache.get(f"payments:look:{waiting}")


def test_saved_cards_are_listed_chosen_and_forgotten(alice: Any, charlie: Any) -> None:
    owner, stranger = Person(alice), Person(charlie)
    first = owner.post("me/payment-methods", {"provider": "sandbox", "details": {"token": "tok_visa"}}).json()
    second = owner.post("me/payment-methods", {"provider": "sandbox", "details": {"token": "tok_mastercard"}}).json()
    assert (first["state"], first["brand"], first["last4"], first["is_default"]) == ("ready", "visa", "4242", True)
    assert "token" not in first and "setup_ref" not in first

    assert owner.post(f"me/payment-methods/{second['id']}/default").json()["is_default"] is True
    assert [m["id"] for m in owner.get("me/payment-methods").json()["results"]] == [second["id"], first["id"]]
    assert stranger.get("me/payment-methods").json()["results"] == []
    for act in (f"me/payment-methods/{first['id']}/default", f"me/payment-methods/{first['id']}/refresh"):
        assert stranger.post(act).status_code == 404
    assert stranger.delete(f"me/payment-methods/{first['id']}").status_code == 404
    used = {"provider": "sandbox", "amount_minor": 700, "currency": "EUR", "method": {"saved_method_id": str(first["id"])}}
    assert stranger.post("me/payments", used).status_code == 404
    assert owner.post("me/payments", used).json()["state"] == "succeeded"

    assert owner.delete(f"me/payment-methods/{second['id']}").status_code == 204

    assert [(m["id"], m["is_default"]) for m in owner.get("me/payment-methods").json()["results"]] == [(first["id"], True)]
    assert owner.delete(f"me/payment-methods/{second['id']}").status_code == 404


@pytest.mark.parametrize("value", ["0", "-1", "x", "9" * 30, "", "１"])
def test_a_saved_method_that_is_none_is_not_found(alice: Any, value: str) -> None:
    body = {"provider": "sandbox", "amount_minor": 700, "currency": "EUR", "method": {"saved_method_id": value}}

    assert Person(alice).post("me/payments", body).status_code in (400, 404)
    assert not Payment.objects.exists()


def test_nobody_saves_cards_without_end(alice: Any, settings: Any) -> None:
    settings.SAVED_METHODS_MOST = 1
    card = {"provider": "sandbox", "details": {"token": "tok_visa"}}
    assert Person(alice).post("me/payment-methods", card).status_code == 201

    assert Person(alice).post("me/payment-methods", card).json()["code"] == "saved_methods_many"
    assert SavedMethod.objects.count() == 1


def test_a_payout_goes_to_the_account_that_is_named(
    alice: Any, bob: Any, charlie: Any, earn: Any, settings: Any, all_gateways: None
) -> None:
    earn(alice, bob, 7, Money(10_000, "USD"))
    payee = Person(bob)
    ready = payee.post("me/payout-methods", {"provider": "sandbox", "method": {"token": "bank_delayed"}}).json()
    phone = payee.post("me/payout-methods", {"provider": "mpesa", "method": {"phone": "0712 345678"}, "country": "KE"}).json()
    assert (ready["state"], ready["is_default"], phone["label"], phone["is_default"]) == ("ready", True, "+254 … 678", False)

    asked = payee.post("me/payouts", {"amount_minor": 5_000, "currency": "USD", "method_id": ready["id"]})
    wrong = payee.post("me/payouts", {"amount_minor": 1_000, "currency": "USD", "method_id": phone["id"]})
    foreign = Person(charlie).post("me/payouts", {"amount_minor": 1_000, "currency": "USD", "method_id": ready["id"]})

    assert (asked.status_code, asked.json()["provider"]) == (201, "sandbox")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "currency_not_supported")
    assert foreign.status_code == 404
    assert payee.delete(f"me/payout-methods/{ready['id']}").status_code == 204
    assert [(a["id"], a["is_default"]) for a in payee.get("me/payout-methods").json()["results"]] == [(phone["id"], True)]
    assert payee.post("me/payouts", {"amount_minor": 1_000, "currency": "USD", "method_id": ready["id"]}).status_code == 404


def test_an_account_that_is_not_ready_is_not_paid_to(bob: Any) -> None:
    row = PayoutMethod.objects.create(user=bob, provider="sandbox", details={"token": "bank_ok"}, added_at=bob.date_joined)

    answer = Person(bob).post("me/payouts", {"amount_minor": 1_000, "currency": "USD", "method_id": row.pk})

    assert (answer.status_code, answer.json()["code"]) == (409, "payout_method_not_ready")
    assert Person(bob).post(f"me/payout-methods/{row.pk}/default").status_code == 409


def test_whoever_leaves_leaves_no_card_and_no_account(alice: Any, bob: Any) -> None:
    card = services.method_save(actor=alice, provider="sandbox", details={"token": "tok_visa"}, idempotency_key="card")
    services.payout_method_add(actor=bob, provider="sandbox", method={"token": "bank_ok"})

    for _ in range(2):
        services.methods_erase(user_id=alice.pk)
        services.payout_methods_erase(user_id=bob.pk)

    card.refresh_from_db()
    assert (card.state, PayoutMethod.objects.count()) == ("removed", 0)
    assert Event.objects.get(kind="payout_method.remove").after["label"] == "", "the event stays: it tells nothing of the place"
    assert services.method_forget(method_id=card.pk) is True


@pytest.mark.parametrize("route", ["me/payments", "me/payment-methods", "me/payout-methods"])
def test_lists_cost_the_same_for_any_number(alice: Any, route: str, django_assert_max_num_queries: Any) -> None:
    person = Person(alice)
    for i in range(3):
        services.payout_method_add(actor=alice, provider="sandbox", method={"token": ("bank_ok", "bank_delayed", "bank_closed")[i]})
        services.method_save(actor=alice, provider="sandbox", details={"token": "tok_visa"}, idempotency_key=f"c{i}")
        pay_in(person)

    with django_assert_max_num_queries(2):
        assert len(person.get(route).json()["results"]) == 3
