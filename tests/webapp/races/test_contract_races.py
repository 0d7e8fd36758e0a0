"""Two at once on one milestone: exactly one effect, and the other learns of it.

The test holds the contract's row lock until every rival waits for it, then lets go (see rendezvous). MariaDB only: SQLite runs one
writer at a time by BEGIN IMMEDIATE.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from marketplace.contracts import services, tasks
from marketplace.contracts.events import milestone_fund as fund_handler
from marketplace.contracts.models import Contract, Milestone
from marketplace.core import clock
from marketplace.core.errors import Conflict
from marketplace.core.models import Delivery, Event
from marketplace.core.tasks import LEASE, deliver_one, drain
from marketplace.core.transactions import run_in_transaction
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.payments.models import Entry, Payment
from marketplace.payments.services import payment_refresh
from tests.webapp.races.rendezvous import at_once, behind_the_lock, die_in_a_process

pytestmark = pytest.mark.skipif(os.environ.get("OPENLANCE_TEST_DB") == "sqlite", reason="SQLite has one writer at a time: no such race")


def _kinds(milestone: Milestone) -> list[str]:
    return list(Entry.objects.filter(subject_type="milestone", subject_id=milestone.pk).order_by("id").values_list("kind", flat=True))


def _state(milestone: Milestone) -> str:
    return Milestone.objects.get(pk=milestone.pk).state


def _conflicts(outcomes: list[Any]) -> int:
    unexpected = [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, Conflict)]
    assert unexpected == []
    return sum(isinstance(o, Conflict) for o in outcomes)


@pytest.fixture
def paid(planned: Milestone, fund: Callable[..., Milestone]) -> Event:
    """A payment for the planned milestone whose success nobody has acted upon yet."""
    fund(planned, token="tok_delayed")
    payment_refresh(payment_id=Payment.objects.get().pk)
    assert _state(planned) == "planned"
    return Event.objects.get(kind="payment.succeed")


def test_two_approvals_at_once_release_once_and_one_is_a_conflict(committed_db: None, alice: Any, submitted: Milestone) -> None:
    def approve() -> Milestone:
        return services.milestone_approve(actor=alice, milestone_id=submitted.pk)

    assert _conflicts(behind_the_lock(submitted.contract_id, approve, approve)) == 1
    assert (_state(submitted), _kinds(submitted)) == ("released", ["hold", "release"])
    assert Event.objects.filter(kind="milestone.release").count() == 1


def test_two_approvals_over_http_answer_200_and_409(committed_db: None, alice: Any, submitted: Milestone) -> None:
    def approve() -> int:
        http = Client()
        http.force_login(alice)
        path = f"/api/v1/milestones/{submitted.pk}/approve"
        return http.post(path, {}, content_type="application/json", headers={"Idempotency-Key": uuid.uuid4().hex}).status_code

    assert sorted(behind_the_lock(submitted.contract_id, approve, approve)) == [200, 409]
    assert _kinds(submitted) == ["hold", "release"]


def test_approval_racing_silence_releases_once(committed_db: None, alice: Any, submitted: Milestone, days: Any) -> None:
    days(14.01)
    outcomes = behind_the_lock(
        submitted.contract_id,
        lambda: services.milestone_approve(actor=alice, milestone_id=submitted.pk),
        lambda: services.milestone_auto_approve(milestone_id=submitted.pk),
    )
    assert (_conflicts(outcomes), outcomes[1]) in ((0, False), (1, True))
    assert (_state(submitted), _kinds(submitted)) == ("released", ["hold", "release"])


def test_the_auto_approval_task_delivered_twice_at_once_releases_once(committed_db: None, submitted: Milestone, days: Any) -> None:
    days(14.01)
    assert sorted(behind_the_lock(submitted.contract_id, tasks.auto_approve_due, tasks.auto_approve_due)) == [0, 1]
    assert _kinds(submitted) == ["hold", "release"]
    assert Event.objects.filter(kind="milestone.approve").count() == 1


def test_the_clearing_task_delivered_twice_at_once_clears_once(committed_db: None, alice: Any, submitted: Milestone, days: Any) -> None:
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    days(5.01)
    assert sorted(behind_the_lock(submitted.contract_id, tasks.clear_due, tasks.clear_due)) == [0, 1]
    assert _kinds(submitted) == ["hold", "release", "clear"]
    assert Event.objects.filter(kind="milestone.clear").count() == 1


def test_the_funding_event_handled_twice_at_once_holds_once(committed_db: None, planned: Milestone, paid: Event) -> None:
    def handle() -> None:
        run_in_transaction(lambda: fund_handler(paid))

    assert behind_the_lock(planned.contract_id, handle, handle) == [None, None]
    assert (_state(planned), _kinds(planned)) == ("funded", ["hold"])
    assert Event.objects.filter(kind__in=["milestone.fund", "milestone.funding_refused"]).count() == 1


def test_one_delivery_taken_by_two_workers_runs_in_one(committed_db: None, planned: Milestone, paid: Event) -> None:
    delivery = Delivery.objects.get(event=paid, handler="contracts.milestone_fund")
    assert sorted(at_once(lambda: deliver_one(delivery.pk), lambda: deliver_one(delivery.pk))) == [False, True]
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("done", 1)
    assert _kinds(planned) == ["hold"]


def test_a_dispute_racing_silence_never_leaves_both(committed_db: None, alice: Any, submitted: Milestone, days: Any) -> None:
    days(14.01)
    outcomes = behind_the_lock(
        submitted.contract_id,
        lambda: disputes.dispute_open(actor=alice, milestone_id=submitted.pk, claim="The pages are empty."),
        lambda: services.milestone_auto_approve(milestone_id=submitted.pk),
    )
    released = outcomes[1] is True
    assert _conflicts(outcomes) == int(released)
    assert _state(submitted) == ("released" if released else "disputed")
    assert _kinds(submitted) == (["hold", "release"] if released else ["hold"])
    assert Dispute.objects.count() == int(not released)


def test_a_settlement_racing_a_withdrawal_moves_the_money_or_not_at_all(committed_db: None, alice: Any, sam: Any, dispute: Dispute) -> None:
    split = {"to_freelancer_minor": 30_000, "to_client_minor": 10_000, "reason": "Three of four pages."}
    outcomes = behind_the_lock(
        dispute.milestone.contract_id,
        lambda: disputes.dispute_settle(actor=sam, dispute_id=dispute.pk, **split),
        lambda: disputes.dispute_withdraw(actor=alice, dispute_id=dispute.pk),
    )
    assert _conflicts(outcomes) == 1
    settled = isinstance(outcomes[1], Conflict)
    assert _state(dispute.milestone) == ("resolved" if settled else "submitted")
    assert _kinds(dispute.milestone) == (["hold", "settle"] if settled else ["hold"])


def test_an_acceptance_racing_a_withdrawn_offer_leaves_one_truth(committed_db: None, alice: Any, bob: Any, offer: Contract) -> None:
    outcomes = behind_the_lock(
        offer.pk,
        lambda: services.offer_accept(actor=bob, contract_id=offer.pk),
        lambda: services.contract_cancel(actor=alice, contract_id=offer.pk),
    )
    _conflicts(outcomes)
    offer.refresh_from_db()
    offer.job.refresh_from_db()
    offer.proposal.refresh_from_db()
    found = (offer.state, offer.job.state, offer.proposal.state)
    # An accepted contract without held money may still be cancelled: then both acts succeed, one after the other.
    if isinstance(outcomes[0], Conflict):
        assert found == ("cancelled", "open", "declined")
    else:
        assert found == ("cancelled", "filled", "accepted")


def test_a_crash_between_commit_and_wake_up_loses_nothing(committed_db: None, alice: Any, planned: Milestone) -> None:
    die_in_a_process(f"""
