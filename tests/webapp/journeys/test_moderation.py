"""Moderation as reporters, moderators and the people they decide about live through it, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from marketplace.accounts.models import FreelancerProfile, User
from marketplace.contracts.models import Milestone
from marketplace.core import clock
from marketplace.core.models import Event, StaffAct
from marketplace.core.tasks import drain
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Category, Job, Proposal
from marketplace.notifications.models import InboxItem
from marketplace.notifications.services import send_due
from marketplace.trust import case_reading, policies, services, tasks
from marketplace.trust.agreement import agreement, by_category
from marketplace.trust.models import Case, CheckedText, Report, SecondRating
from tests.webapp.people import Person

REMOVE = {
    "act": "remove",
    "reason_code": "paid_to_apply",
    "reason": "The post asks for a deposit. Nobody pays to work here.",
    "evidence": ["“Send a deposit first.”"],
}
WARN = {**REMOVE, "act": "warn"}
HOLD = {**REMOVE, "act": "hold"}
SUSPEND = {**REMOVE, "act": "suspend", "reason_code": "fake"}
ALLOW = {"act": "allow", "reason_code": "no_breach"}


@pytest.fixture
def job(alice: Any) -> Job:
    """Alice's open post."""
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    made = jobs.job_create(
        actor=alice, title="A web shop", description="A shop with a cart and a checkout.", category="web-development", pricing="fixed"
    )
    return jobs.job_publish(actor=alice, job_id=made.pk)


@pytest.fixture
def mods(staff: Callable[[str], Any]) -> tuple[Any, Any, Any]:
    """Two moderators and an admin, who may give second approvals."""
    first = staff("moderator")
    second = User.objects.create_user("mod2@staff.example.org", "correct horse battery", display_name="Mo", is_staff=True)
    second.groups.set(first.groups.all())
    return first, second, staff("admin")


@pytest.fixture
def case(bob: Any, job: Job) -> Case:
    """Bob reported the post."""
    return services.report_file(actor=bob, subject_type="job", subject_id=job.pk, reason_code="paid_to_apply").case


@pytest.fixture
def claimed(case: Case, mods: tuple[Any, Any, Any]) -> Case:
    """The first moderator is at it."""
    return services.case_claim(actor=mods[0], case_id=case.pk)


def told(user: Any) -> list[str]:
    drain()
    rows = InboxItem.objects.filter(user=user).order_by("id").values_list("kind", flat=True)
    return [k for k in rows if k.startswith(("moderation.", "report."))]


def heard(user: Any) -> list[str]:
    """Everything in the inbox since it was last emptied."""
    drain()
    kinds = list(InboxItem.objects.filter(user=user, read_at=None).order_by("id").values_list("kind", flat=True))
    InboxItem.objects.filter(user=user).update(read_at=clock.now())
    return kinds


def state(thing: Any) -> str:
    thing.refresh_from_db()
    return str(thing.state)


def just_before_and_after(due: Any, sweep: Callable[[], int]) -> list[int]:
    """What the sweep did two seconds before the instant, just after it, and once more."""
    clock.advance(int((due - clock.now()).total_seconds()) - 2)
    before = sweep()
    clock.advance(4)
    return [before, sweep(), sweep()]


