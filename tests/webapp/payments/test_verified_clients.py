"""A client's means of payment counts as verified from their first payment that succeeds."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management.sql import emit_post_migrate_signal

from marketplace.accounts.models import ClientProfile
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.payments import services
from marketplace.payments.events import verify_earlier_payers
from marketplace.payments.models import Payment
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


def paid_before(user: Any, pay: Any) -> None:
    """Somebody paid when nobody noted it: the payment is there, the profile knows nothing, and no event of it waits."""
    assert pay(user, USD_5).state == "succeeded"
    drain()
    ClientProfile.objects.filter(user=user).update(payment_verified=False)


def test_migrate_verifies_who_paid_before_it_was_noted(alice: Any, charlie: Any, pay: Any) -> None:
    pay(charlie, USD_5, "tok_declined")
    paid_before(alice, pay)
    earlier = told(alice)
    assert (verified(alice), verified(charlie)) == (False, False)
    for _ in range(2):
        emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
        assert (verified(alice), told(alice) - earlier, verified(charlie), told(charlie)) == (True, 1, False, 0)


@pytest.mark.parametrize(
    ("state", "found"),
    [("partially_refunded", 1), ("refunded", 1), ("charged_back", 1), ("created", 0), ("pending", 0), ("failed", 0), ("cancelled", 0)],
)
def test_a_payment_that_once_succeeded_is_proof_whatever_became_of_it(alice: Any, pay: Any, state: str, found: int) -> None:
    paid_before(alice, pay)
    Payment.objects.update(state=state)
    assert (verify_earlier_payers(), verify_earlier_payers()) == (found, 0)
    assert verified(alice) is bool(found)


def test_who_paid_often_is_verified_once_and_who_has_no_profile_not_at_all(alice: Any, bob: Any, pay: Any) -> None:
    pay(alice, USD_5)
    pay(bob, USD_5)
    paid_before(alice, pay)
    assert (verify_earlier_payers(), verify_earlier_payers()) == (1, 0)
    assert (verified(alice), verified(bob)) == (True, False)
