"""Contracts over HTTP: shapes, clocks, the timeline, and input that must not hurt."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.settings import base
from marketplace.contracts import services
from marketplace.contracts.models import Contract, Milestone
from marketplace.payments.models import Entry, Payment


class Http:
    """A signed-in browser that sends JSON with fresh keys."""

    def __init__(self, user: Any) -> None:
        self.client = Client()
        self.client.force_login(user)

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/v1/{path}")

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        keys = {"Idempotency-Key": uuid.uuid4().hex, **headers}
        return self.client.post(f"/api/v1/{path}", {} if body is None else body, content_type="application/json", headers=keys)


def test_the_page_tells_each_side_its_clocks_and_actions(alice: Any, bob: Any, sam: Any, submitted: Milestone) -> None:
    told = {who: Http(user).get(f"contracts/{submitted.contract_id}").json() for who, user in [("c", alice), ("f", bob), ("s", sam)]}
    assert [t["role"] for t in told.values()] == ["client", "freelancer", "staff"]
    assert told["c"]["milestones"][0]["actions"] == ["request-changes", "approve", "approve-part", "dispute", "refund-request"]
    assert told["f"]["milestones"][0]["actions"] == ["refund", "dispute"]
    assert told["s"]["milestones"][0]["actions"] == []
    assert (told["c"]["milestones"][1]["actions"], told["f"]["milestones"][1]["actions"]) == (["fund", "extension"], ["extension"])
    assert [told[who]["actions"] for who in "cfs"] == [["pause-request", "bonus"], ["pause-request"], ["pause"]]
    for t in told.values():
        assert t["clocks"] == [
            {
                "clock": "auto_approval",
                "at": t["milestones"][0]["auto_approve_at"],
                "then": "“Design” is approved and 400.00 USD is released to the freelancer.",
                "milestone_id": submitted.pk,
            }
        ]
        assert t["milestones"][0]["held"] == {"minor": 40_000, "currency": "USD"}


def test_the_timeline_is_one_list_of_work_money_and_clocks(alice: Any, submitted: Milestone) -> None:
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    items = Http(alice).get(f"contracts/{submitted.contract_id}/timeline").json()["items"]
    assert [(i["kind"], i["title"]) for i in items] == [
        ("event", "Offer made"),
        ("event", "Offer accepted"),
        ("posting", "Wallet → funds held"),
        ("event", "Milestone funded"),
        ("event", "Work started"),
        ("event", "Work submitted"),
        ("event", "Work approved"),
        ("posting", "Funds held → freelancer"),
        ("event", "Funds released"),
        ("clock", "Clearing"),
    ]
    release = next(i for i in items if i["title"] == "Funds held → freelancer")
    assert release["amount"] == {"minor": 40_000, "currency": "USD"}
    assert release["text"] == "Design; fee 40.00 USD, tax 0.00 USD, net 360.00 USD; the client approved"
    assert release["entry_id"] == Entry.objects.get(kind="release").pk
    assert items[-1]["if_nobody_acts"] == "The money of “Design” becomes available to the freelancer."
    assert [i["future"] for i in items] == [False] * 9 + [True]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("milestones/{m}/submit", {}, "note"),
        ("milestones/{m}/submit", {"note": ""}, "note"),
        ("milestones/{m}/submit", {"note": ["a"]}, "note"),
        ("milestones/{m}/submit", {"note": "x" * 10_001}, "note"),
        ("milestones/{m}/submit", {"note": "nul \x00"}, "note"),
        ("milestones/{m}/dispute", {"claim": None}, "claim"),
    ],
)
def test_wrong_fields_are_named_and_change_nothing(bob: Any, funded: Milestone, path: str, body: Any, field: str) -> None:
    answer = Http(bob).post(path.format(m=funded.pk), body)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    funded.refresh_from_db()
    assert funded.state == "funded"


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        {"provider": "gold"},
        {"provider": "sandbox", "method": "tok_visa"},
        {"provider": "sandbox", "method": {"token": {"deep": 1}}},
        {"provider": "sandbox", "method": {"token": "4242424242424242"}},
    ],
)
def test_a_payment_method_that_is_none_is_refused(alice: Any, planned: Milestone, body: Any) -> None:
    answer = Http(alice).post(f"milestones/{planned.pk}/fund", body)
    assert answer.status_code == 400, answer.content
    assert Payment.objects.count() == 0


def test_ids_and_keys_that_cannot_be(alice: Any, planned: Milestone) -> None:
    http = Http(alice)
    for path in (f"contracts/{10**30}", "contracts/0", f"milestones/{10**30}/approve"):
        assert (http.get(path) if path.startswith("contracts") else http.post(path)).status_code == 404
    assert http.post(f"milestones/{planned.pk}/approve", **{"Idempotency-Key": "has space"}).json()["code"] == "idempotency_key_required"
    assert http.post(f"milestones/{planned.pk}/approve").status_code == 409


def test_my_contracts_page_by_key_with_a_constant_number_of_queries(alice: Any, bob: Any, charlie: Any, contract: Contract) -> None:
    http = Http(bob)
    with CaptureQueriesContext(connection) as one:
        assert [c["id"] for c in http.get("me/contracts").json()["results"]] == [contract.pk]
    for n in range(3):
        twin = Contract.objects.get(pk=contract.pk)
        twin.proposal.pk = None
        twin.proposal.live_key = None
        twin.proposal.save()
        twin.pk, twin.proposal_id, twin.title = None, twin.proposal.pk, f"Twin {n}"
        twin.save()
    with CaptureQueriesContext(connection) as four:
        page = http.get("me/contracts?limit=3").json()
    assert len(one) == len(four)
    rest = http.client.get(page["next"]).json()
    assert [c["title"] for c in [*page["results"], *rest["results"]]] == ["Twin 2", "Twin 1", "Twin 0", "A web shop"]
    assert rest["next"] is None
    of_proposal = http.get(f"me/contracts?proposal={contract.proposal_id}").json()["results"]
    assert [c["id"] for c in of_proposal] == [contract.pk]
    assert Http(charlie).get(f"me/contracts?proposal={contract.proposal_id}").json()["results"] == []
    assert http.get("me/contracts?proposal=x").json()["fields"].keys() == {"proposal"}
    assert Http(charlie).get("me/contracts").json()["results"] == []


def test_milestones_are_funded_at_a_pace_of_their_own(alice: Any, charlie: Any, planned: Milestone, settings: Any) -> None:
    """Each try may be a payment at a gateway: without a pace, cards could be tried here that the wallet's pace keeps out there."""
    assert base.API_PACE["funding"] == (60, 3600)
    settings.API_PACE = {"funding": (2, 3600)}
    body = {"provider": "sandbox", "method": {"token": "tok_declined"}}
    client = Http(alice)
    answers = [client.post(f"milestones/{planned.pk}/fund", body) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 3600
    assert Payment.objects.count() == 2
    assert Http(charlie).post(f"milestones/{planned.pk}/fund", body).status_code == 404
