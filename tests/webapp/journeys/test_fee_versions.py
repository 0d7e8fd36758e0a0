"""A version of the fees is proposed by one person and published by another; from its day on bids, payments and invoices go by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from marketplace.contracts import services as contracts
from marketplace.contracts.models import Contract, Milestone
from marketplace.core import clock
from marketplace.core.models import StaffAct
from marketplace.core.tasks import drain
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Category
from marketplace.notifications.models import InboxItem
from marketplace.payments.models import Document, Entry, FeeProposal, FeeSchedule
from tests.webapp.contracts_cast import *  # noqa: F403  (fixtures)
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db
VERSIONS = "staff/money/fee-schedules"
TERMS = {"freelancer_fee_bps": 2_000, "tiers": {"USD": [[50_000, 1_000], [100_000, 500]]}, "minimum": {"USD": 700}}


@pytest.fixture
def desk(staff: Any) -> tuple[Person, Person]:
    return Person(staff("finance")), Person(staff("admin"))


def propose(person: Person, **more: Any) -> Any:
    body = {"version": "standard-2", "active_from": (clock.now() + timedelta(days=1)).isoformat(), "reason": "Decided in March.", **TERMS}
    return person.post(VERSIONS, body | more)


def test_a_version_is_published_by_two_and_a_contract_is_paid_by_it(desk: Any, alice: Any, bob: Any, days: Any, fund: Any) -> None:
    finance, admin = desk
    client, freelancer = Person(alice), Person(bob)

    proposed = propose(finance)

    assert (proposed.status_code, proposed.json()["state"]) == (201, "proposed"), proposed.content
    path = f"{VERSIONS}/{proposed.json()['id']}/approve"
    assert propose(admin).json()["code"] == "fee_version_taken"
    assert finance.post(path, {"reason": "r"}).json()["code"] == "fee_proposal_second"
    assert not FeeSchedule.objects.filter(version="standard-2").exists()
    published = admin.post(path, {"reason": "As decided."})
    assert (published.status_code, published.json()["state"], published.json()["decided_by"]["id"]) == (200, "published", admin.user.pk)
    assert admin.post(path, {"reason": "r"}).json()["code"] == "fee_proposal_publish_impossible"
    assert propose(finance).json()["code"] == "fee_version_taken"
    told = client.get("fee-schedule").json()
    assert told["current"] == "standard-1"
    assert {name: told["schedules"][0][name] for name in ("version", *TERMS)} == {"version": "standard-2", **TERMS}
    acts = StaffAct.objects.filter(action="fees_publish", object_id=proposed.json()["id"])
    assert {(a.actor_id, a.reason) for a in acts} == {(finance.user.pk, "Decided in March."), (admin.user.pk, "As decided.")}
    drain()
    assert InboxItem.objects.filter(user=admin.user, kind="fee_proposal.propose").count() == 1
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE payments_feeschedule SET tiers = '{}' WHERE version = 'standard-2'")

    days(1)
    assert client.get("fee-schedule").json()["current"] == "standard-2"
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    made = jobs.job_create(
        actor=alice, title="A web shop", description="A shop with a cart and a checkout.", category="web-development", pricing="fixed"
    )
    job = jobs.job_publish(actor=alice, job_id=made.pk)
    asked = {"amount_minor": 120_000, "currency": "USD", "delivery_days": 30}
    quote = freelancer.post(f"jobs/{job.pk}/quote", asked).json()
    assert (quote["fee"]["minor"], quote["fee_schedule"]) == (16_000, "standard-2"), quote
    tiers = [{"from_minor": 50_000, "bps": 1_000}, {"from_minor": 100_000, "bps": 500}]
    assert quote["fee_terms"] == {"freelancer_fee_bps": 2_000, "tiers": tiers, "minimum_minor": 700}
    parts = [{"title": t, "amount_minor": a, "due_in_days": 9, "acceptance": []} for t, a in (("Design", 30_001), ("Build", 89_999))]
    bid = jobs.proposal_submit(actor=bob, job_id=job.pk, cover_letter="I have built ten.", milestones=parts, answers=[], **asked)
    offer = contracts.offer_make(actor=alice, proposal_id=bid.pk)
    contract = contracts.offer_accept(actor=bob, contract_id=offer.pk)
    for n, milestone in enumerate(contract.milestones.order_by("position")):
        fund(milestone, key=f"fund-{n}")
        contracts.milestone_start(actor=bob, milestone_id=milestone.pk)
        contracts.milestone_submit(actor=bob, milestone_id=milestone.pk, note="Done.")
        contracts.milestone_approve(actor=alice, milestone_id=milestone.pk)

    paid = list(Entry.objects.filter(kind="release").order_by("id"))
    assert [(e.quote["before"], e.quote["fee"]) for e in paid] == [(0, 6_000), (30_001, 10_000)]
    assert sum(e.quote["fee"] for e in paid) == quote["fee"]["minor"]
    drain()
    invoices = Document.objects.filter(about="fee").order_by("id")
    assert [(d.net_minor, d.content["fee_bps"], d.content["fee_schedule"]) for d in invoices] == [
        (6_000, 2_000, "standard-2"),
        (10_000, 1_111, "standard-2"),
    ]


def test_a_version_with_a_clients_side_leaves_running_contracts_as_they_were_quoted(
    desk: Any, alice: Any, bob: Any, contract: Contract, days: Any, fund: Any, funded: Milestone
) -> None:
    """One contract runs when two people publish the version, one begins after its day: each pays by what it was quoted."""
    finance, admin = desk
    client = Person(alice)
    side = {"client_fee_bps": 250, "client_minimum": {"USD": 99}}
    proposed = propose(finance, version="both-sides-1", tax_bps=1_900, **side)
    assert proposed.status_code == 201, proposed.content
    published = admin.post(f"{VERSIONS}/{proposed.json()['id']}/approve", {"reason": "As decided."})
    assert published.json()["state"] == "published"
    told = client.get("fee-schedule").json()["schedules"][0]
    assert {name: told[name] for name in side} == side
    days(1)

    planned = next(m for m in client.get(f"contracts/{contract.pk}").json()["milestones"] if m["state"] == "planned")
    assert (planned["to_fund"]["fee"]["minor"], planned["to_fund"]["total"]["minor"]) == (0, planned["amount_minor"])
    fund(contract.milestones.get(pk=planned["id"]), key="fund-old")
    assert not Entry.objects.filter(kind="client_fee").exists()

    later = begun(alice, bob)
    assert (contract.fee_schedule, later.fee_schedule) == ("standard-1", "both-sides-1")
    charges = [
        {name: m["minor"] for name, m in each["to_fund"].items()} for each in client.get(f"contracts/{later.pk}").json()["milestones"]
    ]
    assert charges == [
        {"amount": 3_000, "fee": 99, "tax": 19, "total": 3_118},
        {"amount": 90_000, "fee": 2_250, "tax": 428, "total": 92_678},
    ]
    for n, milestone in enumerate(later.milestones.order_by("position")):
        fund(milestone, key=f"fund-{n}")
    taken = Entry.objects.filter(kind="client_fee").order_by("id")
    assert [(e.contract_id, e.quote["fee"], e.quote["tax"], e.quote["fee_schedule"]) for e in taken] == [
        (later.pk, 99, 19, "both-sides-1"),
        (later.pk, 2_250, 428, "both-sides-1"),
    ]


def begun(alice: Any, bob: Any) -> Contract:
    """A contract that is quoted and accepted now: 30.00 and 900.00 USD."""
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    made = jobs.job_create(
        actor=alice, title="Another shop", description="A shop with a cart and a checkout.", category="web-development", pricing="fixed"
    )
    job = jobs.job_publish(actor=alice, job_id=made.pk)
    asked = {"amount_minor": 93_000, "currency": "USD", "delivery_days": 30}
    parts = [{"title": t, "amount_minor": a, "due_in_days": 9, "acceptance": []} for t, a in (("Design", 3_000), ("Build", 90_000))]
    bid = jobs.proposal_submit(actor=bob, job_id=job.pk, cover_letter="I have built ten.", milestones=parts, answers=[], **asked)
    offer = contracts.offer_make(actor=alice, proposal_id=bid.pk)
    return contracts.offer_accept(actor=bob, contract_id=offer.pk)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"freelancer_fee_bps": 3_001}, "freelancer_fee_bps"),
        ({"freelancer_fee_bps": -1}, "freelancer_fee_bps"),
        ({"tax_bps": 3_001}, "tax_bps"),
        ({"tiers": {"USD": [[1, 3_001]]}}, "tiers.USD"),
        ({"tiers": {"USD": [[500, 100], [500, 50]]}}, "tiers.USD"),
        ({"tiers": {"USD": [[500, 100], [400, 50]]}}, "tiers.USD"),
        ({"tiers": {"USD": [[-1, 100]]}}, "tiers.USD"),
        ({"tiers": {"USD": []}}, "tiers.USD"),
        ({"tiers": {"XXX": [[1, 100]]}}, "tiers"),
        ({"minimum": {"usd": 100}}, "minimum"),
        ({"minimum": {"USD": 0}}, "minimum.USD"),
        ({"minimum": {"USD": 10**19}}, "minimum.USD"),
        ({"client_fee_bps": 3_001}, "client_fee_bps"),
        ({"client_fee_bps": -1}, "client_fee_bps"),
        ({"client_fee_bps": 1, "client_minimum": {"USD": 0}}, "client_minimum.USD"),
        ({"client_minimum": {"usd": 100}}, "client_minimum"),
        ({"version": "Standard 2"}, "version"),
        ({"version": ""}, "version"),
        ({"active_from": "2020-01-01T00:00:00Z"}, "active_from"),
        ({"reason": " "}, "reason"),
    ],
)
def test_what_is_no_version(desk: Any, wrong: dict[str, Any], field: str) -> None:
    answer = propose(desk[0], **wrong)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field]), answer.content
    assert not FeeProposal.objects.exists()


def test_a_name_that_is_published_is_taken_and_a_refused_one_is_free(desk: Any) -> None:
    finance, admin = desk
    assert propose(finance, version="standard-1").json()["code"] == "fee_version_taken"
    first = propose(finance).json()["id"]
    assert finance.post(f"{VERSIONS}/{first}/refuse", {"reason": "A slip."}).json()["state"] == "refused"
    second = propose(finance).json()
    assert second["state"] == "proposed"
    assert [r["id"] for r in admin.get(f"{VERSIONS}?state=proposed").json()["results"]] == [second["id"]]
    assert admin.post(f"{VERSIONS}/{first}/approve", {"reason": "r"}).json()["code"] == "fee_proposal_publish_impossible"
    assert not FeeSchedule.objects.filter(version="standard-2").exists()


def test_a_version_is_published_before_its_day_and_never_on_it(desk: Any, time_machine: Any) -> None:
    finance, admin = desk
    soon = (clock.now() + timedelta(hours=1)).replace(microsecond=0)
    early, late = (propose(finance, version=v, active_from=soon.isoformat()).json()["id"] for v in ("early", "late"))
    time_machine.move_to(soon - timedelta(seconds=1), tick=False)
    assert admin.post(f"{VERSIONS}/{early}/approve", {"reason": "r"}).json()["state"] == "published"
    time_machine.move_to(soon, tick=False)
    assert admin.post(f"{VERSIONS}/{late}/approve", {"reason": "r"}).json()["code"] == "fee_proposal_late"
    assert Person(admin.user).get("fee-schedule").json()["current"] == "early"


def test_the_list_costs_the_same_however_many_there_are(desk: Any, django_assert_max_num_queries: Any) -> None:
    for n in range(4):
        propose(desk[0], version=f"v{n}")
    with django_assert_max_num_queries(10):
        assert len(desk[1].get(VERSIONS).json()["results"]) == 4
