"""The way from an empty profile to a chosen proposal, through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from marketplace.core import clock
from marketplace.core.models import Event
from marketplace.jobs import services, tasks
from marketplace.jobs.models import Job, Proposal
from tests.webapp.people import Person

BID = {
    "cover_letter": "I have built three of these.",
    "amount_minor": 150_000,
    "currency": "USD",
    "delivery_days": 14,
    "milestones": [
        {"title": "First source", "amount_minor": 50_000, "due_in_days": 5, "acceptance": ["Loads hourly"]},
        {"title": "The rest", "amount_minor": 100_000, "due_in_days": 14, "acceptance": []},
    ],
}
POST = {
    "title": "Load orders into one warehouse",
    "description": "Three sources, one warehouse, every hour, with tests.",
    "category": "data",
    "skills": ["python", "sql"],
    "pricing": "fixed",
    "currency": "USD",
    "budget_min_minor": 100_000,
    "budget_max_minor": 200_000,
}


def test_a_newcomer_fills_in_a_client_profile_and_posts_a_job(catalogue: None, db: None) -> None:
    newcomer = Person(get_user_model().objects.create_user("new@example.org", "correct horse battery", display_name="New"))
    assert newcomer.post("jobs", POST).json()["code"] == "client_profile_missing"
    assert newcomer.put("me/client-profile", {"company_name": "New & Co"}).status_code == 200
    created = newcomer.post("jobs", POST)
    assert created.status_code == 201
    job = created.json()
    assert (job["state"], job["category"]["slug"], [s["slug"] for s in job["skills"]]) == ("draft", "data", ["python", "sql"])
    assert job["actions"] == ["close", "publish"]
    opened = newcomer.post(f"jobs/{job['id']}/publish").json()
    assert opened["state"] == "open"
    row = Job.objects.get(pk=job["id"])
    assert row.expires_at - row.opened_at == timedelta(days=30)
    assert newcomer.get("me/jobs").json()["counts"] == {"open": 1}


def test_a_freelancer_sees_the_quote_bids_and_keeps_a_receipt(post: Any, alice: Any, bob: Any) -> None:
    job, client, freelancer = post(), Person(alice), Person(bob)
    quote = freelancer.post(f"jobs/{job.pk}/quote", {"amount_minor": 150_000, "currency": "USD"}).json()
    assert quote["fee"]["minor"] + quote["tax"]["minor"] + quote["net"]["minor"] == quote["gross"]["minor"] == 150_000
    sent = freelancer.post(f"jobs/{job.pk}/proposals", BID)
    assert sent.status_code == 201
    proposal = sent.json()
    assert proposal["quote"]["net"] == quote["net"]
    sent_at = Proposal.objects.get(pk=proposal["id"]).submitted_at
    assert proposal["receipt"] == {
        "opened": False,
        "opened_at": None,
        "position_when_opened": None,
        "among_when_opened": None,
        "answer_due_at": (sent_at + timedelta(days=14)).isoformat().replace("+00:00", "Z"),
        "ghosted_at": None,
        "credits_spent": 4,
        "credits_returned": 0,
        "credits_returned_at": None,
        "credits_returned_reason": "",
        "position": 1,
        "among": 1,
        "ranking": "proposals-1: share of the job's skills claimed, then earlier bid",
        "outcome": None,
        "outcome_at": None,
        "outcome_reason": "",
    }
    listed = client.get(f"jobs/{job.pk}/proposals").json()["results"]
    assert [p["id"] for p in listed] == [proposal["id"]]
    assert Proposal.objects.get(pk=proposal["id"]).state == "submitted", "a list is not yet an opening"
    assert client.get(f"proposals/{proposal['id']}").json()["state"] == "seen"
    first = Proposal.objects.get(pk=proposal["id"]).first_seen_at
    client.get(f"proposals/{proposal['id']}")
    assert Proposal.objects.get(pk=proposal["id"]).first_seen_at == first
    assert client.post(f"proposals/{proposal['id']}/shortlist").json()["state"] == "shortlisted"
    assert client.post(f"proposals/{proposal['id']}/decline", {"reason": ""}).json()["fields"] == {"reason": ["This is required."]}
    assert client.post(f"proposals/{proposal['id']}/decline", {"reason": "Budget was cut"}).status_code == 200
    receipt = freelancer.get("me/proposals").json()["results"][0]["receipt"]
    assert (receipt["outcome"], receipt["outcome_reason"], receipt["position"]) == ("declined", "Budget was cut", None)
    kinds = list(Event.objects.filter(aggregate_type="jobs.proposal").order_by("version").values_list("kind", flat=True))
    assert kinds == ["proposal.submit", "proposal.see", "proposal.shortlist", "proposal.decline"]


def test_terms_may_change_until_the_client_opens_it_but_the_letter_may_not(post: Any, bid: Any, alice: Any, bob: Any) -> None:
    proposal, freelancer = bid(post()), Person(bob)
    changed = freelancer.patch(f"proposals/{proposal.pk}", {"amount_minor": 120_000}).json()
    assert (changed["amount_minor"], changed["milestones"][0]["amount_minor"], changed["quote"]["gross"]["minor"]) == (120_000,) * 3
    refused = freelancer.patch(f"proposals/{proposal.pk}", {"cover_letter": "Another one"})
    assert (refused.status_code, refused.json()["code"]) == (400, "cover_letter_fixed")
    Person(alice).get(f"proposals/{proposal.pk}")
    assert freelancer.patch(f"proposals/{proposal.pk}", {"amount_minor": 110_000}).json()["code"] == "proposal_seen"
    proposal.refresh_from_db()
    assert (proposal.amount_minor, proposal.cover_letter) == (120_000, "I have done this twice.")


def test_one_live_bid_a_job_and_a_new_one_after_withdrawing(post: Any, bid: Any, bob: Any) -> None:
    job = post()
    proposal, freelancer = bid(job), Person(bob)
    assert freelancer.post(f"jobs/{job.pk}/proposals", BID).json()["code"] == "proposal_exists"
    assert freelancer.post(f"proposals/{proposal.pk}/withdraw", {"reason": "Too busy"}).json()["state"] == "withdrawn"
    assert freelancer.post(f"jobs/{job.pk}/proposals", BID).status_code == 201
    assert Proposal.objects.filter(job=job).count() == 2


def test_a_client_cannot_bid_on_the_own_post(post: Any, charlie: Any) -> None:
    own = post(client=charlie)
    refused = Person(charlie).post(f"jobs/{own.pk}/proposals", BID)
    assert (refused.status_code, refused.json()["code"]) == (403, "job_own")


def test_accepting_fills_the_job_and_tells_the_others_why(post: Any, bid: Any, alice: Any, bob: Any, charlie: Any) -> None:
    job = post()
    chosen, other = bid(job), bid(job, freelancer=charlie)
    services.proposal_offer(actor=alice, proposal_id=chosen.pk)
    rival = Person(alice).post(f"jobs/{job.pk}/close", {"reason": "changed my mind"})
    assert rival.json()["code"] == "offer_is_out"
    services.proposal_accept(actor=bob, proposal_id=chosen.pk)
    for row in (job, chosen, other):
        row.refresh_from_db()
    assert (job.state, chosen.state, other.state) == ("filled", "accepted", "archived")
    assert (chosen.live_key, other.live_key, other.outcome_reason) == (None, None, "The client hired another freelancer.")
    assert Person(charlie).post(f"jobs/{job.pk}/proposals", BID).json()["code"] == "job_not_open"


def test_only_one_offer_is_out_on_a_job(post: Any, bid: Any, alice: Any, bob: Any, charlie: Any) -> None:
    from marketplace.core.errors import Conflict

    job = post()
    first, second = bid(job), bid(job, freelancer=charlie)
    services.proposal_offer(actor=alice, proposal_id=first.pk)
    with pytest.raises(Conflict, match="offer_is_out"):
        services.proposal_offer(actor=alice, proposal_id=second.pk)
    services.proposal_offer_decline(actor=bob, proposal_id=first.pk, reason="No time")
    assert services.proposal_offer(actor=alice, proposal_id=second.pk).state == "offered"
    first.refresh_from_db()
    assert (first.state, first.outcome_reason) == ("declined", "No time")


def test_an_open_post_expires_after_thirty_days_once_and_can_be_renewed(post: Any, bid: Any, alice: Any) -> None:
    job = post()
    proposal = bid(job)
    clock.advance(int(timedelta(days=30).total_seconds()) - 60)
    assert tasks.expire_due() == 0
    clock.advance(120)
    assert tasks.expire_due() == 1
    assert tasks.expire_due() == 0, "the same task again expires nothing twice"
    job.refresh_from_db()
    proposal.refresh_from_db()
    assert (job.state, proposal.state, proposal.outcome_reason) == ("expired", "expired", "The post expired.")
    assert Event.objects.filter(kind="job.expire").count() == 1
    assert Person(alice).post(f"jobs/{job.pk}/renew").json()["state"] == "open"
    job.refresh_from_db()
    assert job.ended_at is None
    assert job.expires_at > clock.now() + timedelta(days=29)


def test_posts_that_wait_for_an_offers_answer_do_not_keep_others_from_expiring(
    post: Any, bid: Any, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = post(), post()
    services.proposal_offer(actor=alice, proposal_id=bid(first).pk)
    monkeypatch.setattr(tasks, "BATCH", 1)
    clock.advance(int(timedelta(days=31).total_seconds()))
    assert tasks.expire_due() == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("open", "expired")


def test_staff_does_not_clear_its_own_held_post(post: Any, alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from marketplace.core import ports
    from marketplace.core.errors import NotAllowed

    asked = ports.Port("fraud_decision", ports.FraudDecision())
    asked.register("trust", lambda **question: ports.FraudDecision("hold", ("paid_to_apply",), "rules-1"))
    monkeypatch.setattr(ports, "fraud_decision", asked)
    draft = post(state="draft")
    assert Person(alice).post(f"jobs/{draft.pk}/publish").json()["state"] == "in_review"
    alice.is_staff = alice.is_superuser = True
    alice.save()
    with pytest.raises(NotAllowed, match="job_own"):
        services.job_clear(actor=alice, job_id=draft.pk)
    draft.refresh_from_db()
    assert draft.state == "in_review"


def test_a_held_post_waits_for_staff_and_a_blocked_one_stays_a_draft(
    post: Any, alice: Any, sam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from marketplace.core import ports

    verdicts = {"x": ports.FraudDecision("hold", ("paid_to_apply",), "rules-1")}
    asked = ports.Port("fraud_decision", ports.FraudDecision())
    asked.register("trust", lambda **question: verdicts["x"])
    monkeypatch.setattr(ports, "fraud_decision", asked)
    draft, client = post(state="draft"), Person(alice)
    assert client.post(f"jobs/{draft.pk}/publish").json()["state"] == "in_review"
    event = Event.objects.get(kind="job.hold")
    assert event.after == {"state": "in_review", "reasons": ["paid_to_apply"], "source": "rules-1"}
    assert services.job_clear(actor=sam, job_id=draft.pk).state == "open"
    verdicts["x"] = ports.FraudDecision("block", ("fake_job",), "rules-1")
    other = post(state="draft")
    refused = client.post(f"jobs/{other.pk}/publish")
    assert (refused.status_code, refused.json()["code"]) == (403, "job_blocked")
    other.refresh_from_db()
    assert (other.state, other.opened_at) == ("draft", None)


def test_an_invited_only_post_is_seen_by_the_invited_alone(post: Any, alice: Any, bob: Any, charlie: Any) -> None:
    job = post(visibility="invited")
    assert Person(bob).get(f"jobs/{job.pk}").status_code == 404
    for _ in range(2):
        assert Person(alice).post(f"jobs/{job.pk}/invitations", {"freelancer": bob.pk}).status_code == 201
    assert Person(bob).get(f"jobs/{job.pk}").status_code == 200
    assert Person(bob).post(f"jobs/{job.pk}/proposals", BID).status_code == 201
    assert Person(charlie).get(f"jobs/{job.pk}").status_code == 404
    assert Event.objects.filter(kind="invitation.send").count() == 1


def test_what_bids_rest_on_no_longer_changes(post: Any, bid: Any, alice: Any) -> None:
    job, client = post(), Person(alice)
    assert client.patch(f"jobs/{job.pk}", {"budget_max_minor": 300_000, "skills": ["go"]}).json()["budget_max_minor"] == 300_000
    bid(job)
    refused = client.patch(f"jobs/{job.pk}", {"budget_max_minor": 1_000})
    assert (refused.status_code, refused.json()["code"]) == (409, "job_has_proposals")
    assert client.patch(f"jobs/{job.pk}", {"description": "Four sources now, the rest as it was."}).status_code == 200


def test_each_side_makes_its_own_moves_only(post: Any, bid: Any, alice: Any, bob: Any, sam: Any) -> None:
    proposal = bid(post())
    for person, moves in ((bob, ("shortlist", "decline", "offer")), (alice, ("withdraw",)), (sam, ("shortlist", "decline", "withdraw"))):
        for move in moves:
            refused = Person(person).post(f"proposals/{proposal.pk}/{move}", {"reason": "mine"} if move != "offer" else {})
            assert refused.status_code == 403, (person, move, refused.content)
    proposal.refresh_from_db()
    assert (proposal.state, proposal.first_seen_at, proposal.live_key) == ("submitted", None, f"{proposal.job_id}:{bob.pk}")


def test_staff_who_look_at_a_proposal_do_not_make_it_seen(post: Any, bid: Any, sam: Any) -> None:
    proposal = bid(post())
    assert Person(sam).get(f"proposals/{proposal.pk}").json()["receipt"]["opened"] is False
    proposal.refresh_from_db()
    assert proposal.state == "submitted"


def test_charlie_sees_nothing_and_changes_nothing(post: Any, bid: Any, charlie: Any) -> None:
    draft, job = post(state="draft"), post()
    proposal = bid(job)
    events = Event.objects.count()
    stranger = Person(charlie)
    for path in (f"jobs/{draft.pk}", f"proposals/{proposal.pk}"):
        assert stranger.get(path).status_code == 404
    for path in (f"jobs/{draft.pk}/publish", f"jobs/{draft.pk}/close", f"proposals/{proposal.pk}/shortlist"):
        assert stranger.post(path).status_code == 404, path
    for path in (f"proposals/{proposal.pk}/decline", f"proposals/{proposal.pk}/withdraw"):
        assert stranger.post(path, {"reason": "mine now"}).status_code == 404, path
    assert stranger.patch(f"jobs/{draft.pk}", {"title": "Hijacked title"}).status_code == 404
    assert stranger.patch(f"proposals/{proposal.pk}", {"amount_minor": 1}).status_code == 404
    assert stranger.post(f"jobs/{job.pk}/close").status_code == 403
    assert stranger.get(f"jobs/{job.pk}/proposals").json()["results"] == []
    for row, state in ((draft, "draft"), (job, "open"), (proposal, "submitted")):
        row.refresh_from_db()
        assert row.state == state
    assert Event.objects.count() == events