def test_from_a_report_to_an_appeal_that_undoes_the_removal(
    alice: Any, bob: Any, charlie: Any, job: Job, mods: tuple[Any, Any, Any], staff: Callable[[str], Any]
) -> None:
    a, b, c, one, two = (Person(u) for u in (alice, bob, charlie, *mods[:2]))
    body = {"subject_type": "job", "subject_id": job.pk, "reason_code": "paid_to_apply", "text": "They want a deposit. ✓ العربية"}
    filed = b.post("reports", body)
    assert (filed.status_code, filed.json()["outcome"]) == (201, "waiting")
    again = b.post("reports", body)
    assert (again.status_code, again.json()["code"]) == (409, "report_exists")
    assert c.post("reports", {**body, "reason_code": "spam"}).status_code == 201
    own = a.post("reports", body)
    assert (own.status_code, own.json()["code"]) == (403, "report_own")
    (waiting,) = one.get("staff/cases", waits_for="claim").json()["results"]
    assert (waiting["report_count"], waiting["about_id"], waiting["actions"]) == (2, alice.pk, ["claim"])
    at = f"staff/cases/{waiting['id']}"
    assert [Person(u).get(at).status_code for u in (alice, bob, staff("support"))] == [403, 403, 403]

    early = one.post(f"{at}/decide", REMOVE)
    assert (early.status_code, early.json()["code"]) == (403, "moderation_not_claimed")
    assert one.post(f"{at}/claim").json()["actions"] == ["decide", "release"]
    rival = two.post(f"{at}/claim")
    assert (rival.status_code, rival.json()["code"]) == (409, "moderation_claimed")
    assert one.post(f"{at}/release").json()["claimed_by_id"] is None
    assert two.post(f"{at}/claim").status_code == 200
    whole = two.get(at).json()
    assert [r["reason_code"] for r in whole["reports"]] == ["paid_to_apply", "spam"]
    assert "remove" in whole["subject"]["acts"] and whole["subject"]["title"] == "A web shop"
    decided = two.post(f"{at}/decide", REMOVE)
    assert (decided.status_code, decided.json()["state"], state(job)) == (200, "actioned", "removed")

    (mine,) = a.get("me/decisions").json()["results"]
    assert (mine["reason"], mine["evidence"], mine["can_appeal"]) == (REMOVE["reason"], REMOVE["evidence"], True)
    assert "decided_by" not in "".join(mine), "who decided is nobody's business outside"
    assert b.get("me/decisions").json()["results"] == []
    assert [r["outcome"] for r in b.get("me/reports").json()["results"]] == ["measures"]
    assert told(alice) == ["moderation.remove"] and told(bob) == ["report.measures"] and told(charlie) == ["report.measures"]

    assert b.post(f"decisions/{mine['id']}/appeal", {"reason": "Mine too."}).status_code == 404
    appealed = a.post(f"decisions/{mine['id']}/appeal", {"reason": "It was a sum that I pay, not one that I ask for."})
    assert (appealed.json()["state"], appealed.json()["can_appeal"]) == ("appealed", False)
    same = two.post(f"{at}/decide-appeal", {"overturn": False, "reason": "No."})
    assert (same.status_code, same.json()["code"]) == (403, "moderation_appeal_same")
    assert [c["id"] for c in one.get("staff/cases", waits_for="appeal").json()["results"]] == [waiting["id"]]
    assert two.get("staff/cases", waits_for="appeal").json()["results"] == []
    final = one.post(f"{at}/decide-appeal", {"overturn": True, "reason": "You pay it. We were wrong."}).json()
    assert (final["state"], state(job)) == ("overturned", "open")
    assert told(alice)[-1] == "moderation.overturn"
    assert one.post(f"{at}/decide-appeal", {"overturn": False, "reason": "No."}).status_code == 409
    kinds = Event.objects.filter(aggregate_type="trust.case").order_by("id").values_list("kind", flat=True)
    words = ["flag", "claim", "release", "claim", "remove", "appeal", "overturn"]
    assert list(kinds) == [f"moderation.{w}" for w in words]
    acts = StaffAct.objects.filter(object_type="trust.case").order_by("id").values_list("actor_id", "field", "after")
    assert (mods[1].pk, "act", "remove") in list(acts) and (mods[0].pk, "state", "overturned") in list(acts)


