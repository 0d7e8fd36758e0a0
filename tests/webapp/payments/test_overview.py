"""What staff see at a glance says what is late, in amounts as people read them, and how old held money truly is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from marketplace.core.money import Money
from marketplace.payments import services, tasks
from marketplace.payments.models import Difference, Entry, LedgerCheck, ReconciliationRun, ReconciliationTotal
from marketplace.payments.reconciliation.overview import overview

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 2)
COMPARED = datetime(2026, 11, 3, 6, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at(time_machine: Any) -> Any:
    time_machine.move_to(datetime(2026, 11, 2, 12, tzinfo=UTC), tick=False)
    return time_machine


def days() -> list[tuple[Any, ...]]:
    return [(d.gateway, d.day, d.state, d.late, str(d.ledger or "")) for d in overview().days]


def test_the_newest_day_is_late_when_the_next_one_should_have_been_compared(at: Any, alice: Any, pay: Any) -> None:
    pay(alice, Money(100_000, "USD"))
    assert days() == [("sandbox", None, "never compared", True, "")]
    at.move_to(COMPARED, tick=False)
    tasks.reconcile_due()
    at.move_to(COMPARED + timedelta(days=1, hours=2, seconds=-1), tick=False)
    assert days() == [("sandbox", DAY, "finished", False, "1,000.00 USD")]
    at.move_to(COMPARED + timedelta(days=1, hours=2), tick=False)
    assert days() == [("sandbox", DAY, "finished", True, "1,000.00 USD")]


def test_a_day_that_could_not_be_compared_says_why(at: Any, alice: Any, pay: Any) -> None:
    pay(alice, Money(100_000, "USD"))
    at.move_to(COMPARED, tick=False)
    tasks.reconcile_due()
    ReconciliationTotal.objects.all().delete()
    ReconciliationRun.objects.update(state="unread", last_error="The gateway does not answer.")
    (day,) = overview().days
    assert (day.late, day.state, day.error, day.ledger) == (True, "unread", "The gateway does not answer.", None)


def test_a_check_that_is_hours_old_is_late(at: Any, alice: Any, pay: Any) -> None:
    assert overview().check_late
    pay(alice, Money(100_000, "USD"))
    tasks.ledger_check()
    at.shift(timedelta(hours=3))
    assert not overview().check_late
    at.shift(timedelta(seconds=1))
    assert (overview().check_late, LedgerCheck.objects.count()) == (True, 1)


def test_what_was_rolled_into_a_milestone_keeps_the_age_of_its_hold(at: Any, alice: Any, bob: Any, milestone: Any, fund: Any) -> None:
    row = milestone(alice, bob, Money(5_000, "USD"), "funded")
    fund(alice, row.pk, Money(5_000, "USD"))
    now = datetime(2026, 11, 2, 12, tzinfo=UTC)
    assert [(b.words, b.last) for b in overview().holds] == [("under 14 days", False)]
    for age, words, last in ((timedelta(days=60), "60 to 75 days", False), (timedelta(days=75), "75 days and more", True)):
        type(row).objects.filter(pk=row.pk).update(held_since=now - age)
        assert [(b.words, b.last) for b in overview().holds] == [(words, last)]
    type(row).objects.filter(pk=row.pk).update(held_since=None)
    at.shift(timedelta(days=20))
    assert [(b.words, b.amount) for b in overview().holds] == [("14 to 30 days", Money(5_000, "USD"))]


def test_a_credit_that_waits_for_a_second_person_is_among_what_lives(at: Any) -> None:
    values = {"provider": "sandbox", "item": "payment:1", "currency": "USD", "aspect": "amount", "kind": "missing_with_us"}
    now = datetime(2026, 11, 2, 12, tzinfo=UTC)
    Difference.objects.create(**values, effect_minor=700, state="crediting", since=now, opened_at=now)
    assert [(d["state"], d["count"], str(d["effect"])) for d in overview().differences] == [("crediting", 1, "7.00 USD")]


def test_staffs_tables_show_amounts_as_people_read_them(at: Any, alice: Any, bob: Any, pay: Any, earn: Any, staff: Any) -> None:
    earn(alice, bob, 7, Money(10_000, "USD"))
    yen = pay(alice, Money(7_000, "JPY"))
    services.payout_request(actor=bob, amount=Money(4_000, "USD"), method={"token": "bank_ok"}, idempotency_key="p")
    services.payment_refund_request(actor=alice, payment_id=yen.pk, amount=Money(1_234, "JPY"), idempotency_key="r")
    at.move_to(COMPARED, tick=False)
    tasks.reconcile_due()
    desk = Client()
    desk.force_login(staff("finance"))
    run, entry = ReconciliationRun.objects.get(), Entry.objects.get(kind="payout_request")
    for page, amount in {
        "payment/": "7,000 JPY",
        "payout/": "40.00 USD",
        "paymentrefund/": "1,234 JPY",
        "chargeback/": "",
        f"entry/{entry.pk}/change/": "40.00 USD",
        f"reconciliationrun/{run.pk}/change/": "7,000 JPY",
    }.items():
        answer = desk.get(f"/admin/payments/{page}")
        assert answer.status_code == 200 and amount in answer.content.decode(), page
