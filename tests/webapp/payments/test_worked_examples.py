"""Movements of money as an accountant would write them: what is debited, what is credited, and what is left where."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.core.money import Money
from marketplace.payments import selectors, services
from marketplace.payments.models import Entry, FeeSchedule

pytestmark = [pytest.mark.django_db, pytest.mark.parity]


def USD(minor: int) -> Money:
    return Money(minor, "USD")


def page(entry: Entry) -> list[tuple[str, str, str, int]]:
    """The entry's lines: leg, debited account, credited account, minor units."""
    postings = entry.postings.order_by("line_no")
    return list(postings.values_list("leg", "debit_account__key", "credit_account__key", "amount"))


def funded(payer: Any, milestone_id: int, amount: Money, **method: str) -> None:
    payment = services.payment_start(
        actor_id=payer.pk,
        amount=amount,
        purpose="milestone",
        purpose_id=milestone_id,
        method={"token": "tok_visa", **method},
        idempotency_key=f"fund-{milestone_id}",
    )
    assert payment.state == "succeeded"
    services.hold(contract_id=1, milestone_id=milestone_id, payer_id=payer.pk, amount=amount, actor_id=payer.pk, rule="client_funding")


def released(payee: Any, milestone_id: int, gross: Money, currency: str = "USD", **more: Any) -> Entry:
    values = {"fee_schedule": "standard-1", "actor_id": None, "rule": "auto_approval_14d", **more}
    return services.release(contract_id=1, milestone_id=milestone_id, payee_id=payee.pk, gross=gross, payee_currency=currency, **values)


def test_a_deposit_debits_the_gateway_and_credits_the_wallet(alice: Any) -> None:
    payment = services.payment_start(
        actor_id=alice.pk, amount=USD(10_000), purpose="wallet", purpose_id=None, method={"token": "tok_visa"}, idempotency_key="d1"
    )

    entry = Entry.objects.get(kind="deposit", subject_id=payment.pk)
    assert page(entry) == [("deposit", "clearing:sandbox:USD", f"wallet:{alice.pk}:USD", 10_000)]
    assert selectors.balances_of(alice.pk)[0].wallet == USD(10_000)


def test_a_release_of_100_dollars_pays_90_to_the_freelancer_and_10_in_fees(alice: Any, bob: Any) -> None:
    funded(alice, 7, USD(10_000))

    entry = released(bob, 7, USD(10_000))

    assert page(entry) == [
        ("net", "hold:7:USD", f"pending:{bob.pk}:USD", 9_000),
        ("fee", "hold:7:USD", "fees:USD", 1_000),
    ]
    assert selectors.held(7) == USD(0)
    assert selectors.balances_of(bob.pk)[0].pending == USD(9_000)


def test_a_release_with_tax_has_three_legs_that_sum_to_the_gross(alice: Any, bob: Any) -> None:
    FeeSchedule.objects.create(version="taxed", freelancer_fee_bps=1_000, tax_bps=1_900, active_from="2026-01-01T00:00:00Z")
    funded(alice, 7, USD(10_001))

    entry = released(bob, 7, USD(10_001), fee_schedule="taxed")

    # fee 1000.1, tax 190.019, net 8810.881: the left-over cent goes to the largest remainder
    assert page(entry) == [
        ("net", "hold:7:USD", f"pending:{bob.pk}:USD", 8_811),
        ("fee", "hold:7:USD", "fees:USD", 1_000),
        ("tax", "hold:7:USD", "tax:USD", 190),
    ]


def test_clearing_moves_what_was_released_to_the_available_balance(alice: Any, bob: Any) -> None:
    funded(alice, 7, USD(10_000))
    released(bob, 7, USD(4_000), part=1)
    released(bob, 7, USD(6_000), part=2)

    entry = services.clear(contract_id=1, milestone_id=7, payee_id=bob.pk)

    assert page(entry) == [("clear", f"pending:{bob.pk}:USD", f"available:{bob.pk}:USD", 9_000)]
    balances = selectors.balances_of(bob.pk)[0]
    assert (balances.pending, balances.available) == (USD(0), USD(9_000))