def test_a_suspension_waits_for_a_second_person_and_can_be_appealed_without_signing_in(
    alice: Any, charlie: Any, bob: Any, job: Job, mods: tuple[Any, Any, Any]
) -> None:
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    one, admin = Person(mods[0]), Person(mods[2])
    report = services.report_file(actor=charlie, subject_type="profile", subject_id=bob.pk, reason_code="fake")
    at = f"staff/cases/{report.case_id}"
    one.post(f"{at}/claim")
    proposed = one.post(f"{at}/decide", SUSPEND).json()
    assert (proposed["state"], proposed["needs_second"], proposed["actions"]) == ("held", True, [])
    bob.refresh_from_db()
    assert bob.is_active and told(bob) == [], "nothing is done, and nobody is told, before a second person agrees"
    assert Person(bob).get("me/decisions").json()["results"] == []
    alone = one.post(f"{at}/approve")
    assert (alone.status_code, alone.json()["code"]) == (403, "staff_only")
    assert [c["id"] for c in admin.get("staff/cases", waits_for="second").json()["results"]] == [report.case_id]
    approved = admin.post(f"{at}/approve").json()
    assert (approved["state"], approved["second_by_id"]) == ("actioned", mods[2].pk)
    bob.refresh_from_db()
    assert not bob.is_active
    drain()
    assert send_due() >= 1
    token = case_reading.appeal_token(report.case_id)
    assert [token in m.body for m in mail.outbox if m.to == [bob.email]] == [True]

    nobody = Person()
    seen = nobody.get(f"letter-decisions/{token}")
    assert (seen.status_code, seen.json()["reason"]) == (200, SUSPEND["reason"])
    forged = token[:-1] + ("1" if token.endswith("0") else "0")
    assert nobody.get(f"letter-decisions/{forged}").status_code == 404
    assert nobody.post(f"letter-decisions/{token}", {"reason": "This is my own work."}).json()["state"] == "appealed"
    assert admin.post(f"{at}/decide-appeal", {"overturn": True, "reason": "x"}).status_code == 403, "the second person took part too"
    assert Person(mods[1]).post(f"{at}/decide-appeal", {"overturn": True, "reason": "It is."}).json()["state"] == "overturned"
    bob.refresh_from_db()
    assert bob.is_active


def test_a_second_person_may_send_it_back(alice: Any, charlie: Any, bob: Any, mods: tuple[Any, Any, Any]) -> None:
    report = services.report_file(actor=charlie, subject_type="profile", subject_id=bob.pk, reason_code="fake")
    services.case_claim(actor=mods[2], case_id=report.case_id)
    services.case_decide(actor=mods[2], case_id=report.case_id, **SUSPEND)
    at, admin = f"staff/cases/{report.case_id}", Person(mods[2])
    own = admin.post(f"{at}/approve")
    assert (own.status_code, own.json()["code"]) == (403, "moderation_second_same")
    other = User.objects.create_user("fay@staff.example.org", "correct horse battery", display_name="Fay", is_staff=True)
    other.groups.set(mods[2].groups.all())
    back = Person(other).post(f"{at}/send-back", {"reason": "The portfolio is real."}).json()
    assert (back["state"], back["act"], back["actions"]) == ("flagged", "", ["claim"])
    said = Event.objects.get(kind="moderation.send_back")
    assert (said.after["proposed_act"], said.after["decided_by"]) == ("suspend", mods[2].pk)
    assert Person(other).post(f"{at}/approve").status_code == 409


@pytest.mark.parametrize(("minor", "second"), [(500_000, True), (499_999, False)])
def test_a_removal_waits_for_a_second_person_where_much_money_is_at_stake(
    alice: Any, case: Case, claimed: Case, job: Job, mods: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch, minor: int, second: bool
) -> None:
    from marketplace.core.money import Money
    from marketplace.payments.selectors import Balances

    zero = Money(0, "USD")
    held = [Balances("USD", zero, Money(minor, "USD"), zero, zero, zero)]
    monkeypatch.setattr(policies, "balances_of", lambda user_id: held if user_id == alice.pk else [])
    services.case_decide(actor=mods[0], case_id=case.pk, **REMOVE)
    case.refresh_from_db()
    assert (case.needs_second, state(job)) == (second, "open" if second else "removed")
    unknown = [Balances("KPW", *(Money(1, "KPW"),) * 5)]
    monkeypatch.setattr(policies, "balances_of", lambda user_id: unknown)
    assert policies.is_high_value(alice.pk), "money of unknown worth counts as much"


