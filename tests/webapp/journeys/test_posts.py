"""A post from draft to end, as its client, freelancers and staff live through it over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from marketplace.core import clock
from marketplace.core.models import DeletedRow, Event, StaffAct
from marketplace.core.tasks import drain
from marketplace.jobs import selectors, services, tasks
from marketplace.jobs.models import Category, Invitation, Job, JobSkill, Proposal, SavedSearch, Skill, SkillAlias
from marketplace.notifications.models import InboxItem
from tests.webapp.journeys.posts_cast import *  # noqa: F403  (fixtures)
from tests.webapp.journeys.posts_cast import BID, POST, QUESTIONS, SEARCH, told, upload
from tests.webapp.people import Person


def test_questions_have_kinds_and_answers_are_held_to_them(post: Callable[..., int], alice: Any, bob: Any) -> None:
    job = post(questions=QUESTIONS)
    seen = Person(bob).get(f"jobs/{job}").json()
    assert seen["screening_questions"] == [q["text"] for q in QUESTIONS]
    assert [q["kind"] for q in seen["questions"]] == ["text", "yes_no", "number", "choice"]
    assert Job.objects.get(pk=job).screening_questions[0] == "Which loader would you use?", "a plain question is stored as it always was"
    wrong = Person(bob).post(f"jobs/{job}/proposals", {**BID, "answers": ["", "perhaps", "many", "Mine"]})
    assert wrong.status_code == 400
    assert set(wrong.json()["fields"]) == {"answers.0", "answers.1", "answers.2", "answers.3"}
    right = Person(bob).post(f"jobs/{job}/proposals", {**BID, "answers": ["This one.", "yes", "", "Ours"]})
    assert right.status_code == 201, right.content
    assert right.json()["answers"] == ["This one.", "yes", "", "Ours"]


def test_whoever_knows_only_texts_does_not_flatten_typed_questions(post: Callable[..., int], alice: Any) -> None:
    job = post(questions=QUESTIONS)
    texts = [q["text"] for q in QUESTIONS]
    changed = Person(alice).patch(f"jobs/{job}", {"screening_questions": [*texts[1:], "And one more?"]}).json()
    assert [(q["text"], q["kind"]) for q in changed["questions"]] == [
        (texts[1], "yes_no"),
        (texts[2], "number"),
        (texts[3], "choice"),
        ("And one more?", "text"),
    ]


@pytest.mark.parametrize(
    ("questions", "field"),
    [
        ([{"text": "Which?", "kind": "choice", "choices": ["One"]}], "screening_questions.0.choices"),
        ([{"text": "Which?", "kind": "choice", "choices": ["One", "One"]}], "screening_questions.0.choices"),
        ([{"text": "Really?", "kind": "yes_no", "choices": ["a", "b"]}], "screening_questions.0.choices"),
        ([{"text": "Q"}] * 21, "questions"),
    ],
)
def test_a_question_that_nobody_could_answer_is_refused(alice: Any, questions: list[dict[str, Any]], field: str) -> None:
    answer = Person(alice).post("jobs", {**POST, "questions": questions})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert not Job.objects.exists()


def test_files_are_read_by_whoever_sees_the_post(post: Callable[..., int], alice: Any, bob: Any, charlie: Any) -> None:
    public, secret = upload(alice), upload(alice, "secret.txt")
    job = post(file_ids=[public])
    hidden = post(
        file_ids=[secret], visibility="invited", title="Something else altogether", description="Nothing at all like the other one."
    )
    assert [f["name"] for f in Person(bob).get(f"jobs/{job}").json()["files"]] == ["schema.txt"]
    assert Person(bob).get(f"files/{public}").status_code == 200
    assert Person(bob).get(f"files/{secret}").status_code == 404
    Person(alice).post(f"jobs/{hidden}/invitations", {"freelancer": bob.pk})
    assert Person(bob).get(f"files/{secret}").status_code == 200
    assert Person(charlie).get(f"files/{secret}").status_code == 404
    foreign = Person(alice).patch(f"jobs/{job}", {"file_ids": [upload(bob, "mine.txt")]})
    assert (foreign.status_code, list(foreign.json()["fields"])) == (400, ["files"])


def test_history_tells_who_changed_what_and_bidders_are_told(post: Callable[..., int], alice: Any, bob: Any, charlie: Any) -> None:
    job, client = post(), Person(alice)
    client.patch(f"jobs/{job}", {"title": "Load all orders into a warehouse", "currency": "USD"})
    assert Person(bob).get(f"jobs/{job}/history").json()["code"] == "history_not_yours"
    Person(bob).post(f"jobs/{job}/proposals", BID)
    client.patch(
        f"jobs/{job}", {"description": "Four shops now, the rest as it was before.", "skills": ["sql", "python"], "pricing": "fixed"}
    )
    assert client.patch(f"jobs/{job}", {"description": "Four shops now, the rest as it was before."}).status_code == 200
    refused = client.patch(f"jobs/{job}", {"budget_max_minor": 100_000, "duration_days": 5})
    assert (refused.status_code, refused.json()["code"]) == (409, "job_has_proposals")
    newest, oldest = client.get(f"jobs/{job}/history").json()["results"]
    assert (newest["after_bids"], oldest["after_bids"]) == (True, False)
    assert (oldest["before"], oldest["after"]) == ({"title": POST["title"]}, {"title": "Load all orders into a warehouse"})
    assert newest["before"] == {"description": POST["description"], "skills": ["python"]}
    assert newest["after"] == {"description": "Four shops now, the rest as it was before.", "skills": ["python", "sql"]}
    assert newest["by"]["id"] == alice.pk
    assert [c["id"] for c in Person(bob).get(f"jobs/{job}/history").json()["results"]] == [newest["id"]]
    assert Person(charlie).get(f"jobs/{job}/history").status_code == 403
    assert told(bob).count("job.update") == 1
    assert told(alice) == ["proposal.submit"]


def test_a_near_identical_post_needs_the_clients_word(post: Callable[..., int], alice: Any, charlie: Any) -> None:
    first, client = post(), Person(alice)
    again = {**POST, "title": "Load the orders into a warehouse"}
    refused = client.post("jobs", again)
    assert (refused.status_code, refused.json()["code"], refused.json()["fields"]) == (409, "job_duplicate", {"duplicate_of": [str(first)]})
    assert Job.objects.count() == 1
    assert Person(charlie).post("jobs", again).status_code == 201, "other people's posts are no twins"
    made = client.post("jobs", {**again, "confirm_duplicate": True})
    assert (made.status_code, made.json()["duplicate_of"]) == (201, first)
    assert client.post(f"jobs/{made.json()['id']}/publish").status_code == 200, "what was confirmed is not asked again"
    likest = selectors.posts_like(first)
    assert sorted(p.client_id for p in likest) == [alice.pk, charlie.pk]
    assert all(p.likeness >= 80 for p in likest)
    other = client.post(
        "jobs", {**POST, "title": "Draw a logo for a bakery", "description": "A mark that works in one colour and at any size."}
    )
    assert other.status_code == 201


def test_a_draft_that_became_a_twin_is_asked_when_it_is_published(post: Callable[..., int], alice: Any) -> None:
    client = Person(alice)
    draft = post(publish=False, title="Draw a logo for a bakery", description="A mark that works in one colour and at any size.")
    first = post()
    client.patch(f"jobs/{draft}", {"title": POST["title"], "description": POST["description"]})
    refused = client.post(f"jobs/{draft}/publish")
    assert (refused.status_code, refused.json()["fields"]) == (409, {"duplicate_of": [str(first)]})
    assert client.post(f"jobs/{draft}/publish", {"confirm_duplicate": True}).json()["state"] == "open"


def test_posts_that_came_in_bulk_are_twins_too(post: Callable[..., int], alice: Any) -> None:
    job = Job.objects.get(pk=post())
    job.fingerprint.delete()
    assert Person(alice).post("jobs", POST).status_code == 409


def test_staff_hold_clear_remove_and_restore_with_a_reason(
    post: Callable[..., int], alice: Any, bob: Any, staff: Any, time_machine: Any
) -> None:
    time_machine.move_to("2026-03-02 12:00:00+00:00", tick=False)
    job, mod, client = post(), Person(staff("moderator")), Person(alice)
    Person(bob).post(f"jobs/{job}/proposals", BID)
    assert mod.post(f"jobs/{job}/hold").status_code == 400
    time_machine.move_to("2026-03-12 12:00:00+00:00", tick=False)
    assert mod.post(f"jobs/{job}/hold", {"reason": "Is the budget real?"}).json()["state"] == "in_review"
    assert client.get(f"jobs/{job}").json()["moderation_reason"] == "Is the budget real?"
    assert (Person().get(f"jobs/{job}").status_code, Person(bob).get(f"jobs/{job}").json()["moderation_reason"]) == (404, "")
    time_machine.move_to("2026-03-20 12:00:00+00:00", tick=False)
    cleared = mod.post(f"jobs/{job}/clear", {"reason": "It is."}).json()
    assert (cleared["state"], cleared["opened_at"], cleared["expires_at"]) == ("open", "2026-03-02T12:00:00Z", "2026-04-09T12:00:00Z")
    assert mod.post(f"jobs/{job}/remove", {"reason": "It asks to pay outside."}).json()["state"] == "removed"
    assert Proposal.objects.get().state == "expired"
    time_machine.move_to("2026-05-01 12:00:00+00:00", tick=False)
    restored = mod.post(f"jobs/{job}/restore", {"reason": "The appeal was right."}).json()
    assert (restored["state"], restored["ended_at"], restored["expires_at"]) == ("open", None, "2026-05-21T12:00:00Z")
    assert client.get(f"jobs/{job}").json()["moderation_reason"] == ""
    assert Person(bob).post(f"jobs/{job}/proposals", BID).status_code == 201
    acts = StaffAct.objects.filter(action="job_moderate", object_type="jobs.job", object_id=job).order_by("pk")
    assert [(a.before, a.after, a.reason) for a in acts] == [
        ("open", "in_review", "Is the budget real?"),
        ("in_review", "open", "It is."),
        ("open", "removed", "It asks to pay outside."),
        ("removed", "open", "The appeal was right."),
    ]
    assert [k for k in told(alice) if k.startswith("job.")] == ["job.hold", "job.clear", "job.remove", "job.restore"]
    assert "job.restore" in told(bob)


@pytest.mark.parametrize("group", ["support", "finance", "analyst"])
def test_other_staff_see_posts_and_judge_none(post: Callable[..., int], staff: Any, group: str) -> None:
    draft, job, person = (
        post(publish=False, title="A draft of quite another kind", description="Nothing like the others."),
        post(),
        Person(staff(group)),
    )
    assert person.get(f"jobs/{draft}").status_code == 200
    for act in ("hold", "clear", "remove", "restore"):
        assert person.post(f"jobs/{job}/{act}", {"reason": "So."}).status_code == 403
    assert not StaffAct.objects.exists()


def test_staff_without_the_permission_see_no_drafts(post: Callable[..., int], staff: Any) -> None:
    from django.contrib.auth.models import Group, Permission

    person = staff("analyst")
    Group.objects.get(name="analyst").permissions.remove(Permission.objects.get(codename="records_see"))
    assert Person(person).get(f"jobs/{post(publish=False)}").status_code == 404


def test_a_rule_holds_a_post_without_anybody(post: Callable[..., int], alice: Any) -> None:
    job = post()
    services.job_hold(actor=None, job_id=job, reason="contact details")
    assert "job.hold" in told(alice)
    assert services.job_clear(actor=None, job_id=job).state == "open"


def test_an_invitation_waits_for_the_post_and_leads_to_a_bid(post: Callable[..., int], alice: Any, bob: Any, charlie: Any) -> None:
    job, client, freelancer = post(publish=False, visibility="invited"), Person(alice), Person(bob)
    asked = client.post(f"jobs/{job}/invitations", {"freelancer": bob.pk, "message": "Your loaders!"}).json()
    assert (asked["state"], asked["sent_at"]) == ("sent", None)
    assert (told(bob), freelancer.get("me/invitations").json()["results"]) == ([], [])
    assert freelancer.post(f"invitations/{asked['id']}/accept").status_code == 404
    client.post(f"jobs/{job}/publish")
    assert told(bob) == ["invitation.send"]
    found = freelancer.get("me/invitations").json()["results"][0]
    assert (found["message"], found["job"]["id"], found["actions"]) == ("Your loaders!", job, ["accept", "decline"])
    assert Person(charlie).post(f"invitations/{asked['id']}/accept").status_code == 404
    assert client.post(f"invitations/{asked['id']}/accept").status_code == 403
    accepted = freelancer.post(f"invitations/{asked['id']}/accept").json()
    assert (accepted["state"], accepted["actions"]) == ("accepted", ["propose"])
    assert freelancer.post(f"invitations/{asked['id']}/decline", {"reason": "No."}).status_code == 409
    assert freelancer.post(f"jobs/{job}/proposals", BID).status_code == 201
    assert told(alice) == ["invitation.accept", "proposal.submit"]
    assert [i["freelancer"]["id"] for i in client.get(f"jobs/{job}/invitations").json()["results"]] == [bob.pk]
    assert freelancer.get(f"jobs/{job}/invitations").status_code == 403


def test_an_invitation_is_declined_with_a_reason_once(post: Callable[..., int], alice: Any, bob: Any) -> None:
    job = post()
    asked = Person(alice).post(f"jobs/{job}/invitations", {"freelancer": bob.pk}).json()["id"]
    assert Person(bob).post(f"invitations/{asked}/decline", {"reason": " "}).status_code == 400
    assert Person(bob).post(f"invitations/{asked}/decline", {"reason": "No time until May."}).json()["state"] == "declined"
    again = Person(alice).post(f"jobs/{job}/invitations", {"freelancer": bob.pk}).json()
    assert (again["id"], again["state"]) == (asked, "declined"), "whoever said no is not asked again"
    drain()
    assert InboxItem.objects.get(user=alice).text == f"Your invitation to “{POST['title']}” was declined. No time until May."
    assert told(bob) == ["invitation.send"]


def test_who_bids_has_accepted(post: Callable[..., int], alice: Any, bob: Any) -> None:
    job = post()
    asked = Person(alice).post(f"jobs/{job}/invitations", {"freelancer": bob.pk}).json()["id"]
    Person(bob).post(f"jobs/{job}/proposals", BID)
    drain()
    assert Invitation.objects.get(pk=asked).state == "accepted"
    assert services.invitation_follow_bid(job_id=job, freelancer_id=bob.pk) is False
    assert Event.objects.filter(kind="invitation.accept").count() == 1


def test_invitations_end_with_their_post_and_can_be_sent_again(post: Callable[..., int], alice: Any, bob: Any) -> None:
    job = post()
    asked = Person(alice).post(f"jobs/{job}/invitations", {"freelancer": bob.pk}).json()["id"]
    clock.advance(30 * 86400 + 1)
    assert tasks.expire_due() == 1
    assert Person(bob).post(f"invitations/{asked}/accept").json()["code"] == "job_not_open"
    assert told(bob) == ["invitation.send", "invitation.expire"]
    assert services.invitations_expire(job_id=job) == 0
    assert "job.expire" in told(alice)
    assert Person(alice).post(f"jobs/{job}/renew").json()["state"] == "open"
    again = Person(alice).post(f"jobs/{job}/invitations", {"freelancer": bob.pk}).json()
    assert (again["id"], again["state"]) == (asked, "sent")
    assert told(bob)[-1] == "invitation.renew"


def test_no_more_are_invited_than_a_post_may_ask(post: Callable[..., int], alice: Any, bob: Any, charlie: Any, settings: Any) -> None:
    settings.JOB_MAX_INVITATIONS = 1
    job, client = post(), Person(alice)
    assert client.post(f"jobs/{job}/invitations", {"freelancer": bob.pk}).status_code == 201
    refused = client.post(f"jobs/{job}/invitations", {"freelancer": charlie.pk})
    assert (refused.status_code, refused.json()["code"]) == (409, "invitations_spent")
    assert client.post(f"jobs/{job}/invitations", {"freelancer": bob.pk}).status_code == 201, "the same one again is no more"
    assert client.post(f"jobs/{job}/invitations", {"freelancer": alice.pk}).status_code == 400


def test_a_skill_is_merged_while_posts_profiles_and_searches_use_it(post: Callable[..., int], alice: Any, bob: Any, staff: Any) -> None:
    job, both = post(skills=["python-3"]), post(skills=["python-3", "python"], confirm_duplicate=True, title="Load them all")
    kept = Person(bob).post("me/saved-searches", {"name": "P", "parameters": {"skills": "sql,python-3"}}).json()["id"]
    Person(bob).put(
        "me/freelancer-profile",
        {"title": "Loader", "skills": [{"skill": "python-3", "level": 5, "years": 2}, {"skill": "python", "level": 2, "years": 9}]},
    )
    drain()
    mod = Person(staff("moderator"))
    merged = mod.post("skills/python-3/merge", {"into": "python", "reason": "The same language."})
    assert (merged.status_code, merged.json()["slug"]) == (200, "python"), merged.content
    old = Skill.objects.get(slug="python-3")
    doubled = JobSkill.objects.get(job=both, skill=old).pk
    assert Person(alice).patch(f"jobs/{job}", {"skills": ["python-3", "sql"]}).json()["skills"] == [
        {"slug": "python", "name": "Python"}, {"slug": "sql", "name": "SQL"},
    ]  # fmt: skip
    drain()
    assert tasks.move_merged_skills() >= 2
    assert tasks.move_merged_skills() == 0
    assert not JobSkill.objects.filter(skill=old).exists()
    assert [s["slug"] for s in Person().get(f"jobs/{both}").json()["skills"]] == ["python"]
    assert DeletedRow.objects.filter(table_name="jobs_jobskill", row_id=doubled).count() == 1
    mine = Person(bob).get("me").json()["freelancer_profile"]["skills"]
    assert mine == [{"skill": "python", "name": "Python", "level": 5, "years": 9}]
    assert SavedSearch.objects.get(pk=kept).parameters == {"skills": "sql,python"}
    drain()
    assert {r["id"] for r in Person().get("jobs", skills="python").json()["results"]} == {job, both}
    assert "Python 3" not in [s["name"] for s in Person().get("skills", query="python").json()]
    assert [s["name"] for s in Person().get("skills", query="python 3").json()] == ["Python"], "the old name is a spelling of the other"
    again = mod.post("skills/python-3/merge", {"into": "sql", "reason": "No."})
    assert (again.status_code, again.json()["code"]) == (409, "skill_merged")
    act = StaffAct.objects.get(action="taxonomy_change")
    assert (act.object_id, act.field, act.before, act.after, act.reason) == (old.pk, "merged_into", None, "python", "The same language.")


def test_the_files_do_not_undo_what_staff_decided(db: None, staff: Any) -> None:
    from marketplace.jobs.taxonomy import load

    JobSkill.objects.all().delete()
    Skill.objects.all().delete()
    Category.objects.all().delete()
    load()
    mod = Person(staff("moderator"))
    assert mod.post("skills/react/merge", {"into": "javascript", "reason": "As a test."}).status_code == 200
    assert (
        mod.post("skills/sql/rename", {"name": "Structured Query Language", "reason": "Its full name."}).json()["name"]
        == "Structured Query Language"
    )
    taken = mod.post("skills/sql/rename", {"name": "Java Script", "reason": "No."})
    assert (taken.status_code, taken.json()["code"]) == (409, "skill_name_taken")
    load()
    assert Skill.objects.get(slug="sql").name == "Structured Query Language"
    assert Skill.objects.get(slug="react").merged_into.slug == "javascript"
    assert not SkillAlias.objects.filter(skill__slug="react").exists()
    assert SkillAlias.objects.get(alias="react").skill.slug == "javascript"
    assert all(report.created == report.updated == report.removed == 0 for report in load().values())


def test_a_renamed_skill_is_found_by_both_names(post: Callable[..., int], staff: Any) -> None:
    job = post(skills=["sql"])
    drain()
    Person().get("jobs")
    assert Person(staff("admin")).post("skills/sql/rename", {"name": "Zquel", "reason": "As it is said."}).status_code == 200
    drain()
    assert [r["id"] for r in Person().get("jobs", query="zquel").json()["results"]] == [job]
    assert [s["name"] for s in Person().get("skills", query="sql").json()] == ["Zquel"]


def test_what_people_write_is_kept_in_any_script(post: Callable[..., int], alice: Any, bob: Any) -> None:
    text = "مرحبا 👋 नमस्ते \u202eabc\u202c " + "語" * 200
    job = post(questions=[{"text": text, "kind": "choice", "choices": ["हाँ", "👍"]}])
    assert Person(alice).post(f"jobs/{job}/invitations", {"freelancer": bob.pk, "message": text}).json()["message"] == text
    for path, body in (
        (f"jobs/{job}/invitations", {"freelancer": bob.pk, "message": "a\x00b"}),
        ("me/shortlists", {"name": "a\x00b"}),
        ("me/saved-searches", {"name": "x", "parameters": {"query": 2**70, "budget_min": 2**70}}),
    ):
        assert Person(alice).post(path, body).status_code == 400, path
    assert Person(alice).post("me/saved-searches", {"name": "x", "parameters": [1]}).status_code == 400


def test_numbers_beyond_any_row_are_absent_rows(bob: Any) -> None:
    huge, person = 2**70, Person(bob)
    kept = person.client
    assert person.get(f"jobs/{huge}/history").status_code == 404
    assert person.post(f"invitations/{huge}/accept").status_code == 404
    assert kept.put(f"/api/v1/me/saved-jobs/{huge}").status_code == 404
    assert kept.delete(f"/api/v1/me/saved-jobs/{huge}").status_code == 204
    assert person.get(f"me/saved-searches/{huge}").status_code == 404
    assert person.put(f"me/shortlists/{huge}/items/{huge}", {}).status_code == 404


def test_the_export_holds_what_people_wrote_and_kept(post: Callable[..., int], alice: Any, bob: Any, charlie: Any) -> None:
    from marketplace.core import ports

    job, draft = post(), post(publish=False, title="Draw a logo for a bakery", description="A mark that works in one colour.")
    Person(alice).post(f"jobs/{job}/invitations", {"freelancer": bob.pk, "message": "Please!"})
    Person(alice).post(f"jobs/{draft}/invitations", {"freelancer": bob.pk, "message": "Later."})
    listed = Person(alice).post("me/shortlists", {"name": "Good"}).json()["id"]
    Person(alice).put(f"me/shortlists/{listed}/items/{bob.pk}", {"note": "Mine alone."})
    Person(bob).post("me/saved-searches", SEARCH)
    Person(bob).client.put(f"/api/v1/me/saved-jobs/{job}")
    asked = {user: ports.personal_data.all(user_id=user.pk)["jobs"] for user in (alice, bob, charlie)}
    of = {user: {name: list(part.rows()) for name, part in parts.items()} for user, parts in asked.items()}
    assert [row["id"] for row in of[alice]["job_posts"]] == [job, draft]
    assert [row["message"] for row in of[alice]["invitations_sent"]] == ["Please!", "Later."]
    assert [row["note"] for row in of[alice]["shortlist_notes"]] == ["Mine alone."]
    assert [row["message"] for row in of[bob]["invitations_received"]] == ["Please!"], "what was not sent is not the freelancer's"
    assert [(row["job_id"], row["kind"]) for row in of[bob]["job_marks"]] == [(job, "saved")]
    assert of[bob]["saved_searches"][0]["parameters"] == SEARCH["parameters"]
    assert (of[bob]["job_posts"], of[bob]["shortlist_notes"]) == ([], [])
    assert not any(of[charlie].values())


def test_expiry_runs_at_its_second(post: Callable[..., int], time_machine: Any) -> None:
    time_machine.move_to("2028-02-28 12:00:00+00:00", tick=False)
    job = post()
    due = Job.objects.get(pk=job).expires_at
    time_machine.move_to(due - timedelta(seconds=1), tick=False)
    assert tasks.expire_due() == 0
    time_machine.move_to(due, tick=False)
    assert [tasks.expire_due() for _ in range(2)] == [1, 0]
