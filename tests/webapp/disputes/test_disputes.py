"""A dispute stops every clock, and its end moves exactly what is held."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from marketplace.contracts import services as work
from marketplace.contracts import tasks
from marketplace.contracts.models import Contract, Milestone
from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from marketplace.core.money import Money
from marketplace.disputes import services
from marketplace.disputes.models import Dispute
from marketplace.disputes.selectors import dispute_for
from marketplace.payments.models import Entry
from marketplace.payments.selectors import balances_of, held
from tests.webapp.people import Person

SPLIT = {"to_freelancer_minor": 30_000, "to_client_minor": 10_000, "reason": "Three of four pages were delivered."}


def _kinds() -> list[str]:
    return list(Entry.objects.filter(subject_type="milestone").order_by("id").values_list("kind", flat=True))


def _usd(user: Any) -> tuple[int, int, int]:
    """(wallet, held, pending) in USD minor units."""
    found = {b.currency: b for b in balances_of(user.pk)}["USD"]
    return found.wallet.minor, found.held.minor, found.pending.minor


def test_a_disputed_milestone_is_never_approved_by_silence(dispute: Dispute, days: Any) -> None:
    days(40)
    assert tasks.auto_approve_due() == 0
    assert work.milestone_auto_approve(milestone_id=dispute.milestone_id) is False
    milestone = Milestone.objects.get(pk=dispute.milestone_id)
    assert (milestone.state, milestone.disputed_from, milestone.decide_by) == ("disputed", "submitted", dispute.decide_by)
    assert Contract.objects.get(pk=milestone.contract_id).disputed_at is not None
    assert held(milestone.pk) == Money(40_000, "USD")


def test_nobody_acts_on_a_disputed_milestone(alice: Any, bob: Any, dispute: Dispute) -> None:
    for act in (
        lambda: work.milestone_approve(actor=alice, milestone_id=dispute.milestone_id),
        lambda: work.milestone_refund(actor=bob, milestone_id=dispute.milestone_id),
        lambda: work.milestone_submit(actor=bob, milestone_id=dispute.milestone_id, note="Again."),
        lambda: services.dispute_open(actor=bob, milestone_id=dispute.milestone_id, claim="Me too."),
    ):
        with pytest.raises(Conflict):
            act()
    assert _kinds() == ["hold"]
    assert Dispute.objects.count() == 1


def test_a_withdrawn_dispute_goes_back_to_where_it_was_and_the_clock_resumes(alice: Any, submitted: Milestone, days: Any) -> None:
    before = submitted.auto_approve_at
    days(2)
    dispute = services.dispute_open(actor=alice, milestone_id=submitted.pk, claim="The pages are empty.")
    days(10)
    services.dispute_withdraw(actor=alice, dispute_id=dispute.pk)
    submitted.refresh_from_db()
    assert submitted.state == "submitted"
    assert timedelta(days=10) <= submitted.auto_approve_at - before < timedelta(days=10, minutes=5)
    assert Contract.objects.get(pk=submitted.contract_id).disputed_at is None
    days(3)
    assert tasks.auto_approve_due() == 0
    days(9.1)
    assert tasks.auto_approve_due() == 1


@pytest.mark.parametrize("order", ["PDRW", "DPRW", "PDWR", "DPWR"])
def test_a_pause_and_a_dispute_put_the_clock_off_by_the_time_that_either_stood_and_no_more(
    order: str, alice: Any, sam: Any, submitted: Milestone, days: Any
) -> None:
    before = submitted.auto_approve_at
    acts = {
        "P": lambda: work.contract_pause(actor=sam, contract_id=submitted.contract_id, reason="Both are on holiday."),
        "R": lambda: work.contract_resume(actor=sam, contract_id=submitted.contract_id),
        "D": lambda: services.dispute_open(actor=alice, milestone_id=submitted.pk, claim="The pages are empty."),
        "W": lambda: services.dispute_withdraw(actor=alice, dispute_id=Dispute.objects.get().pk),
    }
    for letter in order:
        days(5)
        acts[letter]()
    submitted.refresh_from_db()
    assert submitted.state == "submitted"
    assert timedelta(days=15) <= submitted.auto_approve_at - before < timedelta(days=15, minutes=5)
    days(8.9)
    assert tasks.auto_approve_due() == 0
    days(0.2)
    assert tasks.auto_approve_due() == 1


def test_a_second_dispute_may_follow_a_withdrawn_one(alice: Any, bob: Any, dispute: Dispute) -> None:
    services.dispute_withdraw(actor=alice, dispute_id=dispute.pk)
    again = services.dispute_open(actor=bob, milestone_id=dispute.milestone_id, claim="She does not answer.")
    assert again.state == "opened"


def test_a_settlement_splits_what_is_held_to_the_cent(alice: Any, bob: Any, sam: Any, dispute: Dispute, days: Any) -> None:
    done = services.dispute_settle(actor=sam, dispute_id=dispute.pk, **SPLIT)
    assert (done.state, done.decided_by_id) == ("settled", sam.pk)
    assert Milestone.objects.get(pk=dispute.milestone_id).state == "resolved"
    assert (_usd(alice), _usd(bob)) == ((10_000, 0, 0), (0, 0, 27_000))
    days(5.01)
    assert tasks.clear_due() == 1
    assert _kinds() == ["hold", "settle", "clear"]


@pytest.mark.parametrize(("to_freelancer", "to_client"), [(40_000, 0), (0, 40_000)])
def test_all_to_one_side(alice: Any, bob: Any, sam: Any, dispute: Dispute, to_freelancer: int, to_client: int, days: Any) -> None:
    services.dispute_settle(
        actor=sam, dispute_id=dispute.pk, to_freelancer_minor=to_freelancer, to_client_minor=to_client, reason="It is clear."
    )
    assert _usd(alice)[0] == to_client
    days(6)
    assert tasks.clear_due() == int(to_freelancer > 0)


@pytest.mark.parametrize(("to_freelancer", "to_client"), [(30_000, 9_999), (30_000, 10_001), (-1, 40_001), (40_001, -1), (0, 0)])
def test_a_split_that_does_not_sum_moves_nothing(sam: Any, dispute: Dispute, to_freelancer: int, to_client: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        services.dispute_settle(
            actor=sam, dispute_id=dispute.pk, to_freelancer_minor=to_freelancer, to_client_minor=to_client, reason="Wrong."
        )
    assert refused.value.code == "split_invalid"
    dispute.refresh_from_db()
    assert (dispute.state, dispute.settled_at) == ("opened", None)
    assert _kinds() == ["hold"]


def test_a_dispute_is_decided_once(alice: Any, sam: Any, dispute: Dispute) -> None:
    services.dispute_settle(actor=sam, dispute_id=dispute.pk, **SPLIT)
    with pytest.raises(Conflict):
        services.dispute_settle(actor=sam, dispute_id=dispute.pk, **SPLIT)
    with pytest.raises(Conflict):
        services.dispute_withdraw(actor=alice, dispute_id=dispute.pk)
    assert _kinds() == ["hold", "settle"]


def test_who_may_do_what(alice: Any, bob: Any, charlie: Any, dispute: Dispute) -> None:
    for actor in (alice, bob):
        with pytest.raises(NotAllowed):
            services.dispute_settle(actor=actor, dispute_id=dispute.pk, **SPLIT)
    with pytest.raises(NotAllowed):
        services.dispute_withdraw(actor=bob, dispute_id=dispute.pk)
    with pytest.raises(NotFound):
        dispute_for(charlie, dispute.pk)
    with pytest.raises(NotFound):
        services.dispute_settle(actor=charlie, dispute_id=dispute.pk, **SPLIT)
    assert _kinds() == ["hold"]


def test_staff_never_judge_their_own_contract(bob: Any, dispute: Dispute) -> None:
    bob.is_staff = True
    bob.save(update_fields=["is_staff"])
    with pytest.raises(NotAllowed):
        services.dispute_settle(actor=bob, dispute_id=dispute.pk, **SPLIT)
    assert _kinds() == ["hold"]


def test_only_held_money_can_be_disputed(alice: Any, planned: Milestone) -> None:
    with pytest.raises(Conflict):
        services.dispute_open(actor=alice, milestone_id=planned.pk, claim="Nothing happened.")
    assert Dispute.objects.count() == 0


def test_the_contract_leads_to_its_dispute(bob: Any, dispute: Dispute) -> None:
    milestones = Person(bob).get(f"contracts/{dispute.milestone.contract_id}").json()["milestones"]
    assert [m["dispute_id"] for m in milestones if m["state"] == "disputed"] == [dispute.pk]
    assert {m["dispute_id"] for m in milestones if m["state"] != "disputed"} == {None}


@pytest.mark.parametrize(
    ("stage", "who", "word", "act"),
    [
        ("opened", "bob", "respond", lambda user, pk: services.dispute_respond(actor=user, dispute_id=pk, text="They are not.")),
        ("proposal", "bob", "accept", lambda user, pk: services.dispute_accept(actor=user, dispute_id=pk)),
        ("appeal", "bob", "appeal", lambda user, pk: services.dispute_appeal(actor=user, dispute_id=pk, reason="All is there.")),
    ],
    ids=["response", "proposal", "appeal"],
)
def test_what_is_offered_after_a_stages_end_still_counts_until_the_clock_has_acted(
    request: pytest.FixtureRequest, alice: Any, bob: Any, staff: Any, dispute: Dispute, stage: str, who: str, word: str, act: Any
) -> None:
    def to_the_end() -> None:
        left = (Dispute.objects.get(pk=dispute.pk).decide_by - clock.now()) / timedelta(seconds=1)
        clock.advance(int(left) + (left > int(left)))

    if stage != "opened":
        services.dispute_respond(actor=bob, dispute_id=dispute.pk, text="They are not empty.")
    while (found := Dispute.objects.get(pk=dispute.pk)).state != stage:
        if found.state == "decision":
            parts = {"to_freelancer_minor": 20_000, "to_client_minor": 20_000}
            services.dispute_decide(actor=staff("support"), dispute_id=dispute.pk, reason="Half of it is there.", **parts)
            continue
        to_the_end()
        assert services.dispute_advance(dispute_id=dispute.pk)
    to_the_end()
    user = request.getfixturevalue(who)

    def offered() -> bool:
        return word in Person(user).get(f"disputes/{dispute.pk}").json()["actions"]

    assert offered()
    with transaction.atomic():
        act(user, dispute.pk)
        transaction.set_rollback(True)
    assert services.dispute_advance(dispute_id=dispute.pk)
    assert not offered()
    with pytest.raises(Conflict):
        act(user, dispute.pk)
