"""Contracts at each stage, made by the services themselves, as people would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from marketplace.contracts import services
from marketplace.contracts.models import Contract, Milestone
from marketplace.core import clock
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Category
from marketplace.payments.services import ledger_check

DAY = 24 * 3600
PARTS = [
    {"title": "Design", "amount_minor": 40_000, "due_in_days": 10, "acceptance": ["Figures on every page", "Works at 360 px"]},
    {"title": "Build", "amount_minor": 60_000, "due_in_days": 30, "acceptance": []},
]


@pytest.fixture
def days() -> Callable[[float], Any]:
    """days(n) moves business time forward by n days."""
    return lambda n: clock.advance(int(n * DAY))


@pytest.fixture
def proposal(alice: Any, bob: Any) -> Any:
    """Bob's bid of 1,000.00 USD in two milestones on Alice's open job."""
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    job = jobs.job_create(
        actor=alice, title="A web shop", description="A shop with a cart and a checkout.", category="web-development", pricing="fixed"
    )
    jobs.job_publish(actor=alice, job_id=job.pk)
    return jobs.proposal_submit(
        actor=bob,
        job_id=job.pk,
        cover_letter="I have built ten of these.",
        amount_minor=100_000,
        currency="USD",
        delivery_days=30,
        milestones=PARTS,
        answers=[],
    )


@pytest.fixture
def offer(alice: Any, proposal: Any) -> Contract:
    """Alice's offer to Bob."""
    return services.offer_make(actor=alice, proposal_id=proposal.pk)


@pytest.fixture
def contract(bob: Any, offer: Contract) -> Contract:
    """The accepted contract."""
    return services.offer_accept(actor=bob, contract_id=offer.pk)


@pytest.fixture
def fund(alice: Any) -> Callable[..., Milestone]:
    """fund(milestone, token="tok_visa", key=…) pays through the sandbox, as Alice."""

    def pay(milestone: Milestone, token: str = "tok_visa", key: str = "fund-1") -> Milestone:
        _, paid = services.milestone_fund(
            actor=alice, milestone_id=milestone.pk, provider="sandbox", method={"token": token}, idempotency_key=key
        )
        return paid

    return pay


@pytest.fixture
def planned(contract: Contract) -> Milestone:
    """The first milestone, not funded yet."""
    return contract.milestones.get(position=1)


@pytest.fixture
def funded(planned: Milestone, fund: Callable[..., Milestone]) -> Milestone:
    """The first milestone, funded with 400.00 USD."""
    return fund(planned)


@pytest.fixture
def submitted(bob: Any, funded: Milestone) -> Milestone:
    """The first milestone with its first version handed in."""
    services.milestone_start(actor=bob, milestone_id=funded.pk)
    return services.milestone_submit(actor=bob, milestone_id=funded.pk, note="First version, see the preview.")


@pytest.fixture
def dispute(alice: Any, submitted: Milestone) -> Dispute:
    """Alice's dispute on the submitted milestone."""
    return disputes.dispute_open(actor=alice, milestone_id=submitted.pk, claim="The pages are empty.")


@pytest.fixture(autouse=True)
def books_balance(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did, every money invariant (or the module's INVARIANTS) holds afterwards, checked before its database is emptied."""
    request.getfixturevalue("committed_db" if "committed_db" in request.fixturenames else "db")
    yield
    report = ledger_check(allow_empty=True, invariants=getattr(request.module, "INVARIANTS", range(1, 13)))
    assert report.ok, report.violations