def test_a_held_post_comes_back_by_the_clock(alice: Any, case: Case, claimed: Case, job: Job, mods: tuple[Any, Any, Any]) -> None:
    services.case_decide(actor=mods[0], case_id=case.pk, **HOLD)
    assert (state(case), state(job)) == ("held", "in_review")
    (mine,) = Person(alice).get("me/decisions").json()["results"]
    assert mine["act"] == "hold" and mine["if_nobody_acts"].startswith("The content is back in view")
    case.refresh_from_db()
    assert timedelta(days=4.9) < case.decide_by - clock.now() <= timedelta(days=5)
    assert just_before_and_after(case.decide_by, tasks.advance_due) == [0, 1, 0]
    assert (state(case), state(job)) == ("flagged", "open")
    assert told(alice) == ["moderation.hold", "moderation.lifted"]


def test_a_held_post_is_cleared_or_removed(alice: Any, case: Case, claimed: Case, job: Job, mods: tuple[Any, Any, Any]) -> None:
    for decision, outcome in ((HOLD, "in_review"), (ALLOW, "open")):
        services.case_claim(actor=mods[0], case_id=case.pk)
        services.case_decide(actor=mods[0], case_id=case.pk, **decision)
        assert state(job) == outcome
    assert (state(case), told(alice)) == ("allowed", ["moderation.hold", "moderation.clear"])


def test_one_decision_is_one_notice(alice: Any, bob: Any, case: Case, claimed: Case, job: Job, mods: tuple[Any, Any, Any]) -> None:
    """A decision acts on the post or the account, which tells of its own moves: of one that carries out a decision its author is told once."""
    heard(alice), heard(bob)
    services.case_decide(actor=mods[0], case_id=case.pk, **HOLD)
    assert heard(alice) == ["moderation.hold"]
    case.refresh_from_db()
    just_before_and_after(case.decide_by, tasks.advance_due)
    assert heard(alice) == ["moderation.lifted"]
    services.case_claim(actor=mods[0], case_id=case.pk)
    services.case_decide(actor=mods[0], case_id=case.pk, **REMOVE)
    assert heard(alice) == ["moderation.remove"]
    services.case_appeal(actor=alice, case_id=case.pk, reason="It is none.")
    services.appeal_decide(actor=mods[1], case_id=case.pk, overturn=True, reason="It is none.")
    assert heard(alice) == ["moderation.overturn"]
    jobs.job_hold(actor=mods[2], job_id=job.pk, reason="Once more.")
    assert heard(alice) == ["job.hold"], "staff's own act beside the queue has no other notice"


def test_a_proposal_that_nobody_approves_lapses(charlie: Any, bob: Any, mods: tuple[Any, Any, Any]) -> None:
    report = services.report_file(actor=charlie, subject_type="profile", subject_id=bob.pk, reason_code="fake")
    services.case_claim(actor=mods[0], case_id=report.case_id)
    case = services.case_decide(actor=mods[0], case_id=report.case_id, **SUSPEND)
    assert timedelta(days=1.9) < case.decide_by - clock.now() <= timedelta(days=2)
    assert just_before_and_after(case.decide_by, tasks.advance_due) == [0, 1, 0]
    assert (state(case), case.act, told(bob)) == ("flagged", "", [])


def test_a_claim_runs_out_by_the_clock(case: Case, claimed: Case, mods: tuple[Any, Any, Any]) -> None:
    until = claimed.claim_until
    clock.advance(int((until - clock.now()).total_seconds()) - 2)
    assert Person(mods[1]).post(f"staff/cases/{case.pk}/claim").status_code == 409
    clock.advance(4)
    late = Person(mods[0]).post(f"staff/cases/{case.pk}/decide", WARN)
    assert (late.status_code, late.json()["code"]) == (403, "moderation_not_claimed")
    assert [tasks.advance_due() for _ in range(2)] == [1, 0]
    assert Person(mods[1]).post(f"staff/cases/{case.pk}/claim").status_code == 200


