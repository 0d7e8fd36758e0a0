"""A proposal from the quote to the accepted contract as its two sides live through it, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace.contracts import tasks as contract_tasks
from marketplace.contracts.models import Contract
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.jobs.models import BidCreditMovement, Category, Proposal
from marketplace.payments.models import FeeSchedule
from marketplace.payments.selectors import balances_of
from tests.webapp.people import Person

DAY = 24 * 3600
QUESTIONS = [
    {"text": "How many shops have you built?", "kind": "number", "required": True},
    {"text": "Can you start this week?", "kind": "yes_no", "required": True},
    {"text": "Which stack?", "kind": "choice", "required": True, "choices": ["Django", "Rails"]},
    {"text": "Anything else?", "kind": "text", "required": False},
]
PARTS = [
    {"title": "Design", "amount_minor": 40_000, "due_in_days": 10, "acceptance": ["Works at 360 px"]},
    {"title": "Build", "amount_minor": 60_000, "due_in_days": 30},
]
BID = {
    "cover_letter": "I have built ten of these. ✓ العربية 😀",
    "amount_minor": 100_000,
    "currency": "USD",
    "delivery_days": 30,
    "milestones": PARTS,
    "answers": ["10", "yes", "Django", ""],
}


@pytest.fixture
def job(alice: Any) -> int:
    Category.objects.create(slug="web-development", name="Web development")
    client = Person(alice)
    terms = {
        "title": "A web shop",
        "description": "A shop with a cart and a checkout.",
        "category": "web-development",
        "pricing": "fixed",
        "budget_min_minor": 80_000,
        "budget_max_minor": 120_000,
        "questions": QUESTIONS,
    }
    made = client.post("jobs", terms)
    assert made.status_code == 201, made.content
    assert client.post(f"jobs/{made.json()['id']}/publish").json()["state"] == "open"
    return int(made.json()["id"])


def upload(person: Person) -> int:
    sent = {"file": SimpleUploadedFile("shop.pdf", b"%PDF-1.7")}
    answer = person.client.post("/api/v1/files", sent, format="multipart", HTTP_IDEMPOTENCY_KEY="a-file")
    return int(answer.json()["id"])


def send(person: Person, job: int, **terms: Any) -> dict[str, Any]:
    sent = person.post(f"jobs/{job}/proposals", {**BID, **terms})
    assert sent.status_code == 201, sent.content
    return dict(sent.json())


def test_from_the_quote_over_a_counter_offer_to_the_contract(alice: Any, bob: Any, charlie: Any, job: int) -> None:
    a, b, c = Person(alice), Person(bob), Person(charlie)
    quote = b.post(f"jobs/{job}/quote", {"amount_minor": 100_000, "currency": "USD", "delivery_days": 30}).json()
    assert quote["fee"]["minor"] + quote["tax"]["minor"] + quote["net"]["minor"] == 100_000
    assert quote["credits"]["cost"] == 4 and quote["clears_on"] == (clock.now() + timedelta(days=35)).date().isoformat()

    wrong = b.post(f"jobs/{job}/proposals", {**BID, "answers": ["many", "maybe", "PHP", ""]})
    assert (wrong.status_code, sorted(wrong.json()["fields"])) == (400, ["answers.0", "answers.1", "answers.2"])
    missing = b.post(f"jobs/{job}/proposals", {**BID, "answers": ["", "yes", "Django", ""]})
    assert list(missing.json()["fields"]) == ["answers.0"]

    stored = upload(b)
    rival = send(c, job, amount_minor=90_000, milestones=[])
    proposal = send(b, job, file_ids=[stored])
    path = f"proposals/{proposal['id']}"
    assert [f["name"] for f in proposal["files"]] == ["shop.pdf"] and proposal["bid_credits"] == 4
    assert (a.get(f"files/{stored}").status_code, c.get(f"files/{stored}").status_code) == (200, 404)

    assert b.patch(path, {"amount_minor": 110_000, "milestones": [*PARTS[:1], {**PARTS[1], "amount_minor": 70_000}]}).status_code == 200
    versions = a.get(f"{path}/history").json()["results"]
    assert [(v["number"], v["amount_minor"], v["replaced_at"] is None) for v in versions] == [(2, 110_000, True), (1, 100_000, False)]
    assert versions[1]["quote"]["gross"]["minor"] == 100_000 and versions[0]["sent_at"] == versions[1]["replaced_at"]
    assert b.get(f"{path}/history").json() == a.get(f"{path}/history").json()
    assert c.get(f"{path}/history").status_code == 404

    a.get(path)
    a.post(f"proposals/{rival['id']}/decline", {"reason": "Too little time for this."})
    receipt = b.get(f"{path}/receipt").json()
    assert (receipt["opened"], receipt["position_when_opened"], receipt["among_when_opened"]) == (True, 2, 2)
    assert (receipt["position"], receipt["among"], receipt["outcome"]) == (1, 1, None)
    assert a.get(f"{path}/receipt").status_code == 403 and c.get(f"{path}/receipt").status_code == 404
    lost = c.get(f"proposals/{rival['id']}/receipt").json()
    assert (lost["outcome"], lost["outcome_reason"], lost["credits_returned"]) == ("declined", "Too little time for this.", 0)

    offered = a.post(f"{path}/offer", {}).json()
    contract = f"contracts/{offered['id']}"
    offer = b.get(contract).json()["offer"]
    made = Contract.objects.get(pk=offered["id"]).offered_at
    assert offer == a.get(contract).json()["offer"]
    assert offer["expires_at"] == (made + timedelta(days=7)).isoformat().replace("+00:00", "Z")
    assert [k["clock"] for k in b.get(contract).json()["clocks"]] == ["offer_expiry"]
    assert any(
        i["future"] and "ends without a contract" in (i["if_nobody_acts"] or "") for i in b.get(f"{contract}/timeline").json()["items"]
    )

    terms = {"milestones": [{"title": "All of it", "amount_minor": 130_000, "due_in_days": 40}], "message": "The import takes a week more."}
    assert a.post(f"{contract}/counter-offers", terms).status_code == 403
    counter = b.post(f"{contract}/counter-offers", terms).json()
    assert (counter["state"], counter["total_minor"], counter["actions"]) == ("open", 130_000, ["withdraw"])
    assert b.post(f"{contract}/counter-offers", terms).json()["code"] == "counter_offer_exists"
    assert a.get(contract).json()["offer"]["counter_offer"]["actions"] == ["accept", "decline"]
    assert c.post(f"counter-offers/{counter['id']}/accept").status_code == 404
    assert a.post(f"counter-offers/{counter['id']}/decline", {"reason": "At most 1,200."}).json()["reason"] == "At most 1,200."
    second = b.post(
        f"{contract}/counter-offers", {"milestones": [{"title": "All of it", "amount_minor": 120_000, "due_in_days": 40}]}
    ).json()
    clock.advance(3 * DAY)
    assert a.post(f"counter-offers/{second['id']}/accept").json()["state"] == "accepted"
    now_says = b.get(contract).json()
    assert (now_says["total_minor"], [m["title"] for m in now_says["milestones"]]) == (120_000, ["All of it"])
    assert (now_says["offer"]["revision"], now_says["offer"]["quote"]["gross"]["minor"]) == (2, 120_000)
    assert now_says["offer"]["expires_at"] > offer["expires_at"]
    listed = a.get(f"{contract}/counter-offers").json()["results"]
    assert [o["state"] for o in listed] == ["accepted", "declined"]

    assert b.post(f"{contract}/accept", {"revision": 1}).json()["code"] == "offer_changed"
    accepted = b.post(f"{contract}/accept", {"revision": 2}).json()
    assert accepted["state"] == "active"
    assert b.get(f"{path}/receipt").json()["outcome"] == "accepted"
    drain()
    told = {i["kind"] for i in b.get("me/inbox").json()["results"]}
    assert {"counter_offer.decline", "contract.change_offer", "contract.offer"} <= told
    assert {"counter_offer.make", "contract.accept"} <= {i["kind"] for i in a.get("me/inbox").json()["results"]}


def test_an_offer_that_nobody_answers_ends_and_says_so_to_both(alice: Any, bob: Any, job: int) -> None:
    a, b = Person(alice), Person(bob)
    proposal = send(b, job)
    contract = a.post(f"proposals/{proposal['id']}/offer", {}).json()["id"]
    terms = {"milestones": [{"title": "All of it", "amount_minor": 130_000}]}
    counter = b.post(f"contracts/{contract}/counter-offers", terms).json()["id"]
    clock.advance(7 * DAY + 1)
    late = b.post(f"contracts/{contract}/accept")
    assert (late.status_code, late.json()["code"]) == (409, "offer_expired")
    assert a.post(f"counter-offers/{counter}/accept").json()["code"] == "offer_not_open"
    assert contract_tasks.expire_offers_due() == 1
    assert b.get(f"contracts/{contract}").json()["state"] == "cancelled"
    assert b.get(f"contracts/{contract}/counter-offers").json()["results"][0]["state"] == "lapsed"
    receipt = b.get(f"proposals/{proposal['id']}/receipt").json()
    assert (receipt["outcome"], receipt["outcome_reason"]) == ("expired", "The offer ran out without an answer.")
    drain()
    for person in (a, b):
        assert "contract.expire" in {i["kind"] for i in person.get("me/inbox").json()["results"]}
    assert b.post(f"jobs/{job}/proposals", BID).status_code == 201, "the job is still open to a new bid"


def test_the_contract_keeps_the_fees_it_was_offered_under(alice: Any, bob: Any, job: int) -> None:
    a, b = Person(alice), Person(bob)
    proposal = send(b, job)
    contract = a.post(f"proposals/{proposal['id']}/offer", {}).json()["id"]
    FeeSchedule.objects.create(version="dearer-2", freelancer_fee_bps=2000, tax_bps=0, active_from=clock.now())
    accepted = b.post(f"contracts/{contract}/accept").json()
    assert accepted["fee_schedule"] == proposal["quote"]["fee_schedule"] == "standard-1"
    milestone = accepted["milestones"][0]["id"]
    assert a.post(f"milestones/{milestone}/fund", {"provider": "sandbox", "method": {"token": "tok_visa"}}).status_code == 200
    b.post(f"milestones/{milestone}/submit", {"note": "Here it is."})
    a.post(f"milestones/{milestone}/approve")
    assert balances_of(bob.pk)[0].pending == Money(36_000, "USD"), "a tenth, not a fifth"


def test_terms_that_the_client_took_are_quoted_under_todays_fees(alice: Any, bob: Any, job: int) -> None:
    a, b = Person(alice), Person(bob)
    contract = a.post(f"proposals/{send(b, job)['id']}/offer", {}).json()["id"]
    counter = b.post(f"contracts/{contract}/counter-offers", {"milestones": [{"title": "All", "amount_minor": 130_000}]}).json()
    FeeSchedule.objects.create(version="dearer-2", freelancer_fee_bps=2000, tax_bps=0, active_from=clock.now())
    a.post(f"counter-offers/{counter['id']}/accept")
    told = b.get(f"contracts/{contract}").json()
    assert (told["fee_schedule"], told["offer"]["quote"]["fee"]["minor"]) == ("dearer-2", 26_000)


def test_a_bid_with_somebody_elses_file_leaves_nothing(committed_db: None, alice: Any, bob: Any, charlie: Any, job: int) -> None:
    theirs = upload(Person(charlie))
    refused = Person(bob).post(f"jobs/{job}/proposals", {**BID, "file_ids": [theirs]})
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["files"])
    assert not Proposal.objects.exists() and not BidCreditMovement.objects.exists()
    assert Person(bob).get("me/bid-credits").json()["balance"] == 60
