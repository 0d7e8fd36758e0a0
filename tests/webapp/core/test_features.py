"""Numbers and switches that staff change: bounds, defaults, who may, and that every change is told."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from marketplace.core import features
from marketplace.core.errors import Conflict
from marketplace.core.models import Event, FeatureSetting, StaffAct
from marketplace.core.money import Money
from tests.webapp.contracts_cast import contract, offer, planned, proposal  # noqa: F401  (fixtures)
from tests.webapp.payments.conftest import *  # noqa: F403  (fixtures)
from tests.webapp.people import Person

pytestmark = [pytest.mark.django_db, pytest.mark.parity]

DRAFT = {
    "title": "A page for a bakery",
    "description": "One page with opening hours and a map.",
    "category": "web-development",
    "pricing": "fixed",
}


def put(person: Person, name: str, value: Any, reason: str = "because") -> Any:
    return person.put(f"feature-settings/{name}", {"value": value, "reason": reason})


def test_a_number_counts_until_the_default_comes_back(staff: Any, settings: Any) -> None:
    admin = Person(staff("admin"))
    assert features.number("OFFER_EXPIRES_DAYS") == settings.OFFER_EXPIRES_DAYS == 7
    told = put(admin, "OFFER_EXPIRES_DAYS", 21).json()
    assert (told["value"], told["default"], told["changed"]) == (21, 7, True) and features.number("OFFER_EXPIRES_DAYS") == 21
    told = put(admin, "OFFER_EXPIRES_DAYS", None).json()
    assert (told["value"], told["changed"]) == (7, False) and features.number("OFFER_EXPIRES_DAYS") == 7


def test_each_change_is_audited_and_an_event_and_the_same_again_is_neither(staff: Any) -> None:
    admin = staff("admin")
    for _ in range(2):
        assert put(Person(admin), "QUOTE_MINUTES", 7, "holidays").status_code == 200
    (act,) = StaffAct.objects.all()
    assert (act.actor_id, act.action, act.before, act.after, act.reason) == (admin.pk, "settings_change", None, 7, "holidays")
    (event,) = Event.objects.filter(kind="feature.change")
    assert event.after == {"name": "QUOTE_MINUTES", "value": 7} and event.actor_id == admin.pk


def test_what_is_out_of_bounds_or_of_another_kind_changes_nothing(staff: Any) -> None:
    admin = Person(staff("admin"))
    wrong = [("OFFER_EXPIRES_DAYS", v) for v in (0, 61, 7.0, "7", True, [7])] + [("PAYOUTS_OPEN", v) for v in (1, 0, "false")]
    for name, value in wrong:
        answer = put(admin, name, value)
        assert answer.status_code == 400 and list(answer.json()["fields"]) == ["value"], (name, value)
    assert put(admin, "OFFER_EXPIRES_DAYS", 21, "").status_code == 400
    assert put(admin, "SECRET_KEY", 1).status_code == 404
    assert not FeatureSetting.objects.exclude(value=None).exists() and not StaffAct.objects.exists()


def test_a_switch_closes_what_it_guards(staff: Any) -> None:
    features.require_on("PAYOUTS_OPEN", "closed")
    put(Person(staff("admin")), "PAYOUTS_OPEN", False)
    with pytest.raises(Conflict, match="closed"):
        features.require_on("PAYOUTS_OPEN", "closed")


def test_a_process_reads_again_after_a_while_and_at_once_what_it_changed_itself(staff: Any) -> None:
    with override_settings(FEATURES_STALE_SECONDS=3600.0):
        assert features.number("JOB_OPEN_DAYS") == 30
        FeatureSetting.objects.create(name="JOB_OPEN_DAYS", value=60)  # as another process would
        assert features.number("JOB_OPEN_DAYS") == 30
        features.put(actor=staff("admin"), name="JOB_OPEN_DAYS", value=45, reason="r")
        assert features.number("JOB_OPEN_DAYS") == 45
    assert features.number("JOB_OPEN_DAYS") == 45


def test_every_default_lies_within_its_bounds(settings: Any) -> None:
    for name, feature in features.FEATURES.items():
        default = getattr(settings, name)
        assert type(default) is (bool if feature.is_switch else int), name
        assert feature.is_switch or feature.low <= default <= feature.high, name


def test_each_switch_closes_its_door_and_nothing_is_lost(staff: Any, alice: Any, bob: Any, planned: Any, earn: Any) -> None:  # noqa: F811
    """Off: a clear answer and no effect. On again: the same request succeeds."""
    admin, client = Person(staff("admin")), Person(alice)
    earn(alice, bob, 10**9, Money(10_000, "USD"))
    draft = client.post("jobs", DRAFT).json()["id"]
    doors = {
        "POSTING_OPEN": lambda: client.post(f"jobs/{draft}/publish"),
        "FUNDING_OPEN": lambda: client.post(f"milestones/{planned.pk}/fund", {"provider": "sandbox", "method": {"token": "tok_visa"}}),
        "PAYOUTS_OPEN": lambda: Person(bob).post("me/payouts", {"amount_minor": 1, "currency": "USD", "method": {"token": "bank_ok"}}),
        "PROPOSALS_OPEN": lambda: Person(bob).post(
            f"jobs/{draft}/proposals", {"cover_letter": "I can.", "amount_minor": 10_000, "currency": "USD"}
        ),
    }
    for name, door in doors.items():
        put(admin, name, False)
        answer = door()
        assert (answer.status_code, answer.json()["code"]) == (409, "feature_off"), name
        put(admin, name, None)
        assert door().json().get("code") != "feature_off", name
