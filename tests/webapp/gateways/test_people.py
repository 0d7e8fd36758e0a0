"""Payers who save a card and payees who connect an account, through our services and a simulated provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.payments import selectors, services, tasks
from marketplace.payments.models import GatewayCustomer, PayeeAccount, SavedMethod, WebhookEvent
from marketplace.payments.providers.stripe import Credentials

from .conftest import PATH_TOKEN
from .stripe_world import SECRET_KEY, WEBHOOK_SECRET, StripeWorld, signed

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _here(settings: Any, stripe_credentials: Credentials) -> None:
    given = {"secret_key": SECRET_KEY, "webhook_secrets": WEBHOOK_SECRET, "path_token": PATH_TOKEN, "api": stripe_credentials.api}
    settings.PAYMENT_CREDENTIALS = {"stripe": {**given, "publishable_key": "pk_test_x"}}


def tell(event: dict[str, Any]) -> bool:
    body = json.dumps(event).encode()
    stored = services.webhook_receive(provider="stripe", path_token=PATH_TOKEN, raw_body=body, headers=signed(body))
    return services.webhook_handle(webhook_id=stored.pk)


def save(user: Any, key: str = "card") -> SavedMethod:
    return services.method_save(actor=user, provider="stripe", details={}, idempotency_key=key)


# saved cards


def test_a_card_is_saved_with_what_is_printed_on_it_and_nothing_else(alice: Any, stripe_world: StripeWorld) -> None:
    begun = save(alice)
    assert (begun.state, begun.action["kind"]) == ("pending", "stripe")
    card = stripe_world.card_given(str(begun.setup_ref))

    assert tell(stripe_world.events[-1])

    begun.refresh_from_db()
    assert (begun.state, begun.token, begun.brand, begun.last4, begun.exp_month, begun.exp_year) == ("ready", card, "visa", "4242", 8, 2031)
    assert begun.is_default and begun.action == {}
    assert GatewayCustomer.objects.get(user=alice).ref == stripe_world.objects[str(begun.setup_ref)]["customer"]
    (asked,) = stripe_world.sent("POST /v1/customers$")
    assert alice.email not in asked.body.decode() and alice.display_name not in asked.body.decode()


def test_the_same_key_saves_once_also_when_the_answer_is_lost(alice: Any, stripe_world: StripeWorld) -> None:
    stripe_world.fail("lost", "POST /v1/setup_intents$")
    with pytest.raises(Unavailable):
        save(alice)

    again = save(alice)

    assert SavedMethod.objects.count() == 1 and len(stripe_world.of("setup_intent")) == 1 and len(stripe_world.of("customer")) == 1
    assert again.setup_ref == stripe_world.of("setup_intent")[0]["id"]


def test_news_of_a_card_that_was_saved_while_we_were_deaf_comes_by_the_round(alice: Any, stripe_world: StripeWorld) -> None:
    begun = save(alice)
    stripe_world.card_given(str(begun.setup_ref))
    clock.advance(31)

    assert tasks.poll_people() == 1
    assert tasks.poll_people() == 0

    begun.refresh_from_db()
    assert begun.state == "ready"


def test_a_saved_card_pays_with_its_customer_and_only_for_its_owner(alice: Any, charlie: Any, stripe_world: StripeWorld) -> None:
    begun = save(alice)
    stripe_world.card_given(str(begun.setup_ref))
    services.method_refresh(method_id=begun.pk)
    paid = {"amount": Money(1000, "EUR"), "purpose": "wallet", "purpose_id": None, "provider": "stripe"}

    payment = services.payment_start(actor_id=alice.pk, method={"saved_method_id": str(begun.pk)}, idempotency_key="a", **paid)

    assert payment.state == "succeeded"
    with pytest.raises(NotFound):
        services.payment_start(actor_id=charlie.pk, method={"saved_method_id": str(begun.pk)}, idempotency_key="b", **paid)
    begun.refresh_from_db()
    stolen = services.payment_start(actor_id=charlie.pk, method={"payment_method": begun.token}, idempotency_key="c", **paid)
    assert (stolen.state, stolen.failure_code) == ("failed", "payment_method_customer_mismatch")


def test_a_setup_that_was_given_up_fails_and_another_can_be_begun(alice: Any, stripe_world: StripeWorld) -> None:
    begun = save(alice)
    stripe_world.setup_fails(str(begun.setup_ref))

    assert tell(stripe_world.events[-1])

    begun.refresh_from_db()
    assert (begun.state, begun.failure_code) == ("failed", "cancelled")
    assert save(alice, "another").state == "pending"


def test_a_removed_card_is_forgotten_at_stripe_now_or_by_the_next_round(
    alice: Any, stripe_world: StripeWorld, django_capture_on_commit_callbacks: Any
) -> None:
    begun = save(alice)
    card = stripe_world.card_given(str(begun.setup_ref))
    services.method_refresh(method_id=begun.pk)
    stripe_world.fail("error_before", "detach$")

    with django_capture_on_commit_callbacks(execute=True):
        services.method_remove(actor=alice, method_id=begun.pk)
    assert stripe_world.objects[card]["customer"] is not None
    assert not selectors.saved_methods_of(alice).exists()
    assert tasks.poll_people() == 1
    assert tasks.poll_people() == 0

    assert stripe_world.objects[card]["customer"] is None
    begun.refresh_from_db()
    assert (begun.state, begun.token) == ("removed", "")


def test_a_card_removed_while_it_was_being_saved_does_not_stay_at_stripe(alice: Any, stripe_world: StripeWorld) -> None:
    begun = save(alice)
    services.method_remove(actor=alice, method_id=begun.pk)
    card = stripe_world.card_given(str(begun.setup_ref))
    tell(stripe_world.events[-1])

    tasks.poll_people()

    assert stripe_world.objects[card]["customer"] is None


def test_what_the_bank_renews_is_printed_anew_and_what_it_takes_away_is_gone(alice: Any, stripe_world: StripeWorld) -> None:
    begun = save(alice)
    card = stripe_world.card_given(str(begun.setup_ref))
    services.method_refresh(method_id=begun.pk)
    stripe_world.objects[card]["card"] |= {"exp_year": 2036, "last4": "1111"}
    assert tell(stripe_world.event("payment_method.automatically_updated", stripe_world.objects[card]))
    begun.refresh_from_db()
    assert (begun.last4, begun.exp_year, begun.state) == ("1111", 2036, "ready")
    stripe_world.objects[card]["customer"] = None

    assert tell(stripe_world.event("payment_method.detached", stripe_world.objects[card]))

    begun.refresh_from_db()
    assert (begun.state, begun.is_default) == ("removed", False)


# payees


def connect(user: Any, country: str = "DE") -> PayeeAccount:
    return services.payee_connect(actor=user, provider="stripe", details={}, country=country)[0]


def test_a_payee_is_ready_when_stripe_says_so_and_restricted_when_it_asks_for_more(bob: Any, stripe_world: StripeWorld) -> None:
    account, page = services.payee_connect(actor=bob, provider="stripe", details={}, country="DE")
    assert page is not None and page.url.startswith("https://")
    assert account.state == "onboarding"
    with pytest.raises(Conflict, match="complete it"):
        selectors.payee_account_ready(bob, account.pk)
    stripe_world.onboarded(str(account.ref))
    assert tell(stripe_world.events[-1])
    account.refresh_from_db()
    assert (account.state, account.due, account.is_default) == ("ready", [], True)

    stripe_world.asks_for_more(str(account.ref))
    assert tell(stripe_world.events[-1])

    account.refresh_from_db()
    assert (account.state, account.due) == ("restricted", ["individual.verification.document"])
    kinds = Event.objects.filter(aggregate_id=account.pk, kind__startswith="payee_account.").values_list("kind", flat=True)
    assert list(kinds.order_by("pk")) == ["payee_account.enable", "payee_account.restrict"]


def test_old_news_of_a_payee_only_make_us_ask_again(bob: Any, stripe_world: StripeWorld) -> None:
    account = connect(bob)
    stripe_world.onboarded(str(account.ref))
    before = stripe_world.event(
        "account.updated", {**stripe_world.objects[str(account.ref)], "payouts_enabled": False}, account=account.ref
    )

    assert tell(before)

    account.refresh_from_db()
    assert account.state == "ready"


def test_connecting_again_goes_on_with_the_same_account(bob: Any, stripe_world: StripeWorld) -> None:
    stripe_world.fail("lost", "POST /v1/accounts$")
    with pytest.raises(Unavailable):
        connect(bob)

    first, second = connect(bob), connect(bob)

    assert first.pk == second.pk and PayeeAccount.objects.count() == 1
    assert len(stripe_world.of("account")) == 1
    assert len(stripe_world.sent("POST /v1/account_links$")) == 2


def test_a_payee_who_takes_our_access_away_is_disconnected(bob: Any, stripe_world: StripeWorld) -> None:
    account = connect(bob)
    stripe_world.onboarded(str(account.ref))
    tell(stripe_world.events[-1])
    del stripe_world.objects[str(account.ref)]

    assert tell(stripe_world.event("account.application.deauthorized", {"id": "ca_1", "object": "application"}, account=account.ref))

    account.refresh_from_db()
    assert (account.state, account.is_default) == ("removed", False)
    assert not selectors.payee_accounts_of(bob).exists()


def test_the_round_asks_about_payees_whose_news_were_lost(bob: Any, stripe_world: StripeWorld) -> None:
    account = connect(bob)
    assert tasks.poll_people() == 1
    assert tasks.poll_people() == 0, "not again within the hour"
    stripe_world.onboarded(str(account.ref))
    clock.advance(3601)

    assert tasks.poll_people() == 1

    account.refresh_from_db()
    assert account.state == "ready"
    clock.advance(24 * 3600 - 1)
    assert tasks.poll_people() == 0
    clock.advance(1)
    assert tasks.poll_people() == 1


def test_a_country_that_the_gateway_does_not_serve_is_told_before_it_is_asked(bob: Any, stripe_world: StripeWorld) -> None:
    with pytest.raises(InvalidInput, match="does not pay out to your country"):
        connect(bob, "KE")
    assert not PayeeAccount.objects.exists() and not stripe_world.sent("POST")


@pytest.mark.parametrize("typed", ["0712 345678", "+254712345678", "254712345678", "712345678", "0712-345-678"])
def test_a_phone_number_is_kept_in_one_way(bob: Any, settings: Any, mpesa_settings: dict[str, str], typed: str) -> None:
    settings.PAYMENT_CREDENTIALS = {"mpesa": mpesa_settings}
    first, _ = services.payee_connect(actor=bob, provider="mpesa", details={"phone": "0712345678"})

    account, page = services.payee_connect(actor=bob, provider="mpesa", details={"phone": typed})

    assert (account.pk, page) == (first.pk, None)
    assert (account.state, account.method, account.label) == ("ready", {"phone": "254712345678"}, "+254 … 678")


def test_an_address_of_paypal_is_ready_at_once_and_shown_in_part(
    bob: Any, settings: Any, paypal_credentials: Any, paypal_world: Any
) -> None:
    given = {"client_id": "id", "client_secret": "secret", "webhook_id": "w", "path_token": "p", "api": paypal_credentials.api}
    settings.PAYMENT_CREDENTIALS = {"paypal": given}
    with pytest.raises(InvalidInput):
        services.payee_connect(actor=bob, provider="paypal", details={"email": "nobody"})

    account, _ = services.payee_connect(actor=bob, provider="paypal", details={"email": "bob@example.org"})

    assert (account.state, account.method, account.label) == ("ready", {"email": "bob@example.org"}, "b…@example.org")
    assert paypal_world.requests == []


def test_news_of_a_strangers_account_are_kept_and_change_nothing(stripe_world: StripeWorld) -> None:
    assert tell(stripe_world.event("account.updated", {"id": "acct_x", "object": "account"}, account="acct_x"))

    assert WebhookEvent.objects.get().last_error == "" and stripe_world.sent("GET") == []
