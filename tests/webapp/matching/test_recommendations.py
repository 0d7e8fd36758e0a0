"""Recommended jobs: by the model when it is sound, by the documented rules otherwise, and always open, visible and not bid on."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from marketplace.accounts.models import FreelancerSkill
from marketplace.activity.models import Impression
from marketplace.activity.tasks import flush
from marketplace.core import clock
from marketplace.jobs.models import Category, Job, JobSkill, Proposal, Skill
from marketplace.matching import rules
from marketplace.matching.models import ServedScore
from ml.serving import switch, write
from ml.serving.additive import AdditiveModel
from ml.serving.pairs import FEATURES, FreelancerSide, JobSide, side_arrays
from ml.serving.recommender import NAME

URL = "/api/v1/me/recommended-jobs"
pytestmark = pytest.mark.parity


@pytest.fixture
def skills(db: None) -> list[Skill]:
    category, _ = Category.objects.get_or_create(slug="software-t", defaults={"name": "Software"})
    return [Skill.objects.create(slug=f"skill-{n}", name=f"Skill {n}", category=category) for n in range(4)]


@pytest.fixture
def posts(alice: Any, bob: Any, skills: list[Skill]) -> list[Job]:
    """Three open jobs of alice: the first asks for bob's two skills, the second for one of them, the third for none."""
    now = clock.now()
    found = []
    for number, asked in enumerate([skills[:2], skills[1:3], skills[3:]]):
        job = Job.objects.create(
            client=alice, state="open", title=f"Job {number}", description="Work.", category=skills[0].category, pricing="fixed",
            currency="USD", created_at=now, opened_at=now - timedelta(hours=number), expires_at=now + timedelta(days=30),
        )  # fmt: skip
        for skill in asked:
            JobSkill.objects.create(job=job, skill=skill)
        found.append(job)
    for skill in skills[:2]:
        FreelancerSkill.objects.create(freelancer=bob.freelancer_profile, skill_id=skill.pk)
    return found


@pytest.fixture
def bundles(settings: Any, tmp_path: Path) -> Path:
    settings.BUNDLES = tmp_path / "bundles"
    return Path(settings.BUNDLES)


def make_bundle(root: Path, bob: Any, posts: list[Job], *, version: str = "1@p7") -> Path:
    """A model that scores by skill cover alone, over bob and the posts."""
    n = len(posts)
    zeros = np.zeros(n)
    one = FreelancerSide(
        ids=np.array([bob.pk]), skill_start=np.array([0, 2]), skill_index=np.array([0, 1]), category=np.array([1]), country=np.array([0]),
        zone=np.zeros(1), level=np.ones(1), log_rate=np.full(1, 8.0), reputation=np.full(1, 4.0), done=np.zeros(1), availability=np.ones(1),
        vector=np.zeros((1, 4)),
    )  # fmt: skip
    jobs = JobSide(
        ids=np.array([p.pk for p in posts]), skill_start=np.array([0, 2, 4, 5]), skill_index=np.array([0, 1, 1, 2, 3]), category=np.ones(n, dtype=np.int64),
        country=np.zeros(n, dtype=np.int64), zone=zeros, level=np.ones(n), hourly=zeros, log_budget=np.full(n, np.nan), client_hire_rate=zeros,
        proposals=zeros, opened_day=zeros, vector=np.zeros((n, 4)),
    )  # fmt: skip
    flat = (np.array([0.0, 1.0]), np.array([0.0, 0.0]))
    curve = dict.fromkeys(FEATURES, flat) | {"skill_cover": (np.array([0.0, 1.0]), np.array([0.0, 2.0]))}
    model = AdditiveModel(
        tuple(FEATURES), tuple(k for k, _ in curve.values()), tuple(v for _, v in curve.values()), np.zeros(len(FEATURES)), 0.5
    )
    arrays = {"idf": np.ones(4), "exposure_start": np.zeros(2, dtype=np.int64), "exposure_job": np.zeros(0, dtype=np.int64)}
    return write(
        root, NAME, version, arrays=arrays | side_arrays(one, "freelancer") | side_arrays(jobs, "job"),
        documents={"model": model.to_document(), "settings": {"candidates": 100}}, meta={"publish_id": "p7"},
    )  # fmt: skip


def ask(client: Client, user: Any, query: str = "") -> Any:
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.get(URL + query)


def test_the_model_orders_explains_and_names_itself(client: Client, bob: Any, posts: list[Job], bundles: Path) -> None:
    make_bundle(bundles, bob, posts)
    switch(bundles, NAME, "1@p7")
    body = ask(client, bob).json()
    assert (body["model_version"], body["publish_id"], body["fallback"], body["note"]) == ("1@p7", "p7", False, "")
    assert [h["job"]["id"] for h in body["results"]] == [p.pk for p in posts]
    assert [h["position"] for h in body["results"]] == [1, 2, 3]
    assert [h["score"] for h in body["results"]] == [2.5, 1.5, 0.5]
    for hit in body["results"]:
        assert sum(p["value"] for p in hit["parts"]) == pytest.approx(hit["score"], abs=1e-9)


def test_every_served_score_and_impression_is_logged_with_its_parts(client: Client, bob: Any, posts: list[Job], bundles: Path) -> None:
    make_bundle(bundles, bob, posts)
    switch(bundles, NAME, "1@p7")
    flush()
    Impression.objects.all().delete()
    batch = ask(client, bob).json()["batch"]
    flush()
    served = list(ServedScore.objects.filter(batch=batch).order_by("position"))
    assert [(s.job_id, s.position, s.score, s.model_version, s.publish_id) for s in served] == [
        (p.pk, i, 3.5 - i, "1@p7", "p7") for i, p in enumerate(posts, start=1)
    ]
    assert all(sum(p["value"] for p in s.parts) == pytest.approx(s.score) for s in served)
    shown = Impression.objects.filter(batch=batch, surface="recommended_jobs").order_by("position")
    assert [(i.item_id, i.position) for i in shown] == [(p.pk, n) for n, p in enumerate(posts, start=1)]


