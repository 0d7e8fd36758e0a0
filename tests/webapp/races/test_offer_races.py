"""Two at once on one job or one offer: one contract, one answer, and the other act learns of it. See test_contract_races."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest

from marketplace.contracts import services, tasks
from marketplace.contracts.models import Contract, CounterOffer
from marketplace.core import clock
from marketplace.core.errors import Conflict
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Job, Proposal
from tests.webapp.races.rendezvous import at_once, behind_the_lock

pytestmark = pytest.mark.skipif(os.environ.get("OPENLANCE_TEST_DB") == "sqlite", reason="SQLite has one writer at a time: no such race")

WHOLE = [{"title": "All of it", "amount_minor": 120_000}]


def codes(outcomes: list[Any]) -> list[str]:
    assert [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, Conflict)] == []
    return [o.code for o in outcomes if isinstance(o, Conflict)]


@pytest.fixture
def rival(charlie: Any, proposal: Proposal) -> Proposal:
    """Charlie's bid on the same job."""
    return jobs.proposal_submit(
        actor=charlie, job_id=proposal.job_id, cover_letter="Me too.", amount_minor=90_000, currency="USD", answers=[]
    )


def test_two_offers_on_one_job_at_once_are_one(committed_db: None, alice: Any, proposal: Proposal, rival: Proposal) -> None:
    outcomes = at_once(*[lambda pk=p.pk: services.offer_make(actor=alice, proposal_id=pk) for p in (proposal, rival)])
    assert codes(outcomes) == ["offer_is_out"]
    assert Contract.objects.count() == 1
    assert sorted(Proposal.objects.values_list("state", flat=True)) == ["offered", "submitted"]


def test_two_proposals_accepted_for_one_job_at_once_fill_it_once(
    committed_db: None, alice: Any, bob: Any, charlie: Any, offer: Contract, rival: Proposal
) -> None:
    """The first door, one offer at a time, is taken away: the job's own lock and state still let one in."""
    Proposal.objects.filter(pk=offer.proposal_id).update(state="submitted")
    other = services.offer_make(actor=alice, proposal_id=rival.pk)
    Proposal.objects.filter(pk=offer.proposal_id).update(state="offered")
    outcomes = at_once(
        lambda: services.offer_accept(actor=bob, contract_id=offer.pk),
        lambda: services.offer_accept(actor=charlie, contract_id=other.pk),
    )
    assert codes(outcomes) == ["job_fill_impossible"]
    assert Job.objects.get(pk=offer.job_id).state == "filled"
    assert sorted(Contract.objects.values_list("state", flat=True)) == ["active", "offered"]
    assert Proposal.objects.filter(state="accepted").count() == 1


def test_an_acceptance_racing_the_clients_withdrawal_leaves_one_of_them(committed_db: None, alice: Any, bob: Any, offer: Contract) -> None:
    outcomes = behind_the_lock(
        offer.pk,
        lambda: services.offer_accept(actor=bob, contract_id=offer.pk),
        lambda: services.contract_cancel(actor=alice, contract_id=offer.pk, reason="Changed my mind."),
    )
    offer.refresh_from_db()
    proposal = Proposal.objects.get(pk=offer.proposal_id)
    found = (offer.state, proposal.state, codes(outcomes))
    # an accepted contract that holds no money can still be ended: then both acts had their turn, one after the other
    assert found in (
        ("cancelled", "declined", ["contract_accept_impossible"]),
        ("cancelled", "accepted", []),
    )


def test_an_acceptance_racing_its_clock_leaves_one_of_them(committed_db: None, bob: Any, offer: Contract) -> None:
    clock.advance(int((offer.offer.expires_at - clock.now()) / timedelta(seconds=1)) + 1)
    outcomes = behind_the_lock(offer.pk, lambda: services.offer_accept(actor=bob, contract_id=offer.pk), tasks.expire_offers_due)
    assert isinstance(outcomes[0], Conflict) and outcomes[1] == 1
    offer.refresh_from_db()
    assert offer.state == "cancelled"


def test_the_clock_delivered_twice_at_once_ends_an_offer_once(committed_db: None, offer: Contract) -> None:
    clock.advance(int((offer.offer.expires_at - clock.now()) / timedelta(seconds=1)) + 1)
    assert sorted(behind_the_lock(offer.pk, tasks.expire_offers_due, tasks.expire_offers_due)) == [0, 1]


def test_terms_taken_while_the_offer_is_accepted_are_not_accepted_unread(committed_db: None, alice: Any, bob: Any, offer: Contract) -> None:
    made = services.counter_offer_make(actor=bob, contract_id=offer.pk, milestones=WHOLE)
    outcomes = behind_the_lock(
        offer.pk,
        lambda: services.counter_offer_accept(actor=alice, counter_offer_id=made.pk),
        lambda: services.offer_accept(actor=bob, contract_id=offer.pk, revision=1),
    )
    offer.refresh_from_db()
    state = CounterOffer.objects.get(pk=made.pk).state
    found = (offer.state, offer.total_minor, state, codes(outcomes))
    assert found in (("offered", 120_000, "accepted", ["offer_changed"]), ("active", 100_000, "lapsed", ["offer_not_open"]))


def test_two_counter_offers_at_once_are_one(committed_db: None, bob: Any, offer: Contract) -> None:
    act = lambda: services.counter_offer_make(actor=bob, contract_id=offer.pk, milestones=WHOLE)  # noqa: E731
    assert codes(behind_the_lock(offer.pk, act, act)) == ["counter_offer_exists"]
    assert CounterOffer.objects.count() == 1