from marketplace.core import events
from marketplace.core.money import Money
from marketplace.payments.services import payment_start
events._wake = die  # the commit is done; this is where the workers would be woken
payment_start(actor_id={alice.pk}, amount=Money({planned.amount_minor}, "USD"), purpose="milestone", purpose_id={planned.pk},
              method={{"token": "tok_visa"}}, idempotency_key="crash-1")
""")
    assert (Payment.objects.get().state, _state(planned)) == ("succeeded", "planned")
    assert Delivery.objects.get(handler="contracts.milestone_fund").state == "pending"
    assert drain() > 0
    assert (_state(planned), _kinds(planned)) == ("funded", ["hold"])


def test_a_worker_killed_with_a_claim_is_followed_by_another_when_the_lease_ends(
    committed_db: None, planned: Milestone, paid: Event
) -> None:
    delivery = Delivery.objects.get(event=paid, handler="contracts.milestone_fund")
    die_in_a_process(f"""
from marketplace.core import events
from marketplace.core.tasks import deliver_one
work = events.handler_named("payment.succeed", "contracts.milestone_fund")
def work_and_die(event):
    work(event)  # everything was done, nothing is committed
    die()
events._handlers["payment.succeed"]["contracts.milestone_fund"] = work_and_die
deliver_one({delivery.pk})
""")
    delivery.refresh_from_db()
    assert (delivery.state, _state(planned), _kinds(planned)) == ("claimed", "planned", [])
    assert deliver_one(delivery.pk) is False
    clock.advance(int(LEASE.total_seconds()) + 1)
    drain()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("done", 2)
    assert (_state(planned), _kinds(planned)) == ("funded", ["hold"])
