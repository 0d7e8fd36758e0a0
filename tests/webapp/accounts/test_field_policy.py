"""Who sees which field of a profile: every field has a decision, and every answer keeps to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from marketplace.accounts import policies
from marketplace.accounts.models import ClientProfile, CompanyDetails, FreelancerProfile, FreelancerSkill, ProfileEntry, User
from marketplace.core import files
from tests.webapp.people import Person

TABLES: dict[str, type[models.Model]] = {
    "user": User,
    "freelancer_profile": FreelancerProfile,
    "freelancer_skill": FreelancerSkill,
    "profile_entry": ProfileEntry,
    "client_profile": ClientProfile,
    "company_details": CompanyDetails,
}
AT = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_field_has_a_decision(table: str) -> None:
    """A field that is new here needs a line in accounts.policies.FIELDS: who reads it?"""
    assert {f.name for f in TABLES[table]._meta.concrete_fields} == set(policies.FIELDS[table])
    assert {readers <= {"public", "owner", "staff"} for readers in policies.FIELDS[table].values()} == {True}


def test_what_strangers_must_never_read_is_said_here_too() -> None:
    """The policy's own words are not proof of themselves: whoever opens one of these fields to everybody has to say so twice."""
    never = {
        "user": {"email", "password", "language", "display_currency", "last_login", "is_staff", "is_superuser", "is_active", "date_joined"},
        "profile_entry": {"checked_at", "check_reason", "checked_by"},
        "company_details": {"checked_at", "check_reason", "checked_by"},
        "client_profile": {"import_source"},
    }
    assert {table: names & set(policies.seen_by("public", table)) for table, names in never.items()} == {table: set() for table in never}


def marked(prefix: str, longest: int) -> str:
    return f"mark-{prefix}"[:longest]


#: what cannot hold a text of our own: these are told apart by a value that occurs nowhere else
SPECIAL: dict[str, Any] = {
    "country": "FO",
    "time_zone": "Antarctica/Troll",
    "language": "sw",
    "display_currency": "ISK",
    "currency": "KWD",
    "hourly_rate_minor": 918_273,
    "experience_level": "expert",
    "years_experience": 71,
    "availability": "unavailable",
    "hours_per_week": 97,
    "languages": [{"code": "fo", "level": "native"}],
    "started_on": date(1987, 6, 5),
    "ended_on": date(1988, 7, 6),
    "links": ["https://mark-links.example.org/"],
    "check_state": "refused",
    "checked_at": AT,
    "created_at": datetime(2019, 8, 7, 6, 5, 4, tzinfo=UTC),
    "last_login": datetime(2018, 8, 7, 6, 5, 4, tzinfo=UTC),
    "date_joined": datetime(2017, 8, 7, 6, 5, 4, tzinfo=UTC),
    "email": "mark-email@example.org",
}


def plant(row: models.Model, table: str) -> dict[str, str]:
    """Fill the row with values that give themselves away; returns field → the text to look for in an answer."""
    planted = {}
    for field in row._meta.concrete_fields:
        if field.name in SPECIAL:
            value = SPECIAL[field.name]
        elif isinstance(field, models.CharField | models.TextField) and not field.choices:
            value = marked(f"{table}-{field.name}", field.max_length or 100)
        else:
            continue
        setattr(row, field.name, value)
        planted[field.name] = _text(value)
    row.save()
    return planted


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return _text(value[0]["code"] + '"' if isinstance(value[0], dict) else value[0])
    return str(value)


@pytest.fixture
def person(alice: User) -> Iterator[tuple[User, dict[str, dict[str, str]]]]:
    """Alice with both profiles, a piece of portfolio, a certificate, and something of its own in every field."""
    freelancer = FreelancerProfile.objects.create(user=alice, title="T")
    client = alice.client_profile
    company = CompanyDetails.objects.create(profile=client)
    entry = ProfileEntry(freelancer=freelancer, section="certifications", position=1, created_at=AT)
    planted = {
        "user": plant(alice, "user"),
        "freelancer_profile": plant(freelancer, "freelancer_profile"),
        "client_profile": plant(client, "client_profile"),
        "company_details": plant(company, "company_details"),
        "profile_entry": plant(entry, "profile_entry"),
    }
    alice.refresh_from_db()
    yield alice, planted


