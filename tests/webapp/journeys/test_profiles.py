"""A freelancer fills a profile section by section, staff check it, and a client's page tells what they did here: over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts import sections
from marketplace.accounts.models import FreelancerSkill, ProfileEntry, User
from marketplace.contracts import services as contracts
from marketplace.contracts.models import Milestone
from marketplace.core.errors import InvalidInput
from marketplace.core.models import Event, StoredFile
from marketplace.core.tasks import drain
from marketplace.jobs.models import Category, Skill
from marketplace.matching import suggestions
from marketplace.notifications.models import InboxItem
from tests.webapp.people import Person

MINE = "me/freelancer-profile"
ENTRIES: dict[str, dict[str, Any]] = {
    "certifications": {"name": "CKA", "issuer": "CNCF", "issued_on": "2024-01-31", "expires_on": "2027-01-31", "credential_url": "https://example.org/1"},
    "portfolio": {"title": "متجر 🛒", "description": "x" * 5000, "finished_on": "2025-02-28", "links": ["https://example.org/a", "http://example.org/b"]},
    "experience": {"role": "Developer", "employer": "Acme", "description": "", "started_on": "2020-02-29", "ended_on": None},
    "education": {"degree": "BSc", "school": "Nairobi", "field": "Informatics", "description": "", "started_on": None, "ended_on": "2019-06-30"},
}  # fmt: skip


def upload(person: Person, name: str = "work.png") -> int:
    sent = {"file": SimpleUploadedFile(name, b"content")}
    answer = person.client.post("/api/v1/files", sent, format="multipart", HTTP_IDEMPOTENCY_KEY=name)
    return int(answer.json()["id"])


def told(user: User) -> list[str]:
    drain()
    return list(InboxItem.objects.filter(user=user).order_by("id").values_list("text", flat=True))


@pytest.mark.parametrize("section", sorted(ENTRIES))
def test_a_section_is_written_changed_ordered_shown_and_deleted(bob: User, charlie: User, section: str) -> None:
    me, other = Person(bob), Person(charlie)
    body = ENTRIES[section]
    made = [me.post(f"{MINE}/{section}", body) for _ in range(3)]
    assert [m.status_code for m in made] == [201] * 3
    first, second, third = (m.json()["id"] for m in made)
    assert {k: made[0].json()[k] for k in body} == body

    turned = me.put(f"{MINE}/{section}/order", {"ids": [third, first, second]})
    assert [e["id"] for e in turned.json()] == [third, first, second]
    assert [e["id"] for e in other.get(f"freelancers/{bob.pk}").json()[section]] == [third, first, second]
    for wrong in ([third, first], [third, first, second, second], [third, first, second, 10**12]):
        assert me.put(f"{MINE}/{section}/order", {"ids": wrong}).status_code == 400

    name = next(iter(body))
    assert me.patch(f"{MINE}/{section}/{first}", {name: "Changed"}).json() == {**made[0].json(), name: "Changed"}
    assert other.patch(f"{MINE}/{section}/{first}", {name: "Taken over"}).status_code == 404
    assert other.client.delete(f"/api/v1/{MINE}/{section}/{first}").status_code == 404
    elsewhere = next(s for s in ENTRIES if s != section)
    assert me.patch(f"{MINE}/{elsewhere}/{first}", {}).status_code == 404, "an entry belongs to one section"
    assert me.client.delete(f"/api/v1/{MINE}/{section}/{first}").status_code == 204
    assert [e["id"] for e in me.get(f"{MINE}/{section}").json()] == [third, second]
    log = Event.objects.filter(kind__startswith="freelancer_profile.entry").values_list("kind", "after")
    assert {k for k, _ in log} == {f"freelancer_profile.entry_{a}" for a in ("add", "change", "delete")}
    assert {tuple(sorted(after)) for _, after in log} == {("entry_id", "section")}, "the log keeps no personal data"


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("certifications", "name", ""),
        ("certifications", "issuer", "x" * 201),
        ("certifications", "issued_on", None),
        ("certifications", "issued_on", "2999-01-01"),
        ("certifications", "issued_on", "1899-12-31"),
        ("certifications", "issued_on", "31.1.2024"),
        ("certifications", "expires_on", "2024-01-30"),
        ("certifications", "credential_url", "javascript:alert(1)"),
        ("certifications", "credential_url", "https://me:secret@example.org/"),
        ("certifications", "credential_url", "example.org"),
        ("portfolio", "links", ["https://example.org/a"] * 11),
        ("portfolio", "links", ["ftp://example.org"]),
        ("portfolio", "links", "https://example.org"),
        ("portfolio", "title", "a\x00b"),
        ("portfolio", "description", "x" * 10_000),
        ("experience", "ended_on", "2019-12-31"),
        ("experience", "ended_on", "2999-01-01"),
        ("education", "school", None),
    ],
)  # fmt: skip
def test_a_wrong_field_of_an_entry_is_named(bob: User, section: str, field: str, value: Any) -> None:
    answer = Person(bob).post(f"{MINE}/{section}", {**ENTRIES[section], field: value})
    assert answer.status_code == 400, answer.content
    assert field in {name.split(".")[0] for name in answer.json()["fields"]}
    assert ProfileEntry.objects.count() == 0


def test_text_no_database_holds_and_files_that_are_not_ones_own_are_refused(committed_db: None, bob: User) -> None:
    me = Person(bob)
    body = '{"title": "\\ud800"}'
    sent = me.client.post(f"/api/v1/{MINE}/portfolio", body, content_type="application/json", HTTP_IDEMPOTENCY_KEY="s")
    assert (sent.status_code, list(sent.json()["fields"])) == (400, ["title"])
    refused = me.post(f"{MINE}/portfolio", {"title": "A shop", "file_ids": [1]})
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["files"])
    assert ProfileEntry.objects.count() == 0 and not Event.objects.filter(kind="freelancer_profile.entry_add").exists()


def test_a_section_has_an_end(bob: User, settings: Any) -> None:
    for _ in range(sections.MAX_ENTRIES):
        sections.entry_add(actor=bob, section="education", degree="BSc", school="Nairobi")
    with pytest.raises(InvalidInput, match="section_full"):
        sections.entry_add(actor=bob, section="education", degree="BSc", school="Nairobi")
    assert sections.entry_add(actor=bob, section="portfolio", title="A shop").pk, "sections are counted apart"


def test_without_a_profile_there_are_no_sections(alice: User) -> None:
    assert Person(alice).get(f"{MINE}/portfolio").json() == []
    refused = Person(alice).post(f"{MINE}/portfolio", {"title": "A shop"})
    assert (refused.status_code, refused.json()["code"]) == (403, "freelancer_profile_missing")


def test_files_follow_the_entry(bob: User, charlie: User, django_capture_on_commit_callbacks: Any) -> None:
    me = Person(bob)
    one, two, three = (upload(me, f"{n}.png") for n in range(3))
    entry = me.post(f"{MINE}/portfolio", {"title": "A shop", "file_ids": [one, two]}).json()
    assert [f["id"] for f in entry["files"]] == [one, two]
    assert Person(charlie).get(f"files/{one}").status_code == 200
    stored = StoredFile.objects.get(pk=one).stored_as
    with django_capture_on_commit_callbacks(execute=True):
        changed = me.patch(f"{MINE}/portfolio/{entry['id']}", {"file_ids": [two, three]}).json()
    assert [f["id"] for f in changed["files"]] == [two, three]
    assert me.get(f"files/{one}").status_code == 404 and not default_storage.exists(stored)
    assert [f["id"] for f in me.patch(f"{MINE}/portfolio/{entry['id']}", {"title": "B"}).json()["files"]] == [two, three]
    assert Person(charlie).post(f"{MINE}/portfolio", {"title": "Mine", "file_ids": [two]}).status_code == 400
    me.client.delete(f"/api/v1/{MINE}/portfolio/{entry['id']}")
    assert StoredFile.objects.filter(owner_id=bob.pk).count() == 0


def test_staff_check_a_certificate_and_a_change_undoes_it(bob: User, charlie: User, sam: User, staff: Any) -> None:
    me, checker = Person(bob), Person(sam)
    credential = upload(me)
    made = me.post(f"{MINE}/certifications", {**ENTRIES["certifications"], "file_ids": [credential]}).json()
    assert (made["check_state"], made["checked_at"]) == ("unchecked", None)
    assert Person(charlie).get(f"files/{credential}").status_code == 404
    assert checker.get(f"files/{credential}").status_code == 200
    (waiting,) = checker.get("staff/certifications").json()["results"]
    assert (waiting["id"], waiting["user_id"], waiting["display_name"]) == (made["id"], bob.pk, "Bob")
    path = f"staff/certifications/{made['id']}/check"
    assert checker.post(path, {"verdict": "verify", "reason": " "}).status_code == 400
    done = checker.post(path, {"verdict": "verify", "reason": "Seen at the issuer's."})
    assert (done.status_code, done.json()["check_state"]) == (200, "verified")
    assert checker.post(path, {"verdict": "verify", "reason": "Again."}).status_code == 409
    assert "Your certificate “CKA” was checked: it is verified." in told(bob)
    assert checker.get("staff/certifications").json()["results"] == []
    assert [c["id"] for c in checker.get("staff/certifications", state="verified").json()["results"]] == [made["id"]]
    assert checker.get("staff/certifications", state="nothing").status_code == 400
    public = Person(charlie).get(f"freelancers/{bob.pk}").json()["certifications"][0]
    assert public["check_state"] == "verified" and not {"check_reason", "checked_at", "files"} & set(public)
    assert me.get(f"{MINE}/certifications").json()[0]["check_reason"] == "Seen at the issuer's."
    acts = Person(staff("admin")).get("audit").json()["results"]
    assert [(a["action"], a["object_type"], a["field"], a["before"], a["after"], a["reason"]) for a in acts] == [
        ("profile_verify", "accounts.profileentry", "check_state", "unchecked", "verified", "Seen at the issuer's.")
    ]
    same = me.patch(f"{MINE}/certifications/{made['id']}", {"name": "CKA"}).json()
    assert same["check_state"] == "verified", "what did not change stays checked"
    other = me.patch(f"{MINE}/certifications/{made['id']}", {"name": "CKAD"}).json()
    assert (other["check_state"], other["check_reason"], other["checked_at"]) == ("unchecked", "", None)
    refused = checker.post(path, {"verdict": "refuse", "reason": "No such number."}).json()
    assert refused["check_state"] == "refused"
    swapped = me.patch(f"{MINE}/certifications/{made['id']}", {"file_ids": []}).json()
    assert swapped["check_state"] == "unchecked", "the credential is part of what was checked"


def test_nobody_checks_their_own(sam: User, alice: User) -> None:
    me = Person(sam)
    me.put(MINE, {"title": "Helper"})
    me.put("me/client-profile", {"company_name": "Sam Ltd"})
    mine = me.post(f"{MINE}/certifications", ENTRIES["certifications"]).json()["id"]
    word = {"verdict": "verify", "reason": "It is me."}
    assert me.post(f"staff/certifications/{mine}/check", word).json()["code"] == "own_certification"
    assert me.post(f"staff/clients/{sam.pk}/check", word).json()["code"] == "own_company"
    assert ProfileEntry.objects.get().check_state == "unchecked"


def test_staff_check_a_company_and_a_new_name_undoes_it(alice: User, charlie: User, sam: User) -> None:
    me, other = Person(alice), Person(charlie)
    content = {"company_name": "Acme", "about": "Shops.", "website": "https://acme.example.org"}
    assert me.put("me/client-profile", content).json()["verification"]["state"] == "unchecked"
    done = Person(sam).post(f"staff/clients/{alice.pk}/check", {"verdict": "verify", "reason": "In the register."})
    assert (done.status_code, done.json()["state"], done.json()["reason"]) == (200, "verified", "In the register.")
    page = other.get(f"clients/{alice.pk}").json()
    assert (page["company_name"], page["website"], page["country"]) == ("Acme", content["website"], "DE")
    assert page["verification"] == {"state": "verified"}
    assert "Your company “Acme” was checked: it is verified." in told(alice)
    assert me.put("me/client-profile", {**content, "about": "More shops."}).json()["verification"]["state"] == "verified"
    assert me.put("me/client-profile", {**content, "website": ""}).json()["verification"]["state"] == "unchecked"
    assert me.put("me/client-profile", {**content, "website": "acme"}).status_code == 400
    assert other.get(f"clients/{sam.pk}").status_code == 404


def test_the_page_of_a_client_tells_what_they_did_here(alice: User, bob: User, submitted: Milestone) -> None:
    def history() -> Any:
        return Person(bob).get(f"clients/{alice.pk}").json()["history"]

    before = {"jobs_posted": 1, "jobs_open": 0, "hires": 1, "contracts_active": 1, "contracts_completed": 0}
    assert history() == {**before, "spent_band": "none"}
    contracts.milestone_approve(actor=alice, milestone_id=submitted.pk)
    assert history() == {**before, "spent_band": "under_1k"}
    Milestone.objects.filter(pk=submitted.pk).update(amount_minor=1_000_00)
    assert history()["spent_band"] == "under_10k", "a class includes its lower end"
    Milestone.objects.filter(pk=submitted.pk).update(amount_minor=submitted.amount_minor)
    with CaptureQueriesContext(connection) as seen:
        history()
    assert len(seen) <= 8
    since = Person(bob).get(f"clients/{alice.pk}").json()["client_since"]
    assert since.startswith(f"{alice.client_profile.created_at:%Y-%m-%d}")


def test_a_part_of_the_profile_changes_alone(bob: User) -> None:
    me = Person(bob)
    spoken = [{"code": "sw", "level": "native"}, {"code": "ar", "level": "basic"}]
    changed = me.patch(MINE, {"languages": spoken, "availability": "partly", "hours_per_week": 10}).json()
    assert (changed["languages"], changed["availability"], changed["hours_per_week"]) == (spoken, "partly", 10)
    assert (changed["title"], changed["hourly_rate_minor"]) == ("Python developer", 4500)
    assert me.patch(MINE, {"title": ""}).status_code == 400
    assert me.patch(MINE, {"category": "nothing"}).json()["fields"] == {"category": ["Unknown: nothing."]}
    data = Category.objects.create(slug="data", name="Data")
    Skill.objects.create(slug="sql", name="SQL", category=data)
    claimed = me.patch(MINE, {"category": "data", "skills": [{"skill": "sql"}]}).json()
    assert (claimed["category"], claimed["skills"][0]["skill"]) == ("data", "sql")
    assert me.patch(MINE, {"title": "Analyst"}).json()["skills"] == claimed["skills"]
    assert me.patch(MINE, {"category": None}).json()["category"] is None


def test_completeness_names_what_is_missing_and_reaches_the_whole(bob: User, alice: User) -> None:
    me = Person(bob)
    first = me.get(f"{MINE}/completeness").json()
    assert first["percent"] == 25 == sum(h["weight"] for h in first["there"])
    assert [h["name"] for h in first["there"]] == ["title", "hourly_rate", "country"]
    assert first["percent"] + sum(h["weight"] for h in first["missing"]) == 100
    assert [h["weight"] for h in first["missing"]] == sorted((h["weight"] for h in first["missing"]), reverse=True)
    data = Category.objects.create(slug="data", name="Data")
    Skill.objects.bulk_create([Skill(slug=s, name=s, category=data) for s in ("a", "b", "c")])
    spoken = [{"code": "en", "level": "fluent"}]
    me.patch(MINE, {"overview": "word " * 29, "category": "data", "languages": spoken, "skills": [{"skill": "a"}, {"skill": "b"}]})
    assert {h["name"] for h in me.get(f"{MINE}/completeness").json()["missing"]} == {"overview", "skills", *ENTRIES}
    me.patch(MINE, {"overview": "word " * 30, "skills": [{"skill": s} for s in "abc"]})
    for section, body in ENTRIES.items():
        me.post(f"{MINE}/{section}", body)
    assert me.get(f"{MINE}/completeness").json()["percent"] == 100
    nothing = Person(alice).get(f"{MINE}/completeness").json()
    assert (nothing["percent"], nothing["there"]) == (5, [{"name": "country", "weight": 5, "advice": "Say which country you work from."}])


def test_skill_suggestions_are_empty_and_say_why_until_a_model_answers(bob: User, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    me = Person(bob)
    assert me.get("me/skill-suggestions").json() == {"model_version": "none", "note": "no model suggests skills yet", "results": []}
    assert Person(alice).get("me/skill-suggestions").json()["code"] == "freelancer_profile_missing"
    data = Category.objects.create(slug="data", name="Data")
    known, new, better = (Skill.objects.create(slug=s, name=s.upper(), category=data).pk for s in ("known", "new", "better"))
    FreelancerSkill.objects.create(freelancer=bob.freelancer_profile, skill_id=known)
    asked: dict[str, Any] = {}

    def model(**question: Any) -> suggestions.Answer:
        asked.update(question)
        scored = [(known, 0.9), (new, 0.2), (better, 0.7), (10**9, 0.8), (new, 0.1)]
        return suggestions.Answer("skills-1", [suggestions.Suggested(pk, score, "beside what you know") for pk, score in scored])

    monkeypatch.setattr(suggestions.suggesters, "_providers", {"test": model})
    found = me.get("me/skill-suggestions").json()
    assert (found["model_version"], found["note"]) == ("skills-1", "")
    assert [(r["skill"], r["name"], r["score"]) for r in found["results"]] == [("better", "BETTER", 0.7), ("new", "NEW", 0.2)]
    assert asked == {"user_id": bob.pk, "skill_ids": frozenset({known}), "limit": 10}
    assert [r["skill"] for r in me.get("me/skill-suggestions", limit=1).json()["results"]] == ["better"]
    assert me.get("me/skill-suggestions", limit=0).status_code == 400


def test_a_day_is_a_day(bob: User) -> None:
    entry = sections.entry_add(
        actor=bob, section="education", degree="BSc", school="N", started_on=date(2024, 2, 29), ended_on=date(2024, 2, 29)
    )
    assert entry.ended_on == date(2024, 2, 29)
