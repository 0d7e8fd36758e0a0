"""What the database itself refuses, whoever writes to it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from marketplace.core import triggers
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.payments.ledger import accounts
from marketplace.payments.ledger.post import Line, post
from marketplace.payments.ledger.triggers import names
from marketplace.payments.models import Account, AccountBalance, Entry, Posting

pytestmark = [pytest.mark.django_db, pytest.mark.parity]


def refused(sql: str, match: str) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match=match):
        cursor.execute(sql)


@pytest.fixture
def entry(alice: Any, fund: Any) -> Entry:
    return fund(alice, 7, Money(10_000, "USD"))


def test_every_trigger_of_the_ledger_is_laid_by_migrate() -> None:
    assert names() <= triggers.existing()


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("payments_posting", "amount = amount + 1"),
        ("payments_entry", "reason = 'something else'"),
        ("payments_account", "currency = 'EUR'"),
        ("core_event", "actor_id = 0"),
    ],
)
def test_posted_rows_are_neither_changed_nor_deleted(entry: Entry, table: str, change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
        before = cursor.fetchall()

    refused(f"UPDATE {table} SET {change}", "append-only")
    refused(f"DELETE FROM {table}", "append-only")

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
        assert cursor.fetchall() == before
    assert len(before) >= 2


def line(entry: Entry, line_no: int, **changed: Any) -> Posting:
    first = entry.postings.get(line_no=1)
    values = {
        "debit_account_id": first.debit_account_id,
        "credit_account_id": first.credit_account_id,
        "amount": 1,
        "currency": "USD",
        **changed,
    }
    return Posting(entry=entry, line_no=line_no, leg="hold", occurred_at=entry.occurred_at, **values)


@pytest.mark.parametrize("line_no", [0, 2, 3])
def test_a_line_beyond_the_count_is_refused(entry: Entry, line_no: int) -> None:
    with pytest.raises(DatabaseError, match="beyond the count"), transaction.atomic():
        line(entry, line_no).save(force_insert=True)

    assert entry.postings.count() == 1


def unfinished(entry: Entry) -> Entry:
    """An entry that still waits for its second line."""
    return Entry.objects.create(
        kind="hold",
        idempotency_key="raw",
        payload_hash="",
        posting_count=2,
        subject_type="milestone",
        subject_id=7,
        occurred_at=entry.occurred_at,
    )


def test_the_same_line_twice_is_refused(entry: Entry) -> None:
    second = unfinished(entry)
    first = entry.postings.get()
    legs = {"debit_account_id": first.debit_account_id, "credit_account_id": first.credit_account_id}
    line_1 = {"entry": second, "line_no": 1, "leg": "hold", "amount": 5, "currency": "USD", "occurred_at": entry.occurred_at, **legs}
    Posting.objects.create(**line_1)

    with pytest.raises(DatabaseError), transaction.atomic():
        Posting.objects.create(**line_1)

    assert second.postings.count() == 1


def test_a_posting_in_another_currency_than_its_accounts_is_refused(entry: Entry) -> None:
    first = entry.postings.get()
    second = unfinished(entry)
    with pytest.raises(DatabaseError, match="currency of the posting"), transaction.atomic():
        Posting.objects.create(
            entry=second,
            line_no=1,
            leg="hold",
            debit_account_id=first.debit_account_id,
            credit_account_id=first.credit_account_id,
            amount=5,
            currency="EUR",
            occurred_at=entry.occurred_at,
        )


@pytest.mark.parametrize("amount", [0, -5])
def test_a_posting_of_nothing_or_less_is_refused(entry: Entry, amount: int) -> None:
    first = entry.postings.get()
    second = unfinished(entry)
    with pytest.raises(DatabaseError), transaction.atomic():
        Posting.objects.create(
            entry=second,
            line_no=1,
            leg="hold",
            debit_account_id=first.debit_account_id,
            credit_account_id=first.credit_account_id,
            amount=amount,
            currency="USD",
            occurred_at=entry.occurred_at,
        )


def test_a_balance_below_zero_is_refused_by_the_table(entry: Entry) -> None:
    held = AccountBalance.objects.get(account__key="hold:7:USD")

    with pytest.raises(DatabaseError), transaction.atomic():
        AccountBalance.objects.filter(pk=held.pk).update(available=-1)

    held.refresh_from_db()
    assert held.available == 10_000


def test_an_account_has_one_row_for_its_key(entry: Entry) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        Account.objects.create(key="hold:7:USD", kind="hold", currency="USD", created_at=entry.occurred_at)


USD_5 = Money(5, "USD")


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("hold", [Line("hold", accounts.wallet(1, "USD"), accounts.available(1, "USD"), USD_5)]),
        ("hold", [Line("fee", accounts.wallet(1, "USD"), accounts.hold(1, 1, "USD"), USD_5)]),
        ("hold", [Line("hold", accounts.wallet(1, "USD"), accounts.hold(1, 1, "USD"), USD_5)] * 2),
        ("hold", [Line("hold", accounts.wallet(1, "USD"), accounts.hold(1, 1, "EUR"), USD_5)]),
        ("release", [Line("hold", accounts.wallet(1, "USD"), accounts.hold(1, 1, "USD"), USD_5)]),
    ],
)
def test_nothing_is_posted_that_does_not_fit_its_template(kind: str, lines: list[Line]) -> None:
    with pytest.raises(ValueError, match=kind), transaction.atomic():
        post(kind, key="k", lines=lines, subject=("milestone", 1), actor_id=None, rule="test")

    assert not Entry.objects.exists()
    assert not Account.objects.exists()


def test_the_event_of_a_payment_is_append_only_too(entry: Entry) -> None:
    assert list(Event.objects.filter(aggregate_type="payments.payment").values_list("kind", flat=True)) == [
        "payment.create",
        "payment.succeed",
    ]
    refused("DELETE FROM core_event WHERE kind = 'payment.succeed'", "append-only")