def test_without_a_model_the_rules_answer_and_say_so(client: Client, bob: Any, posts: list[Job], bundles: Path) -> None:
    body = ask(client, bob).json()
    assert (body["model_version"], body["fallback"]) == (rules.VERSION, True)
    assert "no model" in body["note"]
    assert [h["job"]["id"] for h in body["results"]] == [p.pk for p in posts]
    first = body["results"][0]
    assert {p["name"]: p["value"] for p in first["parts"]}["skill_cover"] == 3.0
    assert sum(p["value"] for p in first["parts"]) == pytest.approx(first["score"])


def test_a_corrupt_bundle_falls_back_and_a_sound_one_comes_back_without_a_restart(
    client: Client, bob: Any, posts: list[Job], bundles: Path
) -> None:
    folder = make_bundle(bundles, bob, posts)
    switch(bundles, NAME, "1@p7")
    assert ask(client, bob).json()["fallback"] is False
    model = folder / "model.json"
    model.write_bytes(model.read_bytes().replace(b"2.0", b"9.0"))
    (bundles / NAME / "CURRENT.json").touch()
    body = ask(client, bob).json()
    assert body["fallback"] is True
    assert "damaged" in body["note"]
    assert len(body["results"]) == 3
    make_bundle(bundles, bob, posts, version="2@p8")
    call_command("load_bundle", "matching")
    body = ask(client, bob).json()
    assert (body["fallback"], body["model_version"]) == (False, "2@p8")


def test_load_bundle_refuses_what_is_damaged_or_absent(bob: Any, posts: list[Job], bundles: Path) -> None:
    with pytest.raises(CommandError, match="make train"):
        call_command("load_bundle", "matching")
    folder = make_bundle(bundles, bob, posts)
    shutil.copy(folder / "idf.npy", folder / "job_ids.npy")
    with pytest.raises(CommandError, match="was changed"):
        call_command("load_bundle", "matching", "1@p7")


def test_a_model_that_misses_the_deadline_is_not_waited_for(
    client: Client, bob: Any, posts: list[Job], bundles: Path, settings: Any
) -> None:
    make_bundle(bundles, bob, posts)
    switch(bundles, NAME, "1@p7")
    settings.MATCHING_DEADLINE_SECONDS = 0.0
    body = ask(client, bob).json()
    assert body["fallback"] is True
    assert "in time" in body["note"]


def test_closed_hidden_own_and_already_bid_jobs_do_not_come(client: Client, bob: Any, posts: list[Job], bundles: Path) -> None:
    make_bundle(bundles, bob, posts)
    switch(bundles, NAME, "1@p7")
    Job.objects.filter(pk=posts[0].pk).update(state="closed")
    Job.objects.filter(pk=posts[1].pk).update(client=bob)
    Proposal.objects.create(
        job=posts[2],
        freelancer=bob,
        cover_letter="x",
        amount_minor=100,
        currency="USD",
        submitted_at=clock.now(),
        live_key=f"{posts[2].pk}:{bob.pk}",
    )
    assert ask(client, bob).json()["results"] == []


def test_closed_jobs_do_not_come_for_those_either_who_see_them(client: Client, bob: Any, sam: Any, posts: list[Job], bundles: Path) -> None:
    """Staff who may see other people's records see every post, and a freelancer who joins them keeps the profile."""
    make_bundle(bundles, bob, posts)
    switch(bundles, NAME, "1@p7")
    bob.groups.set(sam.groups.all())
    type(bob).objects.filter(pk=bob.pk).update(is_staff=True)
    bob.refresh_from_db()
    Job.objects.filter(pk=posts[0].pk).update(state="closed")
    client.force_login(bob, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"/api/v1/jobs/{posts[0].pk}").json()["state"] == "closed"
    body = ask(client, bob).json()
    assert body["fallback"] is False
    assert [r["job"]["id"] for r in body["results"]] == [posts[1].pk, posts[2].pk]


def test_who_joined_after_the_model_was_made_gets_the_rules(
    client: Client, bob: Any, charlie: Any, posts: list[Job], bundles: Path
) -> None:
    make_bundle(bundles, bob, posts)
    switch(bundles, NAME, "1@p7")
    body = ask(client, charlie).json()
    assert body["fallback"] is True
    assert "does not know you yet" in body["note"]
    assert len(body["results"]) == 3


def test_a_client_without_a_freelancer_profile_is_told_what_to_do(client: Client, alice: Any, posts: list[Job], bundles: Path) -> None:
    answer = ask(client, alice)
    assert answer.status_code == 403
    assert answer.json()["code"] == "freelancer_profile_missing"


def test_nobody_gets_recommendations_without_signing_in(client: Client, db: None) -> None:
    assert client.get(URL).status_code in (401, 403)


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1e3", "٣"])
def test_a_limit_out_of_range_is_an_error_not_a_guess(client: Client, bob: Any, limit: str) -> None:
    answer = ask(client, bob, f"?limit={limit}")
    assert answer.status_code == 400
    assert answer.json()["fields"]["limit"]


def test_the_number_of_queries_does_not_grow_with_the_list(
    client: Client, bob: Any, posts: list[Job], bundles: Path, django_assert_max_num_queries: Any
) -> None:
    make_bundle(bundles, bob, posts)
    switch(bundles, NAME, "1@p7")
    ask(client, bob)
    with django_assert_max_num_queries(10):
        assert len(client.get(URL).json()["results"]) == 3
