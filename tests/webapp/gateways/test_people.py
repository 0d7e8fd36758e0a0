"""Payers who save a card and payees who connect an account, through our services and a simulated provider."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import payout_methods, selectors, services, tasks
from marketplace.payments.models import GatewayCustomer, Payout, PayoutMethod, SavedMethod, WebhookEvent
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


def connect(user: Any, country: str = "DE") -> PayoutMethod:
    place = services.payout_method_add(actor=user, provider="stripe", method={}, country=country)
    services.payout_method_onboard(actor=user, method_id=place.pk)
    place.refresh_from_db()
    return place


def test_a_payee_is_ready_when_stripe_says_so_and_restricted_when_it_asks_for_more(bob: Any, stripe_world: StripeWorld) -> None:
    account = connect(bob)
    assert services.payout_method_onboard(actor=bob, method_id=account.pk).url.startswith("https://")
    assert (account.state, account.usable_at) == ("onboarding", None)
    with pytest.raises(Conflict, match="complete it"):
        payout_methods.place_of(bob, account.pk)
    stripe_world.onboarded(str(account.ref))
    assert tell(stripe_world.events[-1])
    account.refresh_from_db()
    assert (account.state, account.due, account.is_default) == ("ready", [], True)

    stripe_world.asks_for_more(str(account.ref))
    assert tell(stripe_world.events[-1])

    account.refresh_from_db()
    assert (account.state, account.due) == ("restricted", ["individual.verification.document"])
    kinds = Event.objects.filter(aggregate_id=account.pk, kind__startswith="payout_method.").values_list("kind", flat=True)
    assert list(kinds.order_by("pk")) == ["payout_method.begin", "payout_method.add", "payout_method.restrict"]


def test_an_account_counts_as_added_when_it_is_ready_first_and_waits_beside_another_place(
    bob: Any, settings: Any, stripe_world: StripeWorld, time_machine: Any
) -> None:
    time_machine.move_to(datetime(2026, 11, 4, 12, tzinfo=UTC), tick=False)
    settings.PAYMENT_PROVIDERS = ["sandbox", "stripe"]
    services.payout_method_add(actor=bob, provider="sandbox", method={"token": "bank_ok"})
    account = connect(bob)
    clock.advance(10 * 24 * 3600)

    stripe_world.onboarded(str(account.ref))
    assert tell(stripe_world.events[-1])

    account.refresh_from_db()
    assert (account.added_at, account.usable_at) == (clock.now(), clock.now() + timedelta(hours=72))
    assert not account.is_default
    assert Event.objects.filter(aggregate_id=account.pk, kind="payout_method.add_another").count() == 1
    stripe_world.asks_for_more(str(account.ref))
    tell(stripe_world.events[-1])
    clock.advance(24 * 3600)
    stripe_world.onboarded(str(account.ref))
    tell(stripe_world.events[-1])
    usable = account.usable_at
    account.refresh_from_db()
    assert (account.state, account.usable_at) == ("ready", usable), "questions that were answered are no new place"


def owed(payer: Any, payee: Any) -> Payout:
    """A payout to the account that the payee completes, asked for and not held any more."""
    services.payment_start(
        actor_id=payer.pk,
        amount=Money(50_000, "USD"),
        purpose="wallet",
        purpose_id=None,
        method={"token": "tok_visa"},
        idempotency_key="in",
        provider="sandbox",
    )
    about = {"contract_id": 1, "milestone_id": 1}
    rule = {"actor_id": payer.pk, "rule": "r"}
    paid = {"payee_id": payee.pk, "gross": Money(50_000, "USD"), "payee_currency": "USD", "fee_schedule": "standard-1"}
    run_in_transaction(lambda: services.hold(**about, payer_id=payer.pk, amount=Money(50_000, "USD"), **rule))
    run_in_transaction(lambda: services.release(**about, **paid, **rule))
    run_in_transaction(lambda: services.clear(**about, payee_id=payee.pk, **rule))
    provider, method = payout_methods.place_of(payee, None)
    payout = services.payout_request(actor=payee, amount=Money(40_000, "USD"), method=method, idempotency_key="p", provider=provider)
    Payout.objects.filter(pk=payout.pk).update(held_until=clock.now())
    return payout


def test_what_was_asked_for_waits_while_the_gateway_has_questions_and_fails_when_the_account_is_gone(
    alice: Any, bob: Any, settings: Any, stripe_world: StripeWorld
) -> None:
    settings.PAYMENT_PROVIDERS = ["sandbox", "stripe"]
    account = connect(bob)
    stripe_world.onboarded(str(account.ref))
    tell(stripe_world.events[-1])
    payout = owed(alice, bob)
    stripe_world.asks_for_more(str(account.ref))
    tell(stripe_world.events[-1])

    assert services.payout_send(payout_id=payout.pk).state == "held"
    assert not Event.objects.filter(kind="payout.clear").exists(), "nobody is told that it is sent now"
    assert stripe_world.sent("POST /v1/transfers$") == []

    del stripe_world.objects[str(account.ref)]
    tell(stripe_world.event("account.application.deauthorized", {"id": "ca_1", "object": "application"}, account=account.ref))
    payout.refresh_from_db()
    assert (payout.state, payout.failure_code) == ("failed", "method_removed")
    assert selectors.balances_of(bob.pk)[0].available.minor == 45_000
    assert services.ledger_check(invariants=range(1, 9)).violations == []


def test_what_waited_is_sent_when_the_questions_are_answered(alice: Any, bob: Any, settings: Any, stripe_world: StripeWorld) -> None:
    settings.PAYMENT_PROVIDERS = ["sandbox", "stripe"]
    account = connect(bob)
    for step in (stripe_world.onboarded, stripe_world.asks_for_more, stripe_world.onboarded):
        step(str(account.ref))
        tell(stripe_world.events[-1])
        if step == stripe_world.onboarded and not Payout.objects.exists():
            payout = owed(alice, bob)

    assert services.payout_send(payout_id=payout.pk).state == "sent"


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

    assert first.pk == second.pk and PayoutMethod.objects.count() == 1
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
    assert not payout_methods.methods_of(bob.pk).exists()


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
    assert not PayoutMethod.objects.exists() and not stripe_world.sent("POST")


@pytest.mark.parametrize("typed", ["0712 345678", "+254712345678", "254712345678", "712345678", "0712-345-678"])
def test_a_phone_number_is_kept_in_one_way(bob: Any, settings: Any, mpesa_settings: dict[str, str], typed: str) -> None:
    settings.PAYMENT_CREDENTIALS = {"mpesa": mpesa_settings}
    first = services.payout_method_add(actor=bob, provider="mpesa", method={"phone": "0712345678"}, country="KE")

    place = services.payout_method_add(actor=bob, provider="mpesa", method={"phone": typed}, country="KE")

    assert place.pk == first.pk
    assert (place.state, place.details, place.label) == ("ready", {"phone": "254712345678"}, "+254 … 678")


def test_an_address_of_paypal_is_ready_at_once_and_shown_in_part(
    bob: Any, settings: Any, paypal_credentials: Any, paypal_world: Any
) -> None:
    given = {"client_id": "id", "client_secret": "secret", "webhook_id": "w", "path_token": "p", "api": paypal_credentials.api}
    settings.PAYMENT_CREDENTIALS = {"paypal": given}
    with pytest.raises(InvalidInput):
        services.payout_method_add(actor=bob, provider="paypal", method={"email": "nobody"})

    place = services.payout_method_add(actor=bob, provider="paypal", method={"email": "bob@example.org"})

    assert (place.state, place.details, place.label) == ("ready", {"email": "bob@example.org"}, "b…@example.org")
    assert paypal_world.requests == []


def test_news_of_a_strangers_account_are_kept_and_change_nothing(stripe_world: StripeWorld) -> None:
    assert tell(stripe_world.event("account.updated", {"id": "acct_x", "object": "account"}, account="acct_x"))

    assert WebhookEvent.objects.get().last_error == "" and stripe_world.sent("GET") == []
