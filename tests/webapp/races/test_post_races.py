"""Posts and skills under concurrent hands: no post is left asking for a skill that is gone, and two twins cannot pass each other."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from django.db import connections, transaction

from marketplace.accounts.models import FreelancerSkill
from marketplace.core.errors import Conflict
from marketplace.core.models import Event
from marketplace.jobs import services, tasks
from marketplace.jobs.models import Category, Invitation, Job, JobSkill, Skill
from tests.webapp.races.rendezvous import PATIENCE, at_once

pytestmark = pytest.mark.skipif(os.environ.get("OPENLANCE_TEST_DB") == "sqlite", reason="SQLite has one writer at a time: no such race")

TERMS = {
    "title": "Load orders into a warehouse",
    "description": "Three shops send their orders as files; load them every hour.",
    "category": "data",
    "pricing": "fixed",
}


@pytest.fixture
def skills(committed_db: None) -> dict[str, Skill]:
    data = Category.objects.create(slug="data", name="Data")
    return {s: Skill.objects.create(slug=s, name=s.capitalize(), category=data) for s in ("python", "python-3", "sql")}


@pytest.fixture
def job(skills: dict[str, Skill], alice: Any) -> Job:
    made = services.job_create(actor=alice, skills=["sql"], **TERMS)
    return services.job_publish(actor=alice, job_id=made.pk)


def asked(job: Job) -> list[str]:
    return sorted(JobSkill.objects.filter(job=job).values_list("skill__slug", flat=True))


def test_an_edit_that_waited_for_the_merge_asks_for_the_skill_that_stays(
    skills: dict[str, Skill], job: Job, alice: Any, staff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edit has read the old skill when the merge is decided; its row is written only after the merge has committed."""
    moderator = staff("moderator")
    read, merged = threading.Event(), threading.Event()
    from marketplace.jobs.services import posts

    checked = posts.checked_post

    def slow(*args: Any, **kwargs: Any) -> Any:
        found = checked(*args, **kwargs)
        read.set()
        assert merged.wait(PATIENCE)
        return found

    monkeypatch.setattr(posts, "checked_post", slow)

    def merge() -> Any:
        assert read.wait(PATIENCE)
        try:
            return services.skill_merge(actor=moderator, slug="python-3", into="python", reason="The same.")
        finally:
            merged.set()

    edited, kept = at_once(lambda: services.job_update(actor=alice, job_id=job.pk, skills=["python-3", "sql"]), merge)
    assert not isinstance(edited, Exception), edited
    assert kept.slug == "python"
    assert asked(job) == ["python", "sql"]


def test_a_merge_that_waited_for_the_edit_takes_its_row_along(skills: dict[str, Skill], job: Job, alice: Any, staff: Any) -> None:
    moderator = staff("moderator")
    outcome: list[Any] = []

    def merge() -> None:
        try:
            outcome.append(services.skill_merge(actor=moderator, slug="python-3", into="python", reason="The same."))
        finally:
            connections.close_all()

    rival = threading.Thread(target=merge, daemon=True)
    with transaction.atomic():
        services.job_update(actor=alice, job_id=job.pk, skills=["python-3"])
        rival.start()
        rival.join(0.5)
        assert rival.is_alive(), "the merge waits for the row that the edit has written"
    rival.join(PATIENCE)
    assert [s.slug for s in outcome] == ["python"]
    assert asked(job) == ["python-3"]
    assert tasks.move_merged_skills() == 1
    assert asked(job) == ["python"]
    assert Event.objects.filter(kind="job.merge_skills", aggregate_id=job.pk).count() == 1


def test_two_workers_move_everything_once(skills: dict[str, Skill], alice: Any, bob: Any, staff: Any) -> None:
    jobs = [services.job_create(actor=alice, skills=["python-3"], confirm_duplicate=True, **TERMS) for _ in range(60)]
    FreelancerSkill.objects.create(freelancer=bob.freelancer_profile, skill_id=skills["python-3"].pk, level=4, years=3)
    services.skill_merge(actor=staff("moderator"), slug="python-3", into="python", reason="The same.")
    outcomes = at_once(tasks.move_merged_skills, tasks.move_merged_skills)
    assert [o for o in outcomes if isinstance(o, Exception)] == []
    assert JobSkill.objects.filter(skill=skills["python"]).count() == len(jobs)
    assert not JobSkill.objects.filter(skill=skills["python-3"]).exists()
    assert list(FreelancerSkill.objects.values_list("skill_id", "level", "years")) == [(skills["python"].pk, 4, 3)]
    assert Event.objects.filter(kind="job.merge_skills").count() == len(jobs), "one event a post"


def test_of_two_twins_at_once_one_is_asked_about(skills: dict[str, Skill], alice: Any) -> None:
    outcomes = at_once(*(lambda: services.job_create(actor=alice, **TERMS) for _ in range(2)))
    assert sum(isinstance(o, Conflict) for o in outcomes) == 1, outcomes
    assert Job.objects.count() == 1


def test_one_freelancer_invited_twice_at_once_is_invited_once(job: Job, alice: Any, bob: Any) -> None:
    outcomes = at_once(*(lambda: services.job_invite(actor=alice, job_id=job.pk, freelancer_id=bob.pk) for _ in range(2)))
    assert len({o.pk for o in outcomes}) == 1
    assert Invitation.objects.count() == 1
    assert Event.objects.filter(kind="invitation.send").count() == 1


def test_a_refused_twin_leaves_nothing(skills: dict[str, Skill], alice: Any) -> None:
    first = services.job_create(actor=alice, **TERMS)
    events = Event.objects.count()
    with pytest.raises(Conflict, match="job_duplicate"):
        services.job_create(actor=alice, skills=["sql"], **TERMS)
    assert list(Job.objects.values_list("pk", flat=True)) == [first.pk]
    assert (JobSkill.objects.count(), Event.objects.count()) == (0, events)
