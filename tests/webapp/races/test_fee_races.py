"""Two payments of one contract at once: the second one's fee counts from what the first one paid. See test_contract_races."""

from __future__ import annotations

import os
from typing import Any

import pytest

from marketplace.contracts import services
from marketplace.contracts.models import Contract, Milestone
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.payments import services as payments
from marketplace.payments.models import Entry, FeeSchedule
from tests.webapp.races.rendezvous import behind_the_lock

pytestmark = pytest.mark.skipif(os.environ.get("OPENLANCE_TEST_DB") == "sqlite", reason="SQLite has one writer at a time: no such race")


def test_two_releases_and_a_bonus_of_one_contract_at_once(committed_db: None, alice: Any, bob: Any, contract: Contract, fund: Any) -> None:
    FeeSchedule.objects.create(
        version="tiers", freelancer_fee_bps=2_000, tiers={"USD": [[50_000, 500]]}, minimum={"USD": 900}, active_from=clock.now()
    )
    Contract.objects.filter(pk=contract.pk).update(fee_schedule="tiers")
    paid_in = {"purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}, "idempotency_key": "bonus"}
    payments.payment_start(actor_id=alice.pk, amount=Money(1_001, "USD"), **paid_in)
    both: list[Milestone] = list(contract.milestones.order_by("position"))
    for n, milestone in enumerate(both):
        fund(milestone, key=f"fund-{n}")
        services.milestone_start(actor=bob, milestone_id=milestone.pk)
        services.milestone_submit(actor=bob, milestone_id=milestone.pk, note="Done.")

    outcomes = behind_the_lock(
        contract.pk,
        *[lambda m=m: services.milestone_approve(actor=alice, milestone_id=m.pk) for m in both],
        lambda: services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=1_001, note="Thanks."),
    )

    assert not [o for o in outcomes if isinstance(o, Exception)], outcomes
    entries = list(Entry.objects.filter(kind__in=("release", "bonus")).order_by("id"))
    before = 0
    for entry in entries:
        assert entry.quote["before"] == before
        before += entry.gross_minor or 0
    assert (len(entries), before) == (3, 101_001)
    assert sum(e.quote["fee"] for e in entries) == 10_000 + 2_550