def test_late_decisions_are_told_once(alice: Any, case: Case, mods: tuple[Any, Any, Any]) -> None:
    assert just_before_and_after(case.decide_by, tasks.advance_due) == [0, 1, 0]
    services.case_claim(actor=mods[0], case_id=case.pk)
    services.case_decide(actor=mods[0], case_id=case.pk, **WARN)
    appealed = services.case_appeal(actor=alice, case_id=case.pk, reason="No.")
    assert just_before_and_after(appealed.decide_by, tasks.advance_due) == [0, 1, 0]
    assert (state(case), told(alice)[-1]) == ("appealed", "moderation.appeal_late")
    assert Event.objects.filter(kind__in=["moderation.late", "moderation.appeal_late"]).count() == 2


def test_an_appeal_has_its_time_to_the_second(alice: Any, case: Case, claimed: Case, mods: tuple[Any, Any, Any]) -> None:
    decided = services.case_decide(actor=mods[0], case_id=case.pk, **WARN)
    clock.advance(int((decided.appeal_until - clock.now()).total_seconds()) + 1)
    refused = Person(alice).post(f"decisions/{case.pk}/appeal", {"reason": "No."})
    assert (refused.status_code, refused.json()["code"]) == (409, "moderation_appeal_over")
    Case.objects.filter(pk=case.pk).update(appeal_until=clock.now() + timedelta(seconds=30))
    assert Person(alice).post(f"decisions/{case.pk}/appeal", {"reason": "No."}).status_code == 200


def test_nobody_decides_their_own_case(alice: Any, bob: Any, job: Job, mods: tuple[Any, Any, Any]) -> None:
    for user in (alice, bob):
        user.is_staff = True
        user.save()
        user.groups.set(mods[2].groups.all())
    bob, alice = User.objects.get(pk=bob.pk), User.objects.get(pk=alice.pk)
    case = services.report_file(actor=bob, subject_type="job", subject_id=job.pk, reason_code="spam").case
    for person in (Person(alice), Person(bob)):
        refused = person.post(f"staff/cases/{case.pk}/claim")
        assert (refused.status_code, refused.json()["code"]) == (403, "moderation_own")
        assert person.get("staff/cases").json()["results"] == []
    assert Case.objects.get().claimed_by_id is None


def test_moderators_do_not_read_who_reported_them(alice: Any, bob: Any, job: Job, mods: tuple[Any, Any, Any]) -> None:
    alice.is_staff = True
    alice.save()
    alice.groups.set(mods[2].groups.all())
    alice = User.objects.get(pk=alice.pk)
    case = services.report_file(actor=bob, subject_type="job", subject_id=job.pk, reason_code="spam").case
    assert Person(alice).get(f"staff/cases/{case.pk}").status_code == 404
    site = Client()
    for person, status in ((alice, 302), (mods[2], 200)):
        site.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        assert site.get(reverse("admin:trust_case_change", args=[case.pk])).status_code == status


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"act", "reason_code"}),
        ({**REMOVE, "evidence": []}, {"evidence"}),
        ({**REMOVE, "reason": ""}, {"reason"}),
        ({**REMOVE, "reason_code": "no_breach"}, {"reason_code"}),
        ({**ALLOW, "reason_code": "spam"}, {"reason_code"}),
        ({**REMOVE, "act": "burn"}, {"act"}),
        ({**REMOVE, "evidence": ["x" * 1001]}, {"evidence.0"}),
        ({**REMOVE, "evidence": ["x"] * 11}, {"evidence"}),
    ],
)
def test_a_wrong_decision_decides_nothing(
    claimed: Case, job: Job, mods: tuple[Any, Any, Any], body: dict[str, Any], fields: set[str]
) -> None:
    answer = Person(mods[0]).post(f"staff/cases/{claimed.pk}/decide", body)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, fields)
    assert (state(claimed), state(job)) == ("flagged", "open")


def test_what_no_app_can_undo_is_not_removed(alice: Any, proposal: Proposal, mods: tuple[Any, Any, Any]) -> None:
    case = services.report_file(actor=alice, subject_type="proposal", subject_id=proposal.pk, reason_code="spam").case
    services.case_claim(actor=mods[0], case_id=case.pk)
    answer = Person(mods[0]).post(f"staff/cases/{case.pk}/decide", REMOVE)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["act"])
    assert Person(mods[0]).post(f"staff/cases/{case.pk}/decide", WARN).json()["state"] == "actioned"


