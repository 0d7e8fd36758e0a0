"""What people are told of their money: refunds, disputes of their bank, payments that came to nothing, cards and accounts."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.notifications.models import InboxItem
from marketplace.notifications.policies import RULES, words
from marketplace.payments import services
from marketplace.payments.models import Chargeback, Payment, PaymentRefund, PayoutMethod
from marketplace.payments.providers import sandbox
from marketplace.payments.providers.base import FetchedPayee
from tests.webapp.payments.places import connected

pytestmark = [pytest.mark.django_db]


def pay(user: Any, token: str = "tok_visa") -> Payment:
    values = {"amount": Money(5_000, "EUR"), "purpose": "wallet", "purpose_id": None, "method": {"token": token}}
    return services.payment_start(actor_id=user.pk, idempotency_key=f"pay {token}", **values)


def told(user: Any) -> list[tuple[str, str]]:
    drain()
    return list(InboxItem.objects.filter(user=user).order_by("pk").values_list("kind", "text"))


def test_a_refund_is_told_to_the_payer_when_it_is_sent_and_when_it_comes_back(alice: Any) -> None:
    payment = pay(alice)
    ask = {"payment_id": payment.pk, "amount": Money(5_000, "EUR"), "reason": "Too much."}
    refund = services.payment_refund_request(actor=alice, idempotency_key="r", **ask)
    services.payment_refund_refresh(refund_id=refund.pk)
    call_command("sandbox_event", PaymentRefund.objects.get().provider_ref, "fail")

    texts = dict(told(alice))

    assert "50.00 EUR were sent back" in texts["payment_refund.succeed"]
    assert "in your wallet again" in texts["payment_refund.return"]


def test_whoever_asked_for_a_refund_is_not_told_that_they_did(alice: Any) -> None:
    payment = pay(alice, "tok_refund_fails")
    refund = services.payment_refund_request(actor=alice, payment_id=payment.pk, amount=Money(1_000, "EUR"), idempotency_key="r")
    services.payment_refund_refresh(refund_id=refund.pk)
    services.payment_refund_refresh(refund_id=refund.pk)

    assert [kind for kind, _ in told(alice) if kind.startswith("payment")] == ["payment_refund.fail"]
    # nobody but the payer can ask, so that a rule for it would never fire
    assert "payment_refund.request" not in RULES and "payment_refund.request" not in words("de")


def test_a_banks_dispute_is_told_in_the_payers_language(alice: Any) -> None:
    alice.language = "de"
    alice.save(update_fields=["language"])
    payment = pay(alice)
    ref = sandbox.dispute(str(payment.provider_ref))
    services.chargeback_refresh(provider="sandbox", ref=ref)
    call_command("sandbox_event", Chargeback.objects.get().provider_ref, "win")

    texts = dict(told(alice))

    assert texts["chargeback.open"].startswith("Ihre Bank hat eine Zahlung von 50.00 EUR zurückgeholt")
    assert "die Zahlung gilt" in texts["chargeback.win"]


def test_a_payment_that_came_to_nothing_is_told(alice: Any) -> None:
    waiting = pay(alice, "tok_3ds")
    sandbox.challenge_answer(str(waiting.provider_ref), agrees=False)
    services.payment_refresh(payment_id=waiting.pk)

    assert [kind for kind, _ in told(alice)] == ["payment.fail"]


def test_a_payee_is_told_when_the_account_can_be_paid_to_and_when_not(bob: Any) -> None:
    from marketplace.payments import payout_onboarding

    row = PayoutMethod.objects.create(user=bob, provider="stripe", ref="acct_1", label="stripe … 4242", added_at=bob.date_joined)
    ready, asks = FetchedPayee("acct_1", True), FetchedPayee("acct_1", False, ("document",))
    for fetched in (ready, asks, ready, None):
        payout_onboarding._apply(row.pk, fetched)

    assert [kind for kind, _ in told(bob)] == [f"payout_method.{act}" for act in ("add", "restrict", "enable", "disconnect")]
    assert all("stripe … 4242" in text for _, text in told(bob))


@pytest.mark.parametrize("by", ["gateway", "owner"])
def test_that_an_account_is_gone_is_told_once(bob: Any, by: str) -> None:
    from marketplace.payments import payout_onboarding

    place = connected(bob, "acct_1")
    if by == "gateway":
        payout_onboarding._apply(place.pk, None)
    else:
        services.payout_method_remove(actor=bob, method_id=place.pk)

    assert [kind for kind, _ in told(bob)] == [f"payout_method.{'disconnect' if by == 'gateway' else 'remove'}"]
    place.refresh_from_db()
    assert (place.state, place.removed_at is not None) == ("removed", True)
