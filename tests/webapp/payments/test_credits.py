"""A payment of which the gateway got another amount than was asked for: its money goes through suspense into the payer's wallet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.core import clock
from marketplace.core.models import Delivery, Event, StaffAct
from marketplace.core.money import Money
from marketplace.core.tasks import deliver_one
from marketplace.notifications.policies import notices
from marketplace.payments import oversight, selectors, services, tasks
from marketplace.payments.models import Difference, Document, Entry, Payment, SandboxObject
from marketplace.payments.reconciliation import runs
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db
DESK = "staff/reconciliation/differences"
ASKED, CAME = Money(5_000, "USD"), 4_500


@pytest.fixture(autouse=True)
def at_noon(time_machine: Any) -> Any:
    time_machine.move_to(datetime(2026, 11, 2, 12, tzinfo=UTC), tick=False)
    return time_machine


@pytest.fixture
def finance(staff: Any) -> Person:
    return Person(staff("finance"))


@pytest.fixture
def admin(staff: Any) -> Person:
    return Person(staff("admin"))


@pytest.fixture
def payment(alice: Any, pay: Any) -> Payment:
    """Asked for 50.00, of which the gateway got 45.00."""
    made: Payment = pay(alice, ASKED, "tok_delayed")
    assert made.state == "pending"
    clock.advance(60)
    SandboxObject.objects.update(amount_minor=CAME)
    made = services.payment_refresh(payment_id=made.pk)
    assert (made.state, made.failure_code) == ("pending", "amount_differs")
    return made


@pytest.fixture
def booked(payment: Payment, finance: Person, admin: Person, at_noon: Any) -> Difference:
    """The difference of the payment, in suspense."""
    day = clock.now().date()
    at_noon.move_to(runs.end_of(day) + timedelta(days=1, hours=7), tick=False)
    services.reconcile(provider="sandbox", day=day)
    services.reconcile(provider="sandbox", day=day + timedelta(days=1))
    found = Difference.objects.get(item=f"payment:{payment.pk}", aspect="amount")
    assert (found.kind, found.effect_minor) == ("missing_with_us", CAME)
    row = services.difference_book(actor=finance.user, difference_id=found.pk, account="suspense", reason="Another amount came.")
    return row if row.state == "booked" else services.difference_approve(actor=admin.user, difference_id=row.pk, reason="Seen.")


def wallet_of(user: Any) -> int:
    return sum(b.wallet.minor for b in selectors.balances_of(user.pk))


def test_two_people_give_the_payer_what_came(
    alice: Any, payment: Payment, booked: Difference, finance: Person, admin: Person, at_noon: Any, proven: Any
) -> None:
    path = f"{DESK}/{booked.pk}/credit"

    asked = finance.post(path, {"reason": "It is hers."})

    assert (asked.status_code, asked.json()["state"], wallet_of(alice)) == (200, "crediting", 0)
    (waits,) = Event.objects.filter(kind="difference.ask_credit")
    assert admin.user.pk in {n.user_id for n in notices(waits)}
    assert finance.post(f"{path}/approve", {"reason": "r"}).status_code == 403
    assert admin.post(f"{path}/approve", {"reason": "Seen."}).json()["state"] == "credited"
    entry = Entry.objects.get(kind="difference_credit")
    lines = list(entry.postings.values_list("debit_account__key", "credit_account__key", "amount"))
    assert lines == [("suspense:sandbox:USD", f"wallet:{alice.pk}:USD", CAME)]
    payment.refresh_from_db()
    assert (payment.state, payment.failure_code, wallet_of(alice)) == ("failed", "credited", CAME)
    assert not oversight.unknown_payments(Payment.objects.all(), clock.now()).exists()
    assert StaffAct.objects.filter(object_id=payment.pk, field="credited_minor", after=CAME, actor_id=admin.user.pk).exists()
    assert [deliver_one(d.pk) for d in Delivery.objects.filter(handler="payments.documents", event__kind="difference.credit")] == [True]
    receipt = Document.objects.get(entry=entry)
    assert (receipt.kind, receipt.about, receipt.recipient_id, receipt.total_minor) == ("receipt", "deposit", alice.pk, CAME)
    assert (receipt.content["processor"], receipt.content["lines"][0]["posting_ids"]) == ("sandbox", [entry.postings.get().pk])
    (told,) = notices(Event.objects.get(kind="payment.credit"))
    assert (told.user_id, told.text[:57]) == (alice.pk, "Another amount was received for your payment of 50.00 USD")

    # whatever the gateway says of it later, it is not deposited as well; and no run finds it again
    SandboxObject.objects.update(amount_minor=ASKED.minor)
    services.payment_refresh(payment_id=payment.pk)
    tasks.poll_unsettled()
    SandboxObject.objects.update(amount_minor=CAME)
    at_noon.shift(timedelta(days=3))
    services.reconcile(provider="sandbox", day=clock.now().date() - timedelta(days=1))
    assert wallet_of(alice) == CAME
    assert not Difference.objects.exclude(live_key=None).exists()
    assert admin.post(path, {"reason": "r"}).json()["code"] == "difference_credit_impossible"
    proven()
    report = services.ledger_check()
    assert [v for v in report.violations if "credit" in v.rule] == []
    Difference.objects.filter(pk=booked.pk).update(effect_minor=CAME + 1)
    assert "credit_is_its_difference" in {v.rule for v in services.ledger_check().violations}


def test_a_credit_is_refused_and_the_money_stays(
    alice: Any, payment: Payment, booked: Difference, finance: Person, admin: Person, proven: Any
) -> None:
    path = f"{DESK}/{booked.pk}/credit"
    assert finance.post(f"{path}/approve", {"reason": "r"}).json()["code"] == "difference_credit_unasked"
    finance.post(path, {"reason": "It is hers."})
    assert admin.post(f"{path}/refuse", {"reason": "It is not."}).json()["state"] == "booked"
    assert (wallet_of(alice), Entry.objects.filter(kind="difference_credit").exists()) == (0, False)
    payment.refresh_from_db()
    assert (payment.state, payment.failure_code) == ("pending", "amount_differs")
    proven()


def test_only_suspense_of_a_payment_that_was_not_deposited_is_credited(
    booked: Difference, payment: Payment, finance: Person, admin: Person
) -> None:
    path = f"{DESK}/{booked.pk}/credit"

    def refused(**values: Any) -> str:
        was = {name: getattr(booked, name) for name in values}
        Difference.objects.filter(pk=booked.pk).update(**values)
        code = finance.post(path, {"reason": "r"}).json()["code"]
        Difference.objects.filter(pk=booked.pk).update(**was)
        return str(code)

    for values in ({"item": "line:x"}, {"state": "written_off"}, {"effect_minor": -CAME}, {"item": "payment:999999"}):
        assert refused(**values) == "difference_credit_impossible", values
    Payment.objects.filter(pk=payment.pk).update(settled_at=clock.now())
    assert refused() == "difference_credit_impossible"


def test_nobody_credits_their_own_payment(booked: Difference, payment: Payment, finance: Person, admin: Person) -> None:
    Payment.objects.filter(pk=payment.pk).update(payer=finance.user.pk)
    assert finance.post(f"{DESK}/{booked.pk}/credit", {"reason": "r"}).json()["code"] == "difference_own"
