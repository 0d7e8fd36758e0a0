"""Whatever is sent: 400 with the field named, nothing stored, never 500."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.jobs.models import Category, Job, Proposal, Skill
from tests.webapp.jobs.test_journey import BID, POST
from tests.webapp.people import Person

WRONG_POSTS = [
    ("budget_min_minor", -1),
    ("budget_min_minor", 0),
    ("budget_min_minor", 12.5),
    ("budget_min_minor", "100"),
    ("budget_min_minor", True),
    ("budget_min_minor", 10**30),
    ("budget_max_minor", 5),
    ("currency", "XYZ"),
    ("currency", "XAU"),
    ("currency", 840),
    ("currency", None),
    ("title", ""),
    ("title", "x" * 201),
    ("title", "null\x00byte here"),
    ("title", "half a mark \ufffe here"),
    ("description", "no character \uffff in a long enough text"),
    ("title", {"a": 1}),
    ("description", "y" * 20_001),
    ("description", "bell \x07 in a long enough text"),
    ("category", "no-such-category"),
    ("category", 7),
    ("skills", "python"),
    ("skills", ["no-such-skill"]),
    ("skills", [["python"]]),
    ("skills", ["python"] * 21),
    ("pricing", "barter"),
    ("duration_days", -3),
    ("duration_days", 1.5),
    ("experience_level", "wizard"),
    ("location_country", "ZZ"),
    ("location_country", "usa"),
    ("visibility", "secret"),
    ("preferred_start", "tomorrow"),
    ("screening_questions", ["q"] * 21),
    ("screening_questions", [""]),
]


@pytest.mark.parametrize(("field", "value"), WRONG_POSTS, ids=[f"{f}-{i}" for i, (f, _) in enumerate(WRONG_POSTS)])
def test_a_wrong_post_names_its_field(catalogue: None, alice: Any, field: str, value: Any) -> None:
    answer = Person(alice).post("jobs", {**POST, field: value})
    assert answer.status_code == 400, answer.content
    body = answer.json()
    assert any(name == field or name.startswith(f"{field}.") for name in body["fields"]), body
    assert set(body) == {"code", "message", "fields"}
    assert Job.objects.count() == 0


@pytest.mark.parametrize("field", ["title", "description", "category", "pricing"])
def test_a_missing_field_is_named(catalogue: None, alice: Any, field: str) -> None:
    answer = Person(alice).post("jobs", {k: v for k, v in POST.items() if k != field})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


WRONG_BIDS = [
    ("amount_minor", -1),
    ("amount_minor", 0),
    ("amount_minor", 1500.0),
    ("amount_minor", "150000"),
    ("amount_minor", 10**13),
    ("currency", "EUR"),
    ("currency", "???"),
    ("cover_letter", ""),
    ("cover_letter", "z" * 10_001),
    ("cover_letter", "a\x00b"),
    ("delivery_days", 0),
    ("milestones", [{"title": "half", "amount_minor": 75_000}]),
    ("milestones", [{"title": "float", "amount_minor": 150_000.0}]),
    ("milestones", [{"title": "minus", "amount_minor": -1}, {"title": "rest", "amount_minor": 150_001}]),
    ("milestones", [{"amount_minor": 150_000}]),
    ("milestones", "all of it"),
    ("milestones", [1, 2]),
    ("answers", ["to nothing"]),
]


@pytest.mark.parametrize(("field", "value"), WRONG_BIDS, ids=[f"{f}-{i}" for i, (f, _) in enumerate(WRONG_BIDS)])
def test_a_wrong_bid_names_its_field(post: Any, bob: Any, field: str, value: Any) -> None:
    job = post()
    answer = Person(bob).post(f"jobs/{job.pk}/proposals", {**BID, field: value})
    assert answer.status_code == 400, answer.content
    assert any(name == field or name.startswith(f"{field}.") for name in answer.json()["fields"]), answer.json()
    assert Proposal.objects.count() == 0
    job.refresh_from_db()
    assert job.proposal_count == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"12", b'{"title": NaN}', b"\xff\xfe", b"[" * 5000])
def test_a_body_that_is_no_object_is_refused(catalogue: None, alice: Any, body: bytes) -> None:
    for path in ("/api/v1/jobs", "/api/v1/clock/advance", "/api/v1/activity/views"):
        answer = Person(alice).client.post(path, body, content_type="application/json", HTTP_IDEMPOTENCY_KEY=f"k{len(body)}{path}")
        assert answer.status_code in (400, 403), (path, answer.status_code, answer.content)


@pytest.mark.parametrize("text", ["'; DROP TABLE jobs_job; --", "<script>alert(1)</script>", "{{7*7}}", "👩‍💻 \u202e reversed"])
def test_text_is_kept_exactly_as_it_was_written(catalogue: None, alice: Any, text: str) -> None:
    made = Person(alice).post("jobs", {**POST, "title": f"Title {text}"})
    assert made.status_code == 201
    assert Person(alice).get(f"jobs/{made.json()['id']}").json()["title"] == f"Title {text}"


@pytest.mark.parametrize("number", ["0", str(2**63), "9" * 40])
def test_an_impossible_id_is_not_found(alice: Any, number: str) -> None:
    for path in ("jobs/", "proposals/", "freelancers/"):
        assert Person(alice).get(path + number).status_code == 404, path + number


def test_hourly_bids_have_no_milestones_and_questions_want_answers(post: Any, bob: Any) -> None:
    hourly = post(pricing="hourly", budget_min_minor=3_000, budget_max_minor=5_000, screening_questions=["Why you?"])
    refused = Person(bob).post(f"jobs/{hourly.pk}/proposals", {**BID, "amount_minor": 4_000})
    assert sorted(refused.json()["fields"]) == ["answers", "milestones"]
    good = {"cover_letter": "Because.", "amount_minor": 4_000, "currency": "USD", "answers": ["I did it before"]}
    assert Person(bob).post(f"jobs/{hourly.pk}/proposals", good).status_code == 201


def test_two_hundred_skills_are_kept_or_refused_by_the_field(alice: Any, bob: Any) -> None:
    category = Category.objects.create(slug="everything", name="Everything")
    Skill.objects.bulk_create([Skill(slug=f"everything-{n}", name=f"कौशल {n}", category=category) for n in range(200)])
    slugs = [f"everything-{n}" for n in range(200)]
    post = {"title": "مهارات كثيرة 😀", "description": "यह काम " * 1_400, "category": "everything", "pricing": "fixed"}
    refused = Person(alice).post("jobs", {**post, "skills": slugs})
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["skills"])
    assert Person(alice).post("jobs", {**post, "skills": slugs[:20]}).status_code == 201
    claims = [{"skill": slug} for slug in slugs]
    refused = Person(bob).patch("me/freelancer-profile", {"skills": claims})
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["skills"])
    assert Person(bob).patch("me/freelancer-profile", {"skills": claims[:50]}).status_code == 200
    for route in ("jobs", "freelancers"):
        asked = Person(bob).get(route, skills=",".join(slugs))
        assert asked.status_code == 200 or list(asked.json()["fields"]) == ["skills"], asked.content