def test_work_that_is_handed_in_is_overseen_too(
    alice: Any, bob: Any, charlie: Any, submitted: Milestone, mods: tuple[Any, Any, Any], staff: Callable[[str], Any]
) -> None:
    """Its client reports it, a moderator reads note and files and warns its author; the contract's clocks go on."""
    (handed_in,) = Person(alice).get(f"contracts/{submitted.contract_id}").json()["milestones"][0]["submissions"]
    body = {"subject_type": "submission", "subject_id": handed_in["id"], "reason_code": "outside_payment", "text": "It asks for cash."}
    assert Person(charlie).post("reports", body).status_code == 404
    assert Person(bob).post("reports", body).json()["code"] == "report_own"
    filed = Person(alice).post("reports", body)
    assert filed.status_code == 201, filed.content
    mod = Person(mods[0])
    (waiting,) = mod.get("staff/cases").json()["results"]
    at = f"staff/cases/{waiting['id']}"
    assert mod.post(f"{at}/claim").status_code == 200
    seen = mod.get(at).json()
    assert (seen["subject"]["title"], seen["subject"]["text"], seen["about_id"]) == (submitted.title, handed_in["note"], bob.pk)
    assert sorted(seen["subject"]["acts"]) == ["allow", "suspend", "warn"]
    assert list(mod.post(f"{at}/decide", REMOVE).json()["fields"]) == ["act"], "a dispute takes work back, not a moderator"
    assert mod.post(f"{at}/decide", {**WARN, "reason_code": "outside_payment"}).json()["state"] == "actioned"
    assert told(bob) == ["moderation.warn"] and told(alice) == ["report.measures"]
    mine = Person(bob).get("me/decisions").json()["results"][0]
    assert Person(bob).post(f"decisions/{mine['id']}/appeal", {"reason": "It says the opposite."}).status_code == 200
    deadline = submitted.auto_approve_at
    submitted.refresh_from_db()
    assert (submitted.state, submitted.auto_approve_at) == ("submitted", deadline)


def test_a_post_that_has_ended_meanwhile_is_not_decided_over(committed_db: None, alice: Any, bob: Any, staff: Callable[[str], Any]) -> None:
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    made = jobs.job_create(
        actor=alice, title="A web shop", description="A shop with a cart and a checkout.", category="web-development", pricing="fixed"
    )
    jobs.job_publish(actor=alice, job_id=made.pk)
    mod = staff("moderator")
    case = services.report_file(actor=bob, subject_type="job", subject_id=made.pk, reason_code="spam").case
    services.case_claim(actor=mod, case_id=case.pk)
    jobs.job_close(actor=alice, job_id=made.pk)
    answer = Person(mod).post(f"staff/cases/{case.pk}/decide", REMOVE)
    assert answer.status_code == 409
    case.refresh_from_db()
    assert (case.state, case.act, case.claimed_by_id) == ("flagged", "", mod.pk)
    assert not StaffAct.objects.filter(object_type="trust.case").exists()


def test_reports_are_limited_a_day(bob: Any, alice: Any, charlie: Any, job: Job, settings: Any, days: Callable[[float], Any]) -> None:
    settings.REPORTS_A_DAY = 2
    b = Person(bob)
    for kind, pk in (("job", job.pk), ("profile", alice.pk)):
        assert b.post("reports", {"subject_type": kind, "subject_id": pk, "reason_code": "spam"}).status_code == 201
    third = {"subject_type": "profile", "subject_id": charlie.pk, "reason_code": "spam"}
    refused = b.post("reports", third)
    assert (refused.status_code, refused.json()["code"]) == (409, "report_limit")
    days(1.001)
    assert b.post("reports", third).status_code == 201


