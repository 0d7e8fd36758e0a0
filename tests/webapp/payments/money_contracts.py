"""The contracts that the money machine works on (test_money_machine), in the database and as parts of its model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marketplace.contracts.models import Contract, Milestone
from marketplace.jobs.models import Category, Job, Proposal
from marketplace.payments.models import FeeSchedule

from .money_model import CLIENT_BPS, CLIENT_LEAST, FEE_BPS, TAX_BPS, Part

START = datetime(2028, 2, 20, 12, tzinfo=UTC)  # before a leap day
#: contract: currency, the payee's, milestones, whether its client bears a fee. A won is worth less than a fils, so that pay can shrink to nothing
CONTRACTS = (("USD", "KRW", (700, 40_000), True), ("KRW", "KWD", (9, 5_000), True), ("KWD", "KWD", (1, 90_001), False))


def parts() -> list[Part]:
    return [Part(n, amount, currency, payee, top) for n, (currency, payee, amounts, top) in enumerate(CONTRACTS) for amount in amounts]


def three_contracts(alice: Any, bob: Any) -> list[Contract]:
    """Alice's contracts with Bob, each in another currency, nothing funded; she bears a fee on two of them."""
    prices = {"freelancer_fee_bps": FEE_BPS, "tax_bps": TAX_BPS, "active_from": "2026-01-01T00:00:00Z"}
    FeeSchedule.objects.create(version="machine", **prices)
    FeeSchedule.objects.create(version="machine-both-sides", client_fee_bps=CLIENT_BPS, client_minimum=CLIENT_LEAST, **prices)
    category, _ = Category.objects.get_or_create(slug="test", defaults={"name": "Test"})
    made = []
    for currency, payee, amounts, on_top in CONTRACTS:
        job = Job.objects.create(client=alice, title="A job", description="Work.", category=category, pricing="fixed", created_at=START)
        terms = {"amount_minor": sum(amounts), "currency": currency}
        proposal = Proposal.objects.create(job=job, freelancer=bob, cover_letter="Hello.", submitted_at=START, **terms)
        people = {"job": job, "proposal": proposal, "client": alice, "freelancer": bob}
        agreed = {"pricing": "fixed", "title": "A job", "currency": currency, "payee_currency": payee, "total_minor": sum(amounts)}
        times = {"state": "active", "offered_at": START, "started_at": START}
        version = "machine-both-sides" if on_top else "machine"
        contract = Contract.objects.create(fee_schedule=version, **people, **agreed, **times)
        for n, minor in enumerate(amounts, start=1):
            Milestone.objects.create(contract=contract, position=n, title=f"Part {n}", amount_minor=minor, currency=currency)
        made.append(contract)
    return made
