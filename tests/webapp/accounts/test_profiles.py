"""One's own account, and what others may see of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import ClientProfile, FreelancerProfile, FreelancerSkill, User
from marketplace.core.models import DeletedRow, Event
from marketplace.jobs.models import Category, Skill
from tests.webapp.people import Person

PROFILE = {
    "title": "Python developer",
    "overview": "I move data.",
    "hourly_rate_minor": 6_000,
    "currency": "USD",
    "experience_level": "expert",
    "years_experience": 9,
    "availability": "partly",
    "hours_per_week": 20,
    "languages": [{"code": "en", "level": "fluent"}],
    "category": "data",
    "skills": [{"skill": "python", "level": 5, "years": 9}, {"skill": "go", "level": 2, "years": 1}],
}


@pytest.fixture
def skills(db: None) -> None:
    data = Category.objects.create(slug="data", name="Data")
    Skill.objects.bulk_create([Skill(slug=s, name=s.title(), category=data) for s in ("python", "go", "sql")])


def test_a_freelancer_profile_is_written_whole_and_read_back(skills: None, alice: User) -> None:
    me = Person(alice)
    assert me.put("me/freelancer-profile", PROFILE).status_code == 200
    told = me.get("me").json()
    assert told["roles"] == {"client": True, "freelancer": True, "staff": False, "groups": []}
    shown = told["freelancer_profile"]
    assert {k: shown[k] for k in PROFILE if k != "skills"} == {k: v for k, v in PROFILE.items() if k != "skills"}
    assert shown["skills"] == [
        {"skill": "python", "name": "Python", "level": 5, "years": 9},
        {"skill": "go", "name": "Go", "level": 2, "years": 1},
    ]


def test_a_skill_taken_off_leaves_a_tombstone_for_the_platform(skills: None, alice: User) -> None:
    me = Person(alice)
    me.put("me/freelancer-profile", PROFILE)
    gone = FreelancerSkill.objects.get(skill_id=Skill.objects.get(slug="go").pk).pk
    me.put("me/freelancer-profile", {**PROFILE, "skills": [{"skill": "python", "level": 4, "years": 9}]})
    assert list(FreelancerSkill.objects.values_list("level", flat=True)) == [4]
    assert DeletedRow.objects.values_list("table_name", "row_id").get() == ("accounts_freelancerskill", gone)


def test_others_see_the_public_side_only(skills: None, alice: User, charlie: User) -> None:
    Person(alice).put("me/freelancer-profile", PROFILE)
    seen = Person(charlie).get(f"freelancers/{alice.pk}")
    assert seen.status_code == 200
    assert alice.email not in seen.content.decode()
    assert Person().get(f"freelancers/{alice.pk}").status_code == 401
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert Person(charlie).get(f"freelancers/{alice.pk}").status_code == 404


def test_a_profile_costs_the_same_with_many_skills(skills: None, alice: User, charlie: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            Person(charlie).get(f"freelancers/{alice.pk}")
        return len(seen)

    Person(alice).put("me/freelancer-profile", {**PROFILE, "skills": PROFILE["skills"][:1]})
    few = queries()
    Person(alice).put("me/freelancer-profile", {**PROFILE, "skills": [{"skill": s} for s in ("python", "go", "sql")]})
    assert queries() == few


def test_the_account_changes_what_is_sent_and_the_log_keeps_no_personal_data(alice: User) -> None:
    told = Person(alice).patch("me", {"display_name": "Alice B.", "time_zone": "Europe/Berlin", "display_currency": "EUR"}).json()
    assert (told["display_name"], told["time_zone"], told["display_currency"], told["country"]) == (
        "Alice B.",
        "Europe/Berlin",
        "EUR",
        "DE",
    )
    event = Event.objects.get(kind="user.update")
    assert event.after == {"fields": ["display_currency", "display_name", "time_zone"]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("display_name", ""),
        ("display_name", "x" * 101),
        ("display_name", "a\x00b"),
        ("country", "XX"),
        ("country", "Germany"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("language", "tlh"),
        ("display_currency", "BTC"),
    ],
)
def test_a_wrong_field_of_the_account_is_named(alice: User, field: str, value: Any) -> None:
    answer = Person(alice).patch("me", {field: value})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    alice.refresh_from_db()
    assert (alice.display_name, alice.country, alice.time_zone) == ("Alice", "DE", "UTC")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "t" * 121),
        ("hourly_rate_minor", -1),
        ("hourly_rate_minor", 10.5),
        ("currency", "???"),
        ("experience_level", "guru"),
        ("years_experience", 81),
        ("hours_per_week", 169),
        ("availability", "maybe"),
        ("languages", [{"code": "en"}]),
        ("languages", "en"),
        ("languages", [{"code": "xx", "level": "fluent"}]),
        ("languages", [{"code": "en", "level": "fluent"}, {"code": "en", "level": "basic"}]),
        ("category", "no-such"),
        ("skills", [{"skill": "no-such"}]),
        ("skills", [{"skill": "python", "level": 6}]),
        ("skills", [{"skill": "python"}, {"skill": "python"}]),
        ("skills", [{"level": 1}]),
        ("skills", [{"skill": "go", "years": "two"}]),
    ],
)
def test_a_wrong_field_of_the_profile_is_named(skills: None, alice: User, field: str, value: Any) -> None:
    answer = Person(alice).put("me/freelancer-profile", {**PROFILE, field: value})
    assert answer.status_code == 400, answer.content
    assert all(name.split(".")[0] == field for name in answer.json()["fields"]), answer.json()
    assert FreelancerProfile.objects.count() == 0


def test_the_same_client_profile_again_changes_and_records_nothing(alice: User) -> None:
    content = {"company_name": "Acme", "about": "We build shops."}
    for _ in range(2):
        assert Person(alice).put("me/client-profile", content).status_code == 200
    profile = ClientProfile.objects.get(user=alice)
    assert (profile.company_name, profile.about) == ("Acme", "We build shops.")
    told = Event.objects.filter(aggregate_type="accounts.clientprofile", aggregate_id=profile.pk)
    assert [e.kind for e in told] == ["client_profile.update"]


def test_nobody_may_give_themselves_a_role(alice: User) -> None:
    Person(alice).patch("me", {"is_staff": True, "is_superuser": True, "roles": {"staff": True}, "email": "root@example.org"})
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser, alice.email) == (False, False, "alice@example.org")