def test_what_one_cannot_see_one_cannot_report(alice: Any, charlie: Any, proposal: Proposal) -> None:
    c = Person(charlie)
    for kind, pk in (("proposal", proposal.pk), ("proposal", 10**12), ("review", 1), ("message", 1), ("reply", 1), ("profile", 10**15)):
        assert c.post("reports", {"subject_type": kind, "subject_id": pk, "reason_code": "spam"}).status_code == 404
    for body in ({"subject_type": "job", "subject_id": 1, "reason_code": "no_breach"}, {"subject_type": "x", "subject_id": 1}, {}):
        assert c.post("reports", body).status_code == 400
    assert c.post("reports", {"subject_type": "job", "subject_id": proposal.job_id, "reason_code": "other"}).status_code == 400
    assert not Report.objects.exists()


# --- what the rules find in what was handed over ------------------------------------------------------------------------------------


def post_job(alice: Any, text: str) -> Job:
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    made = jobs.job_create(actor=alice, title=f"Shop {text[:20]}", description=text, category="web-development", pricing="fixed")
    return jobs.job_publish(actor=alice, job_id=made.pk)


def test_a_draft_is_checked_without_storing_anything(alice: Any) -> None:
    a = Person(alice)
    clean = a.post("text-check", {"text": "We meet 0900 - 1200 eastern."}).json()
    assert (clean["warned"], clean["findings"]) == (False, [])
    bad = a.post("text-check", {"text": "Mail me: jane at mail dot com", "subject_type": "job"}).json()
    (found,) = bad["findings"]
    assert (bad["warned"], found["code"], found["start"], found["end"]) == (True, "email", 9, 29)
    assert a.post("text-check", {"text": "x" * 20_001}).status_code == 400
    assert not CheckedText.objects.exists() and not Case.objects.exists()


def test_warnings_that_are_ignored_become_a_case(alice: Any, mods: tuple[Any, Any, Any]) -> None:
    for i, text in enumerate(("mail jane@example.com", "call 555-123-4567", "pay you outside of the platform")):
        post_job(alice, f"Number {i}: {text}")
        drain()
        assert CheckedText.objects.filter(author=alice, warned=True).count() == i + 1
        assert told(alice) == ["moderation.warning"] * (i + 1)
        assert Case.objects.count() == int(i == 2), "warned twice, a moderator looks at the third"
    case = Case.objects.get()
    seen = Person(mods[0]).get(f"staff/cases/{case.pk}").json()
    assert [f["findings"][0]["code"] for f in seen["flags"]] == ["outside_payment", "phone", "email"]
    assert {f["version"] for f in seen["flags"]} == {"text-1"}


def test_the_same_event_twice_is_read_once_and_old_warnings_are_forgotten(alice: Any, days: Callable[[float], Any]) -> None:
    job = post_job(alice, "mail jane@example.com")
    drain()
    assert services.text_flag(subject_type="job", subject_id=job.pk) is None
    post_job(alice, "mail june@example.com")
    days(30.1)
    post_job(alice, "mail jean@example.com")
    drain()
    assert (CheckedText.objects.filter(warned=True).count(), Case.objects.count()) == (3, 0)


def test_a_copy_is_noted_for_its_author_and_warned_of_for_others(alice: Any, bob: Any, charlie: Any) -> None:
    letter = "Dear client, I have built ten shops like this one, with a cart and a checkout, and I would start on Monday with a draft."
    for text in ("A shop for shoes with a cart", "Translate forty letters of a court into Swahili"):
        job = post_job(alice, text)
        jobs.proposal_submit(actor=bob, job_id=job.pk, cover_letter=letter, amount_minor=1000, currency="USD")
    jobs.proposal_submit(actor=charlie, job_id=job.pk, cover_letter=letter, amount_minor=1000, currency="USD")
    drain()
    rows = CheckedText.objects.filter(subject_type="proposal").order_by("id")
    assert [[(f["code"], f["level"]) for f in r.findings] for r in rows] == [[], [("duplicate", "note")], [("duplicate", "warn")]]


