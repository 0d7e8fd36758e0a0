"""The audit of staff's acts: what is written, who reads it, and that nobody changes it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from marketplace.core import audit
from marketplace.core.errors import InvalidInput
from marketplace.core.models import StaffAct
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db


def _suspend(staff: Any, bob: Any) -> StaffAct:
    (act,) = audit.record(
        actor=staff("support"),
        action="account_manage",
        obj=bob,
        reason="تحقق",
        before={"is_active": True, "country": "KE"},
        after={"is_active": False, "country": "KE"},
    )
    return act


def test_one_row_for_each_field_that_changed(staff: Any, bob: Any) -> None:
    act = _suspend(staff, bob)
    assert (act.object_type, act.object_id, act.field, act.before, act.after, act.reason) == (
        "accounts.user", bob.pk, "is_active", True, False, "تحقق",
    )  # fmt: skip


def test_an_act_that_changed_no_field_is_one_row_and_a_change_to_the_same_is_none(staff: Any, bob: Any) -> None:
    moderator = staff("moderator")
    (act,) = audit.record(actor=moderator, action="records_see", obj=bob, reason="asked by mail")
    assert (act.field, act.before, act.after) == ("", None, None)
    assert audit.record(actor=moderator, action="account_manage", obj=bob, reason="r", before={"a": 1}, after={"a": 1}) == []


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\x00b", None])
def test_an_act_needs_a_usable_reason(staff: Any, bob: Any, reason: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        audit.record(actor=staff("support"), action="account_manage", obj=bob, reason=reason)
    assert list(refused.value.fields) == ["reason"]
    assert not StaffAct.objects.exists()


def test_an_unknown_action_is_a_mistake_of_the_code(staff: Any, bob: Any) -> None:
    with pytest.raises(KeyError):
        audit.record(actor=staff("support"), action="anything", obj=bob, reason="r")


def test_the_database_refuses_changes_and_deletes(staff: Any, bob: Any) -> None:
    act = _suspend(staff, bob)
    for attempt in (lambda: StaffAct.objects.filter(pk=act.pk).update(reason="other"), lambda: act.delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()
    assert StaffAct.objects.get(pk=act.pk).reason == "تحقق"


def test_those_who_may_read_it_find_the_acts_of_one_object(staff: Any, bob: Any, alice: Any) -> None:
    act = _suspend(staff, bob)
    reader = Person(staff("analyst"))
    found = reader.get("audit", object_type="accounts.user", object_id=bob.pk).json()["results"]
    assert [(r["id"], r["actor_id"], r["field"], r["before"], r["after"]) for r in found] == [
        (act.pk, act.actor_id, "is_active", True, False)
    ]
    assert reader.get("audit", object_id=alice.pk, object_type="accounts.user").json()["results"] == []
    assert reader.get("audit", actor_id=bob.pk).json()["results"] == []
    assert reader.get("audit", actor_id="9" * 30).status_code == 400
    assert Person(bob).get("audit").json()["code"] == "staff_only"
