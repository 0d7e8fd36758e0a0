"""The staff's site: which group reads which table, nothing is edited by hand, and every act asks for a reason and goes through its service."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from marketplace.core.admin import StaffAdmin
from marketplace.core.models import BulkAct, FeatureSetting, StaffAct
from marketplace.core.money import Money
from marketplace.core.policies import STAFF_ACTIONS, STAFF_GROUPS
from marketplace.core.tasks import work_bulk_acts
from marketplace.payments import services
from marketplace.payments.models import Payment, Payout
from tests.webapp.payments.conftest import *  # noqa: F403  (fixtures)

pytestmark = pytest.mark.django_db


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def payout(alice: Any, bob: Any, earn: Any) -> Payout:
    earn(alice, bob, 7, Money(10_000, "USD"))
    ask = {"amount": Money(1_000, "USD"), "method": {"token": "bank_ok"}}
    return services.payout_request(actor=bob, idempotency_key="p", **ask)


def test_every_table_is_behind_one_of_the_staff_actions_and_cannot_be_edited() -> None:
    for model, site in admin.site._registry.items():
        assert isinstance(site, StaffAdmin), model
        assert site.see in STAFF_ACTIONS, model


@pytest.mark.parametrize("group", STAFF_GROUPS)
def test_a_group_reads_what_its_actions_let_it_and_adds_or_deletes_nothing(group: str, staff: Any, payout: Payout) -> None:
    user = staff(group)
    client = signed_in(user)
    assert client.get(reverse("admin:index")).status_code == 200
    for model, site in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        status = client.get(reverse(f"{name}_changelist")).status_code
        if model is not BulkAct:
            assert status == (200 if user.has_perm(f"core.{site.see}") else 403), (group, name)
        assert client.get(reverse(f"{name}_add")).status_code == 403, name
        assert client.post(reverse(f"{name}_delete", args=[payout.pk])).status_code in (302, 403), name
    assert Payout.objects.filter(pk=payout.pk).exists()


def test_the_money_tables_show_neither_whose_phone_it_is_nor_the_payers_secret(alice: Any, staff: Any, payout: Payout) -> None:
    payment = Payment.objects.get(payer=alice)
    Payout.objects.filter(pk=payout.pk).update(method={"phone": "254712345678"})
    secret = {"kind": "element", "client_secret": "pi_1_secret_2"}
    Payment.objects.filter(pk=payment.pk).update(method={"email": "alice.long@example.org"}, action=secret)
    client = signed_in(staff("finance"))

    pages = [
        client.get(reverse(f"admin:payments_{row._meta.model_name}_change", args=[row.pk])).content.decode() for row in (payment, payout)
    ]

    assert "a…@example.org" in pages[0] and "+254 … 678" in pages[1]
    for hidden in ("alice.long", "pi_1_secret_2", "client_secret", "254712345678"):
        assert hidden not in "".join(pages)


def test_who_is_no_staff_stays_outside(bob: Any) -> None:
    assert signed_in(bob).get(reverse("admin:payments_payout_changelist")).status_code == 302


def test_an_act_asks_for_a_reason_runs_the_service_and_shows_its_progress(staff: Any, payout: Payout) -> None:
    client = signed_in(staff("finance"))
    at = reverse("admin:payments_payout_changelist")
    chosen = {"action": "payout_refuse", "_selected_action": [str(payout.pk)]}
    asked = client.post(at, chosen)
    assert asked.status_code == 200 and b'name="reason"' in asked.content
    assert client.post(at, {**chosen, "reason": ""}).status_code == 200 and not BulkAct.objects.exists()
    led = client.post(at, {**chosen, "reason": "a wrong bank"})
    act = BulkAct.objects.get()
    assert (led.status_code, led["Location"]) == (302, reverse("admin:core_bulkact_change", args=[act.pk]))
    page = client.get(led["Location"]).content.decode()
    assert "0 of 1 tried" in page and "<progress" in page
    work_bulk_acts()
    page = client.get(led["Location"]).content.decode()
    assert "1 of 1 tried: 1 done, 0 refused, 0 failed – finished" in page and "location.reload" not in page
    payout.refresh_from_db()
    assert payout.state == "failed" and StaffAct.objects.get().reason == "a wrong bank"


def test_acts_are_offered_to_those_who_may_do_them_only(staff: Any, payout: Payout) -> None:
    client = signed_in(staff("support"))
    chosen = {"action": "payout_refuse", "_selected_action": [str(payout.pk)], "reason": "r"}
    assert client.post(reverse("admin:payments_payout_changelist"), chosen).status_code in (302, 403)
    assert not BulkAct.objects.exists()


def test_settings_are_changed_within_their_bounds_with_a_reason(staff: Any) -> None:
    client = signed_in(staff("admin"))
    assert b"OFFER_EXPIRES_DAYS" in client.get(reverse("admin:core_featuresetting_changelist")).content
    row = FeatureSetting.objects.get(name="OFFER_EXPIRES_DAYS")
    at = reverse("admin:core_featuresetting_change", args=[row.pk])
    assert client.get(at).status_code == 200
    assert client.post(at, {"value": "99", "reason": "r"}).status_code == 200
    assert client.post(at, {"value": "20", "reason": ""}).status_code == 200
    row.refresh_from_db()
    assert row.value is None
    assert client.post(at, {"value": "20", "reason": "holidays"}).status_code == 302
    row.refresh_from_db()
    assert row.value == 20 and StaffAct.objects.get().reason == "holidays"
    switch = FeatureSetting.objects.get(name="PAYOUTS_OPEN")
    at = reverse("admin:core_featuresetting_change", args=[switch.pk])
    assert client.post(at, {"value": "false", "reason": "the bank is closed"}).status_code == 302
    switch.refresh_from_db()
    assert switch.value is False
    assert client.post(at, {"value": "", "reason": "open again"}).status_code == 302
    switch.refresh_from_db()
    assert switch.value is None


def test_an_address_asks_about_what_the_page_offers_as_a_filter_and_nothing_else(staff: Any, bob: Any) -> None:
    client = signed_in(staff("analyst"))
    at = reverse("admin:accounts_user_changelist")
    for asked in ({"is_staff__exact": "0"}, {"is_active__exact": "1"}, {"q": str(bob.pk)}):
        page = client.get(at, asked)
        assert page.status_code == 200 and bob.email in page.content.decode(), asked
    for secret in (
        {"password__startswith": bob.password[:12]},
        {"password": "x"},
        {"is_superuser__exact": "0"},
        {"emailaddress__email": "x"},
    ):
        assert client.get(at, secret).status_code == 400, secret


@pytest.mark.parametrize("typed", ["x", "1.5", "9" * 40, "\x00", "\ud800", "'; --", "٣", "=" * 300])
def test_whatever_is_typed_into_a_search_finds_nothing_and_breaks_nothing(typed: str, staff: Any) -> None:
    client = signed_in(staff("admin"))
    for model, site in admin.site._registry.items():
        if site.search_fields:
            at = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            assert client.get(at, {"q": typed.encode("utf-8", "surrogatepass")}).status_code == 200, model


def test_a_reason_without_text_of_a_person_is_asked_for_again(staff: Any, payout: Payout) -> None:
    client = signed_in(staff("admin"))
    client.get(reverse("admin:core_featuresetting_changelist"))
    row = FeatureSetting.objects.get(name="OFFER_EXPIRES_DAYS")
    answer = client.post(reverse("admin:core_featuresetting_change", args=[row.pk]), {"value": "20", "reason": "a\x07b"})
    assert answer.status_code == 200 and b"Remove the control characters." in answer.content
    row.refresh_from_db()
    assert row.value is None
    chosen = {"action": "payout_refuse", "_selected_action": [str(payout.pk)], "reason": "a\x07b"}
    answer = client.post(reverse("admin:payments_payout_changelist"), chosen)
    assert answer.status_code == 200 and b"Remove the control characters." in answer.content and not BulkAct.objects.exists()


def test_what_is_left_of_a_setting_that_is_no_more_is_not_shown(staff: Any) -> None:
    left = FeatureSetting.objects.create(name="SOMETHING_OLD")
    client = signed_in(staff("admin"))
    assert b"SOMETHING_OLD" not in client.get(reverse("admin:core_featuresetting_changelist")).content
    assert client.get(reverse("admin:core_featuresetting_change", args=[left.pk])).status_code == 302
