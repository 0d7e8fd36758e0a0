"""Any sequence of movements, in any order and repeated, conserves money and replays to its balances."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.core import clock
from marketplace.core.errors import DomainError
from marketplace.core.money import Money
from marketplace.payments import fees, selectors, services
from marketplace.payments.models import Account, FeeSchedule, FxRate

pytestmark = [pytest.mark.django_db, pytest.mark.parity]

CURRENCIES = ("USD", "JPY", "KWD")
MILESTONES = (0, 1, 2)
EXAMPLES = itertools.count(1)
AMOUNTS = st.integers(1, 5_000)

STEP = st.one_of(
    st.tuples(st.just("pay"), st.sampled_from(CURRENCIES), AMOUNTS, st.integers(0, 5)),
    st.tuples(st.just("hold"), st.sampled_from(MILESTONES), AMOUNTS),
    st.tuples(st.just("release"), st.sampled_from(MILESTONES), AMOUNTS, st.sampled_from((*CURRENCIES, "KES")), st.integers(1, 3)),
    st.tuples(st.just("refund"), st.sampled_from(MILESTONES), AMOUNTS),
    st.tuples(st.just("settle"), st.sampled_from(MILESTONES), AMOUNTS, AMOUNTS),
    st.tuples(st.just("clear"), st.sampled_from(MILESTONES)),
    st.tuples(st.just("payout"), st.sampled_from(CURRENCIES), AMOUNTS, st.integers(0, 3)),
)


def currency_of(milestone: int) -> str:
    return CURRENCIES[milestone % 3]


def take(step: tuple[Any, ...], example: int, client: Any, freelancer: Any) -> None:
    what, *rest = step
    if what not in ("pay", "payout"):
        rest[0] += 3 * example
    common = {"contract_id": 1, "actor_id": None, "rule": "test"}
    if what == "pay":
        currency, minor, key = rest
        services.payment_start(
            actor_id=client.pk,
            amount=Money(minor, currency),
            purpose="wallet",
            purpose_id=None,
            method={"token": "tok_visa"},
            idempotency_key=f"pay-{example}-{key}",
        )
    elif what == "payout":
        currency, minor, key = rest
        services.payout_request(
            actor=freelancer, amount=Money(minor, currency), method={"token": "bank_ok"}, idempotency_key=f"out-{example}-{key}"
        )
    elif what == "hold":
        services.hold(milestone_id=rest[0], payer_id=client.pk, amount=Money(rest[1], currency_of(rest[0])), **common)
    elif what == "release":
        milestone, minor, into, part = rest
        gross = Money(minor, currency_of(milestone))
        paid = {"payee_id": freelancer.pk, "payee_currency": into, "fee_schedule": "taxed"}
        services.release(milestone_id=milestone, gross=gross, part=part, **paid, **common)
    elif what == "refund":
        amount = Money(rest[1], currency_of(rest[0]))
        services.refund(milestone_id=rest[0], payer_id=client.pk, amount=amount, reason="test", **common)
    elif what == "settle":
        milestone, payee, payer = rest
        parts = {"to_payee": Money(payee, currency_of(milestone)), "to_payer": Money(payer, currency_of(milestone))}
        people = {"payer_id": client.pk, "payee_id": freelancer.pk, "payee_currency": "USD", "fee_schedule": "taxed", "reason": "test"}
        services.settle(milestone_id=milestone, **parts, **people, **common)
    else:
        services.clear(milestone_id=rest[0], payee_id=freelancer.pk, **common)


@pytest.fixture
def market(alice: Any, bob: Any) -> tuple[Any, Any]:
    FeeSchedule.objects.create(version="taxed", freelancer_fee_bps=1_000, tax_bps=1_900, active_from="2026-01-01T00:00:00Z")
    rates = {("USD", "JPY"): "151.37", ("USD", "KWD"): "0.3065", ("JPY", "KWD"): "0.002", ("USD", "KES"): "129.25"}
    for (base, quote), value in rates.items():
        FxRate.objects.create(
            base=base, quote=quote, rate=value, spread_bps=100, source="test", as_of=clock.now().date(), fetched_at=clock.now()
        )
    return alice, bob


def standing(currency: str) -> tuple[int, int]:
    """(debit balance of the gateway's clearing, credit balance of everything else), by replay."""
    there = Account.objects.filter(currency=currency).values_list("id", "kind")
    balances = [(kind, selectors.balance_replayed(i)) for i, kind in there]
    return -sum(b for kind, b in balances if kind == "clearing"), sum(b for kind, b in balances if kind != "clearing")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=25))
def test_any_sequence_of_movements_conserves_and_replays(market: tuple[Any, Any], steps: list[tuple[Any, ...]]) -> None:
    """Examples pile up in one ledger: each has milestones and keys of its own, accounts and balances are shared."""
    example = next(EXAMPLES)
    for step in steps:
        try:
            if step[0] == "pay":
                take(step, example, *market)
            else:
                with transaction.atomic():
                    take(step, example, *market)
        except DomainError:
            continue
    report = services.ledger_check(allow_empty=True, invariants=range(1, 9))
    assert report.violations == []
    for currency in (*CURRENCIES, "KES"):
        # what a gateway holds is what users and the platform are owed, currency by currency
        gateway, owed = standing(currency)
        assert gateway == owed
    for user in market:
        for balances in selectors.balances_of(user.pk):
            parts = (balances.wallet, balances.held, balances.pending, balances.available, balances.in_transit)
            assert all(part.minor >= 0 for part in parts)


@given(gross=st.integers(1, 10**12), fee_bps=st.integers(0, 5_000), tax_bps=st.integers(0, 3_000), currency=st.sampled_from(CURRENCIES))
@settings(max_examples=300, deadline=None)
def test_gross_is_fee_tax_and_net_and_each_part_is_within_one_unit(gross: int, fee_bps: int, tax_bps: int, currency: str) -> None:
    split = fees.split(Money(gross, currency), FeeSchedule(version="any", freelancer_fee_bps=fee_bps, tax_bps=tax_bps))

    assert split.fee + split.tax + split.net == Money(gross, currency)
    assert min(split.fee.minor, split.tax.minor, split.net.minor) >= 0
    assert abs(split.fee.minor * 10_000 - gross * fee_bps) < 10_000
    assert abs(split.tax.minor * 10_000**2 - gross * fee_bps * tax_bps) < 10_000**2
