"""Offers that run out, and the other terms that a freelancer proposes for one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from marketplace.contracts import services, tasks
from marketplace.contracts.models import Contract, CounterOffer, Offer, WorkTask
from marketplace.contracts.services.weeks import hours_agree
from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from marketplace.core.models import DeletedRow, Event
from marketplace.jobs.models import Proposal
from tests.webapp.people import Person

WHOLE = [{"title": "All of it", "amount_minor": 120_000, "due_in_days": 20}]


def to_the_end(offer: Offer, seconds: int) -> None:
    left = (offer.expires_at - clock.now()) / timedelta(seconds=1)
    clock.advance(int(left) + (left > int(left)) + seconds)


def counter(actor: Any, offer: Contract, milestones: Any = WHOLE) -> CounterOffer:
    return services.counter_offer_make(actor=actor, contract_id=offer.pk, milestones=milestones)


def test_an_offer_can_be_taken_until_its_last_second(bob: Any, offer: Contract) -> None:
    to_the_end(offer.offer, -2)
    assert tasks.expire_offers_due() == 0
    assert services.offer_accept(actor=bob, contract_id=offer.pk).state == "active"
    clock.advance(10)
    assert tasks.expire_offers_due() == 0
    assert Offer.objects.get(pk=offer.pk).open_until is None


def test_an_offer_ends_at_its_instant_once_also_when_the_clock_is_late(bob: Any, offer: Contract) -> None:
    to_the_end(offer.offer, 0)
    with pytest.raises(Conflict, match="offer_expired"):
        services.offer_accept(actor=bob, contract_id=offer.pk)
    clock.advance(2 * 24 * 3600)
    assert (tasks.expire_offers_due(), tasks.expire_offers_due()) == (1, 0)
    assert services.offer_expire(contract_id=offer.pk) is False
    offer.refresh_from_db()
    assert (offer.state, set(offer.milestones.values_list("state", flat=True))) == ("cancelled", {"cancelled"})
    proposal = Proposal.objects.get(pk=offer.proposal_id)
    assert (proposal.state, proposal.live_key) == ("expired", None)
    assert Event.objects.filter(kind="contract.expire").count() == 1


def test_taken_terms_replace_the_milestones_and_leave_a_tombstone(alice: Any, bob: Any, offer: Contract) -> None:
    first, second = offer.milestones.order_by("position")
    services.counter_offer_accept(actor=alice, counter_offer_id=counter(bob, offer).pk)
    offer.refresh_from_db()
    (row,) = offer.milestones.all()
    assert (row.pk, row.title, row.amount_minor, offer.total_minor) == (first.pk, "All of it", 120_000, 120_000)
    assert DeletedRow.objects.filter(table_name="contracts_milestone", row_id=second.pk).exists()
    clock.advance(3 * 24 * 3600)
    contract = services.offer_accept(actor=bob, contract_id=offer.pk, revision=2)
    assert contract.started_at is not None
    assert contract.milestones.get().due_at - contract.started_at == timedelta(days=20)


def test_a_milestone_that_the_new_terms_drop_takes_its_board_along(alice: Any, bob: Any, offer: Contract) -> None:
    first, second = offer.milestones.order_by("position")
    kept = services.work_task_add(actor=alice, milestone_id=first.pk, title="Colours", column="todo", assignee="")
    services.work_task_add(actor=bob, milestone_id=second.pk, title="Server", column="todo", assignee="")
    services.counter_offer_accept(actor=alice, counter_offer_id=counter(bob, offer).pk)
    assert list(WorkTask.objects.values_list("pk", "milestone_id")) == [(kept.pk, first.pk)]


def test_more_milestones_than_before_are_added_in_order(alice: Any, bob: Any, offer: Contract) -> None:
    parts = [{"title": f"Part {n}", "amount_minor": n * 1_000} for n in (1, 2, 3)]
    services.counter_offer_accept(actor=alice, counter_offer_id=counter(bob, offer, parts).pk)
    rows = list(offer.milestones.order_by("position").values_list("position", "title", "amount_minor", "acceptance", "due_at"))
    assert rows == [(1, "Part 1", 1_000, [], None), (2, "Part 2", 2_000, [], None), (3, "Part 3", 3_000, [], None)]


def test_each_side_makes_its_own_moves_only(alice: Any, bob: Any, charlie: Any, offer: Contract) -> None:
    with pytest.raises(NotAllowed):
        counter(alice, offer)
    with pytest.raises(NotFound):
        counter(charlie, offer)
    made = counter(bob, offer)
    for actor, act in (
        (bob, services.counter_offer_accept),
        (bob, services.counter_offer_decline),
        (alice, services.counter_offer_withdraw),
    ):
        with pytest.raises(NotAllowed):
            act(actor=actor, counter_offer_id=made.pk)
    with pytest.raises(NotFound):
        services.counter_offer_accept(actor=charlie, counter_offer_id=made.pk)
    made.refresh_from_db()
    assert (made.state, made.live_key) == ("open", offer.pk)


def test_one_counter_offer_waits_at_a_time_and_ten_are_enough(bob: Any, offer: Contract) -> None:
    for _ in range(10):
        made = counter(bob, offer)
        with pytest.raises(Conflict, match="counter_offer_exists"):
            counter(bob, offer)
        services.counter_offer_withdraw(actor=bob, counter_offer_id=made.pk, reason="Not so.")
    with pytest.raises(Conflict, match="counter_offers_many"):
        counter(bob, offer)
    assert Offer.objects.get(pk=offer.pk).revision == 1


@pytest.mark.parametrize("answer", ["accept", "decline", "cancel"])
def test_an_answered_offer_lets_the_counter_offer_lapse(alice: Any, bob: Any, offer: Contract, answer: str) -> None:
    made = counter(bob, offer)
    if answer == "cancel":
        services.contract_cancel(actor=alice, contract_id=offer.pk, reason="The budget is gone.")
    else:
        getattr(services, f"offer_{answer}")(actor=bob, contract_id=offer.pk)
    made.refresh_from_db()
    assert (made.state, made.live_key) == ("lapsed", None)
    with pytest.raises(Conflict, match="offer_not_open"):
        services.counter_offer_accept(actor=alice, counter_offer_id=made.pk)
    offer.refresh_from_db()
    assert offer.total_minor == 100_000


def test_terms_that_do_not_hold_are_named(bob: Any, offer: Contract) -> None:
    with pytest.raises(InvalidInput) as refused:
        counter(bob, offer, [{"title": "", "amount_minor": 0}])
    assert sorted(refused.value.fields) == ["milestones.0.amount_minor", "milestones.0.title"]
    with pytest.raises(InvalidInput) as refused:
        services.counter_offer_make(actor=bob, contract_id=offer.pk, milestones=WHOLE, message="x" * 5_001)
    assert list(refused.value.fields) == ["message"]
    assert not CounterOffer.objects.exists()


def test_the_table_itself_refuses_one_person_on_both_sides(alice: Any, offer: Contract) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Contract.objects.filter(pk=offer.pk).update(freelancer=alice)


def actions(user: Any, offer: Contract) -> list[str]:
    return list(Person(user).get(f"contracts/{offer.pk}").json()["actions"])


def test_other_terms_are_offered_only_where_they_can_be_named(alice: Any, bob: Any, offer: Contract) -> None:
    assert actions(bob, offer) == ["accept", "decline", "counter-offers"]
    waiting = counter(bob, offer)
    assert actions(bob, offer) == ["accept", "decline"], "one waits"
    services.counter_offer_decline(actor=alice, counter_offer_id=waiting.pk, reason="No.")
    assert actions(bob, offer) == ["accept", "decline", "counter-offers"]
    while "counter-offers" in actions(bob, offer):
        services.counter_offer_decline(actor=alice, counter_offer_id=counter(bob, offer).pk, reason="No.")
    with pytest.raises(Conflict, match="counter_offers_many"):
        counter(bob, offer)


def test_an_offer_by_the_week_is_not_said_to_take_other_terms(alice: Any, bob: Any, offer: Contract) -> None:
    hours_agree(offer, weekly_cap_minutes=600, rate_minor=6_000)
    assert actions(bob, offer) == ["accept", "decline"]
    with pytest.raises(Conflict, match="counter_offer_by_the_week"):
        counter(bob, offer)