def _sees(audience: str, pages: str, planted: dict[str, str], table: str, leave_out: set[str]) -> None:
    allowed = set(policies.seen_by(audience, table))
    for name, text in planted.items():
        if name in leave_out:
            continue
        assert (text in pages) == (name in allowed), f"{audience} and {table}.{name}: {text!r} in {pages}"


@pytest.mark.parametrize("audience", ["public", "owner", "staff"])
def test_every_answer_keeps_to_the_policy_field_by_field(
    person: tuple[User, dict[str, dict[str, str]]], charlie: User, sam: User, audience: str
) -> None:
    alice, planted = person
    reader = Person({"public": charlie, "owner": alice, "staff": sam}[audience])
    as_freelancer = reader.get(f"freelancers/{alice.pk}").content.decode()
    as_client = reader.get(f"clients/{alice.pk}").content.decode()
    own = reader.get("me").content.decode() if audience == "owner" else ""
    assert '"id":' in as_freelancer and '"id":' in as_client
    # a page of a freelancer tells nothing of the client, and the other way round, but of the user
    _sees(audience, as_freelancer + own, planted["user"], "user", set())
    _sees(audience, as_freelancer, planted["freelancer_profile"], "freelancer_profile", {"created_at"})
    _sees(audience, as_client, planted["client_profile"], "client_profile", set())
    _sees(audience, as_client, planted["company_details"], "company_details", set())
    # the subject is told of schools only
    _sees(audience, as_freelancer, planted["profile_entry"], "profile_entry", {"created_at", "subject", "description"})
    assert "mark-client" not in as_freelancer and "mark-freelancer" not in as_client


def test_nothing_of_a_user_who_left_is_told(person: tuple[User, dict[str, dict[str, str]]], charlie: User) -> None:
    alice, _ = person
    User.objects.filter(pk=alice.pk).update(is_active=False)
    for page in ("freelancers", "clients"):
        assert Person(charlie).get(f"{page}/{alice.pk}").status_code == 404


@pytest.mark.parametrize(
    ("section", "public"), [("portfolio", True), ("certifications", False), ("experience", False), ("education", False)]
)
def test_files_of_the_portfolio_are_public_and_credentials_are_not(
    bob: User, charlie: User, sam: User, staff: Any, section: str, public: bool
) -> None:
    stored = files.file_upload(actor=bob, name="a.pdf", content_type="application/pdf", content=SimpleUploadedFile("a.pdf", b"pdf"))
    entry = ProfileEntry.objects.create(freelancer=bob.freelancer_profile, section=section, position=1, title="A", created_at=AT)
    files.attach(actor=bob, file_ids=[stored.pk], to=entry)
    found = {
        who: Person(u).get(f"files/{stored.pk}").status_code for who, u in {"c": charlie, "b": bob, "s": sam, "f": staff("finance")}.items()
    }
    other = 200 if public else 404
    assert found == {"c": other, "b": 200, "s": 200, "f": other}
    shown = Person(charlie).get(f"freelancers/{bob.pk}").json()[section][0]
    assert [f["id"] for f in shown.get("files", [])] == ([stored.pk] if public else [])
    assert Person().get(f"files/{stored.pk}").status_code == 401
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert Person(charlie).get(f"files/{stored.pk}").status_code == 404


def test_a_profile_costs_the_same_with_one_entry_and_with_many(bob: User, charlie: User) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert Person(charlie).get(path).status_code == 200
        return len(seen)

    def add(n: int) -> None:
        for section in ProfileEntry.Section.values:
            for i in range(n):
                ProfileEntry.objects.create(freelancer=bob.freelancer_profile, section=section, position=i, title="A", created_at=AT)

    add(1)
    few = queries(f"freelancers/{bob.pk}")
    add(20)
    assert queries(f"freelancers/{bob.pk}") == few
