"""Rates that the European Central Bank does not publish are set by hand, by one person or two, and people exchange at them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as house
from django.test import Client

from marketplace.core import clock
from marketplace.core.models import StaffAct
from marketplace.core.tasks import drain
from marketplace.notifications.models import InboxItem
from marketplace.payments import fx
from marketplace.payments.models import FxRate, HandRate
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db
RATES, ASKED = "staff/money/rates", "staff/money/hand-rates"


@pytest.fixture
def desk(staff: Any, settings: Any) -> tuple[Person, Person]:
    settings.FX_PACKAGED_RATES = False
    return Person(staff("finance")), Person(staff("admin"))


def known(person: Person, currency: str) -> Any:
    answer = person.get(RATES)
    assert answer.status_code == 200, answer.content
    return next(row for row in answer.json()["results"] if row["currency"] == currency)


def put(person: Person, per_usd: str, currency: str = "KES", **more: Any) -> Any:
    return person.post(RATES, {"currency": currency, "per_usd": per_usd, "reason": "The central bank's mean of today."} | more)


def test_a_rate_is_set_by_one_and_a_large_step_by_two_and_people_exchange_at_it(desk: Any, alice: Any) -> None:
    finance, admin = desk
    client, price = Person(alice), {"amount_minor": 100_00, "currency": "USD", "pay_currency": "KES"}
    before = known(finance, "KES")
    assert (Decimal(before["per_usd"]), before["source"], before["by_hand"]) == (Decimal("129.25"), "admin", None)
    assert before["days_left"] < 0
    assert client.post("me/exchange-quotes", price).json()["code"] == "fx_rate_old"

    small = put(finance, "130.5")

    assert (small.status_code, small.json()["state"]) == (201, "set"), small.content
    now = known(finance, "KES")
    assert (Decimal(now["per_usd"]), now["age_days"], now["days_left"]) == (Decimal("130.5"), 0, house.FX_MAX_AGE_DAYS["admin"])
    assert (now["by_hand"]["asked_by"]["id"], now["by_hand"]["reason"]) == (finance.user.pk, "The central bank's mean of today.")
    bought = client.post("me/exchange-quotes", price).json()
    assert Decimal(bought["sell"]["minor"]) >= Decimal("130.5") * 100_00

    large = put(finance, "145").json()

    assert (large["state"], Decimal(large["known_per_usd"])) == ("asked", Decimal("130.5"))
    assert known(admin, "KES")["waiting"]["id"] == large["id"] and Decimal(known(admin, "KES")["per_usd"]) == Decimal("130.5")
    assert put(admin, "131").json()["code"] == "hand_rate_waits"
    path = f"{ASKED}/{large['id']}/approve"
    assert finance.post(path, {"reason": "r"}).json()["code"] == "hand_rate_second"
    agreed = admin.post(path, {"reason": "Read the same."})
    assert (agreed.status_code, agreed.json()["state"], agreed.json()["decided_by"]["id"]) == (200, "set", admin.user.pk), agreed.content
    assert Decimal(known(finance, "KES")["per_usd"]) == 145
    assert admin.post(path, {"reason": "again"}).json()["code"] == "hand_rate_set_impossible"
    # what was derived of the first one of this day is not taken for the second
    again = client.post("me/exchange-quotes", price).json()
    assert Decimal(again["sell"]["minor"]) >= 145 * 100_00 and Decimal(again["rate"]) < Decimal(bought["rate"])
    assert [r["id"] for r in finance.get(f"{ASKED}?state=set&currency=KES").json()["results"]] == [large["id"], small.json()["id"]]

    acts = StaffAct.objects.filter(action="rates_set", object_id=large["id"])
    assert {(a.actor_id, a.reason) for a in acts} == {
        (finance.user.pk, "The central bank's mean of today."),
        (admin.user.pk, "Read the same."),
    }
    drain()
    assert InboxItem.objects.filter(user=admin.user, kind="hand_rate.ask").count() == 1


@pytest.mark.parametrize("typed", ["0.00773694", "12.925", "12925"])
def test_a_slip_is_refused_and_insisting_on_it_asks_a_second_person(desk: Any, typed: str) -> None:
    finance, admin = desk
    refused = put(finance, typed)
    assert (refused.status_code, refused.json()["code"]) == (400, "hand_rate_far")
    assert not HandRate.objects.exists()

    asked = put(finance, typed, sure=True).json()

    assert asked["state"] == "asked"
    assert admin.post(f"{ASKED}/{asked['id']}/refuse", {"reason": "A slip."}).json()["state"] == "refused"
    assert Decimal(known(finance, "KES")["per_usd"]) == Decimal("129.25")
    assert put(finance, "129.5").json()["state"] == "set", "nothing waits any more"


@pytest.mark.parametrize(
    ("currency", "per_usd", "code"),
    [
        ("USD", "1", "currency_same"),
        ("EUR", "0.9", "hand_rate_published"),
        ("JPY", "150", "hand_rate_published"),
        ("KES", "0", "hand_rate_range"),
        ("KES", "-130", "hand_rate_range"),
        ("KES", "10000000000", "hand_rate_range"),
        ("KES", "NaN", "invalid"),
        ("XXX", "1", "currency_unknown"),
    ],
)
def test_what_is_no_rate_to_be_set_by_hand(desk: Any, settings: Any, currency: str, per_usd: str, code: str) -> None:
    settings.FX_PACKAGED_RATES = True  # so that the ECB's are young enough

    answer = put(desk[0], per_usd, currency)

    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.content
    assert not HandRate.objects.exists()


def test_a_currency_that_nobody_knows_a_rate_of_needs_two(desk: Any) -> None:
    finance, admin = desk
    asked = put(finance, "2830", "MNT").json()
    assert (asked["state"], asked["known_per_usd"]) == ("asked", None)
    admin.post(f"{ASKED}/{asked['id']}/approve", {"reason": "Right."})

    assert fx.current_rate("MNT", "USD").rate == (1 / Decimal(2830)).quantize(fx.PRECISION)


def test_small_steps_do_not_add_up_to_a_large_one(desk: Any) -> None:
    finance, _ = desk
    assert put(finance, "140").json()["state"] == "set"
    assert put(finance, "150").json()["state"] == "asked", "less than 10 % from the last, more from that of a week ago"


def test_ten_percent_is_for_one_person_and_more_is_not(desk: Any) -> None:
    finance, admin = desk
    assert put(finance, "142.175").json()["state"] == "set"
    FxRate.objects.filter(pk=HandRate.objects.get().rate_id).update(as_of=clock.now().date() - timedelta(days=8))
    assert put(finance, "156.392500000001").json()["state"] == "asked"
    asked = HandRate.objects.get(state="asked")
    FxRate.objects.create(base="USD", quote="KES", rate=150, source="admin:9", as_of=clock.now().date(), fetched_at=clock.now())
    assert admin.post(f"{ASKED}/{asked.pk}/approve", {"reason": "r"}).json()["code"] == "hand_rate_overtaken"


def test_the_list_costs_the_same_however_many_there_are(desk: Any, django_assert_max_num_queries: Any) -> None:
    finance, _ = desk
    put(finance, "130")
    put(finance, "2830", "MNT")
    with django_assert_max_num_queries(14):
        assert len(finance.get(RATES).json()["results"]) > 25


def test_the_admin_pages_only_show_them(desk: Any, staff: Any) -> None:
    put(desk[0], "130")
    browser = Client()
    browser.force_login(desk[0].user)

    assert browser.get("/admin/payments/handrate/").status_code == 200
    assert browser.get("/admin/payments/handrate/add/").status_code == 403
