"""Finance staff settle a day over HTTP: the night's comparison, claims, a booking by two people, a file with a broken row, and what the public reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from marketplace.core.models import StaffAct
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.notifications.models import InboxItem
from marketplace.payments import services, tasks
from marketplace.payments.models import AccountBalance, Difference, Entry, ProcessorFile
from marketplace.payments.providers import sandbox
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HERE = "staff/reconciliation"


@pytest.fixture(autouse=True)
def at_noon(time_machine: Any) -> Any:
    cache.delete("payments:transparency:2")
    time_machine.move_to(NOON, tick=False)
    yield time_machine
    cache.delete("payments:transparency:2")


@pytest.fixture
def differing(alice: Any, at_noon: Any) -> None:
    """A day at the sandbox with a small charge and a large sum that nobody here knows of."""
    values = {"amount": Money(100_000, "USD"), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}}
    services.payment_start(actor_id=alice.pk, idempotency_key="p", **values)
    sandbox.other("charge", Money(-1_200, "USD"))
    sandbox.other("wire", Money(70_000, "USD"))
    at_noon.move_to(datetime(2026, 11, 3, 7, tzinfo=UTC), tick=False)
    tasks.reconcile_due()
    at_noon.move_to(datetime(2026, 11, 4, 7, tzinfo=UTC), tick=False)
    tasks.reconcile_due()


def test_a_day_is_settled(differing: None, staff: Any, at_noon: Any) -> None:
    fiona, adam = Person(staff("finance")), Person(staff("admin"))
    runs = fiona.get(f"{HERE}/runs", provider="sandbox").json()["results"]
    assert [(r["day"], r["state"], r["totals"][0]["differences"]) for r in runs] == [
        ("2026-11-03", "finished", 2),
        ("2026-11-02", "finished", 0),
    ]
    assert (runs[0]["totals"][0]["provider_minor"], runs[0]["totals"][0]["ledger_minor"]) == (168_800, 100_000)

    listed = fiona.get(f"{HERE}/differences", state="open", owner="none").json()["results"]
    by_item = {d["item"]: d for d in listed}
    charge, wire = by_item["line:charge:moved"], by_item["line:wire:moved"]
    assert (charge["effect"], charge["kind"], charge["age_days"]) == ({"minor": -1_200, "currency": "USD"}, "missing_with_us", 1)

    at = f"{HERE}/differences/{wire['id']}"
    assert fiona.post(f"{at}/claim").json()["owner"] == {"id": fiona.user.pk, "name": "Finance"}
    assert adam.post(f"{at}/claim").json()["code"] == "difference_claimed"
    assert [d["id"] for d in fiona.get(f"{HERE}/differences", owner="me").json()["results"]] == [wire["id"]]
    asked = fiona.post(f"{at}/book", {"account": "suspense", "reason": "A wire, we ask whose."}).json()
    assert (asked["state"], asked["asked_as"], asked["asked_by"]["id"]) == ("waiting", "suspense", fiona.user.pk)
    drain()
    assert InboxItem.objects.filter(user=adam.user, kind="difference.ask").count() == 1
    assert not InboxItem.objects.filter(user=fiona.user, kind="difference.ask").exists()
    refused = fiona.post(f"{at}/approve", {"reason": "I am sure."})
    assert (refused.status_code, refused.json()["code"]) == (403, "difference_second")
    booked = adam.post(f"{at}/approve", {"reason": "Seen the statement."}).json()
    assert (booked["state"], booked["actions"], Entry.objects.get(pk=booked["entry_id"]).kind) == ("booked", [], "difference_book")

    key = "same-key"
    once, twice = (
        fiona.post(f"{HERE}/differences/{charge['id']}/book", {"account": "write_off", "reason": "Small."}, key=key) for _ in range(2)
    )
    assert (once.json(), twice["Idempotent-Replayed"]) == (twice.json(), "true")
    assert Entry.objects.filter(kind="difference_write_off").count() == 1
    assert StaffAct.objects.filter(action="reconcile", field="state").count() == 3
    at_noon.move_to(datetime(2026, 11, 5, 7, tzinfo=UTC), tick=False)
    tasks.reconcile_due()
    newest = fiona.get(f"{HERE}/runs").json()["results"][0]["totals"][0]
    assert (newest["provider_minor"], newest["ledger_minor"], newest["differences"]) == (168_800, 168_800, 0)
    assert services.ledger_check(invariants=range(1, 9)).violations == []
    checks = {c["name"]: c["ok"] for c in Person().get("transparency").json()["checks"]}
    assert checks["reconciliation"] is True


def test_age_is_told_to_whoever_takes_care_of_it_else_to_all(differing: None, staff: Any, at_noon: Any) -> None:
    fiona, adam, sam = staff("finance"), staff("admin"), staff("support")
    owned, free = Difference.objects.order_by("pk")
    services.difference_claim(actor=fiona, difference_id=owned.pk)
    at_noon.shift(timedelta(days=2))
    assert tasks.alarm_differences() == 2
    drain()
    told = InboxItem.objects.filter(kind="difference.age")
    assert {u: told.filter(user=u).count() for u in (fiona, adam, sam)} == {fiona: 2, adam: 1, sam: 0}
    item = told.filter(user=adam).get()
    assert item.link == f"/admin/payments/difference/{free.pk}/change/"
    assert item.text == f"A difference with a gateway (sandbox, {free.effect_amount}) is still open after 3 days: explain or book it."


def _file(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("balance.csv", text.encode(), content_type="text/csv")


def test_a_file_is_read_and_tells_of_its_broken_rows(staff: Any) -> None:
    fiona = Person(staff("finance"))
    text = "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC)\ntxn_1,charge,ch_1,10.00,0.59,9.41,usd,2026-11-01 12:00:00\ntxn_2,charge,ch_2,ten,0,0,usd,x\n"

    def send(**more: Any) -> Any:
        body = {"provider": "stripe", "file": _file(text), **more}
        return fiona.client.post(
            f"/api/v1/{HERE}/processor-files", body, format="multipart", HTTP_IDEMPOTENCY_KEY="again" if more else "first"
        )

    read = send().json()
    assert (read["rows"], read["stored"], read["errors"]) == (2, 1, 1)
    again = send(day_first="true").json()
    assert (again["id"], ProcessorFile.objects.count()) == (read["id"], 1)
    (problem,) = fiona.get(f"{HERE}/processor-files/{read['id']}/problems").json()["results"]
    assert (problem["line_no"], problem["message"].partition(":")[0]) == (3, "Amount")
    assert fiona.get(f"{HERE}/processor-files/{read['id']}").json()["name"] == "balance.csv"
    other = {"provider": "paypal", "file": _file(text)}
    refused = fiona.client.post(f"/api/v1/{HERE}/processor-files", other, format="multipart", HTTP_IDEMPOTENCY_KEY="other")
    assert (refused.status_code, refused.json()["code"]) == (400, "file_format")


@pytest.mark.parametrize(
    "query",
    [{"state": "x"}, {"kind": "x"}, {"owner": "x"}, {"owner": "9" * 30}, {"older_than_days": "-1"}, {"cursor": "x"}],
    ids=["state", "kind", "owner", "huge", "age", "cursor"],
)
def test_filters_that_mean_nothing_are_refused(query: dict[str, str], staff: Any) -> None:
    assert Person(staff("finance")).get(f"{HERE}/differences", **query).status_code == 400


def test_lists_cost_the_same_for_one_and_for_many(differing: None, staff: Any, django_assert_num_queries: Callable[..., Any]) -> None:
    fiona = Person(staff("finance"))
    fiona.get(f"{HERE}/differences")
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for path in ("differences", "runs"):
        with CaptureQueriesContext(connection) as one:
            assert len(fiona.get(f"{HERE}/{path}", limit=1).json()["results"]) == 1
        with CaptureQueriesContext(connection) as many:
            assert len(fiona.get(f"{HERE}/{path}").json()["results"]) == 2
        assert len(many) == len(one), path


def test_pages_of_differences_neither_repeat_nor_lose(differing: None, staff: Any) -> None:
    fiona = Person(staff("finance"))
    first = fiona.get(f"{HERE}/differences", limit=1).json()
    second = fiona.get(first["next"]).json()
    found = [row["id"] for page in (first, second) for row in page["results"]]
    assert (found, second["next"]) == (sorted(Difference.objects.values_list("pk", flat=True), reverse=True), None)


def test_the_page_of_staff_shows_whether_the_money_adds_up(differing: None, staff: Any, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    page = Client()
    page.force_login(staff("finance"))
    text = page.get("/admin/payments/reconciliationrun/overview/").content.decode()
    assert "None: every stored balance is the sum of its postings." in text and "1,000.00 USD" in text and ">NO<" not in text
    right = AccountBalance.objects.get().available
    AccountBalance.objects.update(available=99_999)
    text = page.get("/admin/payments/reconciliationrun/overview/").content.decode()
    AccountBalance.objects.update(available=right)
    assert ">999.99 USD</td>" in text and ">1,000.00 USD</td></tr>" in text and ">NO<" in text
    assert page.get("/admin/payments/reconciliationrun/").status_code == 200
    assert "overflow-wrap: anywhere" in page.get("/admin/payments/difference/").content.decode()
    stranger = Client()
    stranger.force_login(staff("support"))
    assert stranger.get("/admin/payments/reconciliationrun/overview/").status_code == 403


def test_days_without_movement_are_compared_too(staff: Any, at_noon: Any) -> None:
    tasks.reconcile_due()
    runs = Person(staff("finance")).get(f"{HERE}/runs").json()["results"]
    assert [(r["day"], r["state"], r["totals"]) for r in runs] == [(date(2026, 11, 1).isoformat(), "finished", [])]