def test_a_handler_costs_the_same_however_much_came_before(alice: Any) -> None:
    def queries(text: str) -> int:
        job = post_job(alice, text)
        with CaptureQueriesContext(connection) as seen:
            services.text_flag(subject_type="job", subject_id=job.pk)
        return len(seen)

    one = queries("A first quiet post about nothing in particular that anybody would mind")
    row = CheckedText.objects.get()
    CheckedText.objects.bulk_create(
        CheckedText(
            author=alice, subject_type="job", subject_id=10_000 + i, digest=f"{i:064}", word_count=9, sketch=row.sketch[::2], findings=[],
            warned=False, version="text-1", at=row.at,
        )
        for i in range(300)
    )  # fmt: skip
    assert queries("Another quiet post with quite other words in it, as quiet as the first of all") == one <= 14


# --- how far moderators agree -----------------------------------------------------------------------------------------------------------


def test_agreement_by_hand() -> None:
    # Cohen 1960, in small: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: p_o = .7, p_e = .5, kappa = .4
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    found = agreement(pairs)
    assert (found.n, found.agreed, found.share) == (50, 35, 0.7)
    assert found.kappa == pytest.approx(0.4)
    assert agreement([]) == type(found)(0, 0, None) and agreement([]).share is None
    assert agreement([("y", "y")] * 3).kappa is None, "where all say the same, chance explains everything"
    three = by_category([("a", "a"), ("b", "c"), ("c", "c")])
    assert {code: (f.n, f.agreed) for code, f in three.items()} == {"a": (3, 3), "b": (3, 2), "c": (3, 2)}


def test_a_share_of_decided_cases_is_judged_blindly(case: Case, claimed: Case, mods: tuple[Any, Any, Any], settings: Any) -> None:
    settings.MODERATION_RERATE_BPS = 10_000
    services.case_decide(actor=mods[0], case_id=case.pk, **WARN)
    one, two = Person(mods[0]), Person(mods[1])
    assert one.get("staff/second-ratings").json()["results"] == [], "who decided does not judge again"
    (blind,) = two.get("staff/second-ratings").json()["results"]
    assert set(blind) == {"id", "asked_at", "subject_type", "subject", "reasons"} and blind["subject"]["state"] == ""
    assert one.post(f"staff/cases/{case.pk}/rate", {"act": "warn", "reason_code": "spam"}).status_code == 404
    rated = two.post(f"staff/cases/{case.pk}/rate", {"act": "warn", "reason_code": "spam"})
    assert (rated.status_code, state(case)) == (201, "actioned")
    assert Person(mods[2]).post(f"staff/cases/{case.pk}/rate", {"act": "warn", "reason_code": "spam"}).status_code == 409
    figures = one.get("staff/moderation-agreement").json()
    assert (figures["n"], figures["act"]["share"], figures["reason_code"]["share"]) == (1, 1.0, 0.0)
    assert [f["code"] for f in figures["by_reason_code"]] == ["paid_to_apply", "spam"]


def test_no_share_means_no_second_judgement(case: Case, claimed: Case, mods: tuple[Any, Any, Any], settings: Any) -> None:
    settings.MODERATION_RERATE_BPS = 0
    services.case_decide(actor=mods[0], case_id=case.pk, **WARN)
    assert not SecondRating.objects.exists()


def test_the_queue_costs_the_same_for_one_and_for_many(case: Case, mods: tuple[Any, Any, Any]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert Person(mods[0]).get("staff/cases").status_code == 200
        return len(seen)

    queries()
    one = queries()
    for i in range(20):
        Case.objects.create(
            subject_type="job", subject_id=case.subject_id, live_key=f"copy:{i}", about=case.about, opened_at=case.opened_at,
            decide_by=case.decide_by,
        )  # fmt: skip
    assert queries() == one


def test_a_profile_that_is_reported_needs_no_freelancer(bob: Any, charlie: Any) -> None:
    FreelancerProfile.objects.filter(user=charlie).delete()
    assert services.report_file(actor=bob, subject_type="profile", subject_id=charlie.pk, reason_code="spam").case.about_id == charlie.pk
