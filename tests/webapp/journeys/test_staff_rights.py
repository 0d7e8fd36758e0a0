"""Whoever arranges staff gives nothing that they do not hold, and touches no superuser: over the API, in the services and on the staff's site."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from marketplace.accounts import impersonation, services, staffing
from marketplace.accounts.models import Impersonation, Suspension, User
from marketplace.core import clock
from marketplace.core.errors import Conflict, NotAllowed
from marketplace.core.models import BulkAct, Event, StaffAct
from marketplace.core.policies import STAFF_ACTIONS
from marketplace.core.tasks import drain, work_bulk_acts
from marketplace.jobs.models import Job
from marketplace.notifications.models import InboxItem
from tests.webapp.journeys.posts_cast import *  # noqa: F403  (fixtures)
from tests.webapp.people import Person
from tests.webapp.signing import PASSWORD


def allowed(group: str) -> set[str]:
    return set(Group.objects.get(name=group).permissions.filter(codename__in=STAFF_ACTIONS).values_list("codename", flat=True))


def give(group: str, *actions: str) -> Group:
    """The group may exactly this."""
    found = Group.objects.get(name=group)
    found.permissions.set(Permission.objects.filter(content_type__app_label="core", codename__in=actions))
    return found


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root@staff.example.org", PASSWORD, display_name="Root")


@pytest.fixture
def clerk(staff: Callable[[str], Any]) -> User:
    """Arranges staff and suspends people, and may do nothing else."""
    user = staff("support")
    give("support", "groups_change", "account_manage")
    return User.objects.get(pk=user.pk)


def refused(answer: Any, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (403, code), answer.content


def test_a_group_is_given_only_what_the_giver_holds(committed_db: None, clerk: User) -> None:
    desk, support, analyst = Person(clerk), Group.objects.get(name="support"), Group.objects.get(name="analyst")
    before = {g: allowed(g) for g in ("support", "analyst")}
    mine = desk.put(f"staff/groups/{support.pk}", {"actions": ["account_manage", "groups_change", "payout_decide"], "reason": "Me!"})
    refused(mine, "rights_not_held")
    assert STAFF_ACTIONS["payout_decide"][0] in mine.json()["message"], "it says what is not held"
    refused(desk.put(f"staff/groups/{analyst.pk}", {"actions": [*before["analyst"], "clock_move"], "reason": "Him!"}), "rights_not_held")
    assert {g: allowed(g) for g in before} == before
    assert not StaffAct.objects.exists() and not Event.objects.filter(kind="group.change").exists()
    kept = [*before["analyst"], "account_manage"]
    assert desk.put(f"staff/groups/{analyst.pk}", {"actions": kept, "reason": "They help out."}).status_code == 200
    assert allowed("analyst") == {*before["analyst"], "account_manage"}, "what a group held before it keeps, whoever changes it"


def test_a_person_is_put_only_into_groups_that_may_no_more_than_the_giver(committed_db: None, clerk: User, charlie: User) -> None:
    desk = Person(clerk)
    for person in (clerk, charlie):
        for groups in (["admin"], ["support", "finance"]):
            refused(desk.put(f"staff/people/{person.pk}", {"groups": groups, "reason": "More!"}), "rights_not_held")
    assert list(clerk.groups.values_list("name", flat=True)) == ["support"]
    charlie.refresh_from_db()
    assert not charlie.is_staff and not charlie.groups.exists()
    assert not StaffAct.objects.exists() and not Event.objects.filter(kind="account.staff_change").exists()
    assert desk.put(f"staff/people/{charlie.pk}", {"groups": ["support"], "reason": "Starts today."}).status_code == 200


def test_becoming_staff_wakes_no_right_that_lay_asleep(committed_db: None, clerk: User, charlie: User) -> None:
    """A right given to a person, or to a group that is none of the staff's, counts with becoming staff."""
    charlie.user_permissions.add(Permission.objects.get(content_type__app_label="core", codename="payout_decide"))
    refused(Person(clerk).put(f"staff/people/{charlie.pk}", {"groups": ["support"], "reason": "x"}), "rights_not_held")
    charlie.user_permissions.clear()
    odd = Group.objects.create(name="odd")
    odd.permissions.add(Permission.objects.get(content_type__app_label="core", codename="settings_change"))
    charlie.groups.add(odd)
    refused(Person(clerk).put(f"staff/people/{charlie.pk}", {"groups": ["support"], "reason": "x"}), "rights_not_held")
    assert not User.objects.get(pk=charlie.pk).is_staff


def test_taking_rights_away_needs_none_of_them(clerk: User, staff: Callable[[str], Any]) -> None:
    finance = staff("finance")
    answer = Person(clerk).put(f"staff/people/{finance.pk}", {"groups": [], "reason": "Left."})
    assert (answer.status_code, answer.json()["groups"]) == (200, [])
    assert not User.objects.get(pk=finance.pk).is_staff


def test_a_superuser_gives_everything(root: User, charlie: User) -> None:
    analyst = Group.objects.get(name="analyst")
    answer = Person(root).put(f"staff/groups/{analyst.pk}", {"actions": list(STAFF_ACTIONS), "reason": "One for all."})
    assert answer.status_code == 200 and allowed("analyst") == set(STAFF_ACTIONS)
    assert Person(root).put(f"staff/people/{charlie.pk}", {"groups": ["admin"], "reason": "Trusted."}).status_code == 200


