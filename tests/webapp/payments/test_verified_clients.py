"""A client's means of payment counts as verified from their first payment that succeeds."""

from __future__ import annotations

from typing import Any

from marketplace.accounts.models import ClientProfile
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.payments import services
from tests.webapp.people import Person

USD_5 = Money(500, "USD")


def verified(user: Any) -> bool:
    drain()
    return ClientProfile.objects.filter(user=user, payment_verified=True).exists()


def told(user: Any) -> int:
    profile = ClientProfile.objects.get(user=user)
    return Event.objects.filter(kind="client_profile.verify", aggregate_id=profile.pk).count()


def test_only_a_payment_that_succeeded_verifies_and_once(alice: Any, charlie: Any, pay: Any) -> None:
    pay(alice, USD_5, "tok_declined")
    waiting = pay(alice, USD_5, "tok_3ds")
    assert (waiting.state, verified(alice)) == ("pending", False)
    pay(alice, USD_5)
    assert (verified(alice), told(alice), verified(charlie)) == (True, 1, False)
    pay(alice, USD_5)
    assert (verified(alice), told(alice)) == (True, 1)


def test_who_paid_before_they_had_a_client_profile_is_verified_with_it(bob: Any, pay: Any) -> None:
    assert not ClientProfile.objects.filter(user=bob).exists()
    assert pay(bob, USD_5).state == "succeeded"
    assert not verified(bob)
    assert Person(bob).put("me/client-profile", {"company_name": "Bob's"}).status_code == 200
    assert (verified(bob), told(bob)) == (True, 1)
    assert services.ledger_check(allow_empty=True).ok
