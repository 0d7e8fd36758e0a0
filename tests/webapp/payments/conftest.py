"""Helpers of the money tests: funding through the sandbox, milestones with a real contract, and the proof after each test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import services
from marketplace.payments.models import Entry, Payment

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
Pay = Callable[..., Payment]


@pytest.fixture
def pay() -> Pay:
    """pay(user, Money, token="tok_visa", key=…) → the payment into the user's wallet."""
    count = iter(range(1, 1_000_000))

    def start(user: Any, amount: Money, token: str = "tok_visa", key: str | None = None, purpose: str = "wallet") -> Payment:
        return services.payment_start(
            actor_id=user.pk,
            amount=amount,
            purpose=purpose,
            purpose_id=None,
            method={"token": token},
            idempotency_key=key or f"pay-{next(count)}",
        )

    return start


@pytest.fixture
def fund(pay: Pay) -> Callable[..., Entry]:
    """fund(payer, milestone_id, Money) → the hold's entry, after a payment of that amount."""

    def start(payer: Any, milestone_id: int, amount: Money) -> Entry:
        assert pay(payer, amount).state == "succeeded"
        values = {"contract_id": 1, "payer_id": payer.pk, "actor_id": payer.pk, "rule": "client_funding"}
        return run_in_transaction(lambda: services.hold(milestone_id=milestone_id, amount=amount, **values))

    return start


@pytest.fixture
def release() -> Callable[..., Entry]:
    """release(payee, milestone_id, gross, currency="USD", …) → the release's entry."""

    def start(payee: Any, milestone_id: int, gross: Money, currency: str = "USD", **more: Any) -> Entry:
        values = {"contract_id": 1, "fee_schedule": "standard-1", "actor_id": None, "rule": "auto_approval_14d", **more}
        paid = {"milestone_id": milestone_id, "payee_id": payee.pk, "gross": gross, "payee_currency": currency}
        return run_in_transaction(lambda: services.release(**paid, **values))

    return start


@pytest.fixture
def earn(fund: Any, release: Any) -> Callable[..., int]:
    """earn(payer, payee, milestone_id, gross) → what the payee then has available, in minor units."""

    def start(payer: Any, payee: Any, milestone_id: int, gross: Money) -> int:
        fund(payer, milestone_id, gross)
        release(payee, milestone_id, gross, gross.currency)
        entry = run_in_transaction(lambda: services.clear(contract_id=1, milestone_id=milestone_id, payee_id=payee.pk))
        return int(entry.postings.get().amount)

    return start


@pytest.fixture
def proven() -> Callable[[], None]:
    """Proves invariants 1-8 (9 needs milestones: see test_check)."""

    def check() -> None:
        report = services.ledger_check(invariants=range(1, 9))
        assert report.violations == []
        assert report.ok

    return check


@pytest.fixture
def milestone() -> Callable[..., Any]:
    """milestone(client, freelancer, amount, state) → a row with its job, proposal and contract."""
    from marketplace.contracts.models import Contract, Milestone
    from marketplace.jobs.models import Category, Job, Proposal

    def make(client: Any, freelancer: Any, amount: Money, state: str) -> Any:
        category, _ = Category.objects.get_or_create(slug="test", defaults={"name": "Test"})
        job = Job.objects.create(client=client, title="A job", description="Work.", category=category, pricing="fixed", created_at=NOW)
        terms = {"amount_minor": amount.minor, "currency": amount.currency}
        proposal = Proposal.objects.create(job=job, freelancer=freelancer, cover_letter="Hello.", submitted_at=NOW, **terms)
        contract = Contract.objects.create(
            job=job,
            proposal=proposal,
            client=client,
            freelancer=freelancer,
            pricing="fixed",
            title="A job",
            currency=amount.currency,
            payee_currency=amount.currency,
            total_minor=amount.minor,
            fee_schedule="standard-1",
            offered_at=NOW,
        )
        return Milestone.objects.create(contract=contract, position=1, title="All of it", state=state, **terms)

    return make
