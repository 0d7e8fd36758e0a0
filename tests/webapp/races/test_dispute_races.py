"""Two at once on one dispute: one settlement, one split of the money, and the other act learns of it. See test_contract_races."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest

from marketplace.contracts.models import Milestone
from marketplace.core import clock
from marketplace.core.errors import Conflict
from marketplace.core.models import Event
from marketplace.disputes import services, tasks
from marketplace.disputes.models import Dispute, SplitOffer
from marketplace.payments.models import Entry
from tests.webapp.races.rendezvous import behind_the_lock

pytestmark = pytest.mark.skipif(os.environ.get("OPENLANCE_TEST_DB") == "sqlite", reason="SQLite has one writer at a time: no such race")

SPLIT = {"to_freelancer_minor": 30_000, "to_client_minor": 10_000, "reason": "Three of four pages."}


def refused(outcomes: list[Any]) -> int:
    assert [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, Conflict)] == []
    return sum(isinstance(o, Conflict) for o in outcomes)


def settlements(dispute: Dispute) -> list[int]:
    rows = Entry.objects.filter(subject_type="milestone", subject_id=dispute.milestone_id, kind="settle")
    return list(rows.values_list("gross_minor", flat=True))


def found(dispute: Dispute) -> tuple[str, str]:
    dispute.refresh_from_db()
    return dispute.state, Milestone.objects.get(pk=dispute.milestone_id).state


def to_stage(dispute: Dispute, stage: str) -> None:
    while dispute.state != stage:
        clock.advance(int((dispute.decide_by - clock.now()) / timedelta(seconds=1)) + 1)
        assert services.dispute_advance(dispute_id=dispute.pk) is True
        dispute.refresh_from_db()


@pytest.fixture
def answered(bob: Any, dispute: Dispute) -> Dispute:
    return services.dispute_respond(actor=bob, dispute_id=dispute.pk, text="Every page has its figures.")


def test_two_offers_that_meet_at_once_settle_once_in_their_middle(committed_db: None, alice: Any, bob: Any, answered: Dispute) -> None:
    outcomes = behind_the_lock(
        answered.milestone.contract_id,
        lambda: services.dispute_offer(actor=alice, dispute_id=answered.pk, to_freelancer_minor=30_000),
        lambda: services.dispute_offer(actor=bob, dispute_id=answered.pk, to_freelancer_minor=20_000),
    )
    assert refused(outcomes) == 0, "neither offer is lost: the second of them finds the first"
    assert sorted(o.state for o in outcomes) == ["negotiation", "settled"]
    assert (found(answered), settlements(answered)) == (("settled", "resolved"), [25_000])
    assert SplitOffer.objects.count() == 2


def test_a_decision_racing_a_withdrawal_leaves_one_of_them(committed_db: None, alice: Any, sam: Any, answered: Dispute) -> None:
    to_stage(answered, "decision")
    outcomes = behind_the_lock(
        answered.milestone.contract_id,
        lambda: services.dispute_decide(actor=sam, dispute_id=answered.pk, **SPLIT),
        lambda: services.dispute_withdraw(actor=alice, dispute_id=answered.pk),
    )
    assert refused(outcomes) == 1
    decided = isinstance(outcomes[1], Conflict)
    assert found(answered) == (("appeal", "disputed") if decided else ("withdrawn", "submitted"))
    assert settlements(answered) == [], "a first decision moves no money, a withdrawal none"


def test_two_decisions_at_once_are_one(committed_db: None, sam: Any, staff: Any, answered: Dispute) -> None:
    other = staff("admin")
    to_stage(answered, "decision")
    outcomes = behind_the_lock(
        answered.milestone.contract_id,
        lambda: services.dispute_decide(actor=sam, dispute_id=answered.pk, **SPLIT),
        lambda: services.dispute_decide(actor=other, dispute_id=answered.pk, **SPLIT),
    )
    assert refused(outcomes) == 1
    answered.refresh_from_db()
    assert answered.first_decider_id == (other.pk if isinstance(outcomes[0], Conflict) else sam.pk)
    assert Event.objects.filter(kind="dispute.decide").count() == 1


def test_an_appeal_racing_its_deadline_leaves_one_of_them(committed_db: None, bob: Any, sam: Any, answered: Dispute) -> None:
    to_stage(answered, "decision")
    decided = services.dispute_decide(actor=sam, dispute_id=answered.pk, **SPLIT)
    clock.advance(int((decided.decide_by - clock.now()) / timedelta(seconds=1)) + 1)
    outcomes = behind_the_lock(
        answered.milestone.contract_id,
        lambda: services.dispute_appeal(actor=bob, dispute_id=answered.pk, reason="All four are there."),
        lambda: services.dispute_advance(dispute_id=answered.pk),
    )
    final = isinstance(outcomes[0], Conflict)
    assert outcomes[1] is final
    assert found(answered) == (("settled", "resolved") if final else ("appealed", "disputed"))
    assert settlements(answered) == ([30_000] if final else [])


def test_the_clock_delivered_twice_at_once_grants_the_claim_once(committed_db: None, dispute: Dispute) -> None:
    clock.advance(int((dispute.decide_by - clock.now()) / timedelta(seconds=1)) + 1)
    assert sorted(behind_the_lock(dispute.milestone.contract_id, tasks.advance_due, tasks.advance_due)) == [0, 1]
    assert found(dispute) == ("settled", "resolved")
    assert Entry.objects.filter(subject_type="milestone", subject_id=dispute.milestone_id, kind="settle").count() == 1
    assert Event.objects.filter(kind="dispute.grant_claim").count() == 1