@pytest.mark.parametrize("is_staff", [True, False], ids=["on-the-site", "off-the-site"])
def test_no_superuser_is_touched_by_who_is_none(committed_db: None, root: User, staff: Callable[[str], Any], is_staff: bool) -> None:
    User.objects.filter(pk=root.pk).update(is_staff=is_staff)
    chief = staff("admin")
    tries: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: services.user_suspend(actor=chief, user_id=root.pk, reason="x"), NotAllowed, "superuser"),
        (lambda: services.user_suspend(actor=chief, user_id=root.pk, reason="x", action="moderation_second"), NotAllowed, "superuser"),
        (lambda: staffing.staff_put(actor=chief, user_id=root.pk, groups=[], reason="x"), Conflict, "superuser"),
        (lambda: staffing.staff_put(actor=chief, user_id=root.pk, groups=["analyst"], reason="x"), Conflict, "superuser"),
        (
            lambda: impersonation.impersonation_start(actor=chief, user_id=root.pk, reason="x", session_key="s"),
            NotAllowed,
            "impersonate_staff",
        ),
    ]
    for attempt, kind, code in tries:
        with pytest.raises(kind) as told:
            attempt()
        assert told.value.code == code  # type: ignore[attr-defined]
    fresh = User.objects.get(pk=root.pk)
    assert (fresh.is_active, fresh.is_staff, fresh.is_superuser, fresh.groups.count()) == (True, is_staff, True, 0)
    assert not (Suspension.objects.exists() or Impersonation.objects.exists() or StaffAct.objects.exists())


def test_nor_on_the_site_of_the_staff(committed_db: None, root: User, staff: Callable[[str], Any]) -> None:
    browser = Client()
    browser.force_login(staff("admin"), backend="django.contrib.auth.backends.ModelBackend")
    chosen = {"action": "user_suspend", "_selected_action": [str(root.pk)], "reason": "A quarrel."}
    assert browser.post(reverse("admin:accounts_user_changelist"), chosen).status_code == 302
    work_bulk_acts()
    act = BulkAct.objects.get()
    assert (act.done, act.refused, act.refusals[0]["code"]) == (0, 1, "superuser")
    for address, sent in (
        (reverse("admin:accounts_user_change", args=[root.pk]), {"is_active": "", "is_staff": "", "groups": []}),
        (reverse("admin:auth_group_change", args=[Group.objects.get(name="admin").pk]), {"name": "admin", "permissions": []}),
    ):
        assert browser.post(address, sent).status_code == 403
    fresh = User.objects.get(pk=root.pk)
    assert (fresh.is_active, fresh.is_staff) == (True, True) and not Suspension.objects.exists()
    assert "groups_change" in allowed("admin")


def test_what_one_does_alone_has_a_reason_and_a_trace_and_a_colleague_undoes_it(staff: Callable[[str], Any], alice: User) -> None:
    """docs/adr/0015-direct-acts-of-staff.md."""
    one, other = staff("support"), staff("admin")
    assert Person(one).post(f"staff/users/{alice.pk}/suspend", {"reason": ""}).status_code == 400
    assert Person(one).post(f"staff/users/{alice.pk}/suspend", {"reason": "Taken over."}).status_code == 200
    assert Person(other).post(f"staff/users/{alice.pk}/restore", {"reason": "It is hers again."}).status_code == 200
    assert list(StaffAct.objects.order_by("id").values_list("actor_id", "action", "field", "before", "after", "reason")) == [
        (one.pk, "account_manage", "is_active", True, False, "Taken over."),
        (other.pk, "account_manage", "is_active", False, True, "It is hers again."),
    ]
    drain()
    told = InboxItem.objects.filter(user=alice, kind__startswith="account.").order_by("id")
    assert [(item.kind, reason in item.text) for item, reason in zip(told, ("Taken over.", "It is hers again."), strict=True)] == [
        ("account.suspend", True),
        ("account.restore", True),
    ]


def test_a_post_that_one_removes_alone_a_colleague_brings_back(staff: Callable[[str], Any], post: Callable[..., int]) -> None:
    one, other, job = staff("moderator"), staff("admin"), Job.objects.get(pk=post())
    assert job.expires_at is not None
    days_left = job.expires_at - clock.now()
    assert Person(one).post(f"jobs/{job.pk}/remove", {"reason": "Asks for passwords."}).status_code == 200
    assert Person(other).post(f"jobs/{job.pk}/restore", {"reason": "It was another post."}).status_code == 200
    job.refresh_from_db()
    assert job.state == "open" and abs(job.expires_at - clock.now() - days_left) < timedelta(seconds=30)
    acts = StaffAct.objects.order_by("id").values_list("actor_id", "before", "after", "reason")
    assert list(acts) == [
        (one.pk, "open", "removed", "Asks for passwords."),
        (other.pk, "removed", "open", "It was another post."),
    ]
    drain()
    told = InboxItem.objects.filter(user=job.client, kind__in=("job.remove", "job.restore")).order_by("id")
    assert [item.kind for item in told] == ["job.remove", "job.restore"] and "Asks for passwords." in told[0].text
