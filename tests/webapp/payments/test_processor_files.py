"""Files of gateways: every row ends as stored, known, skipped or an error with its line; and what their days come to."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from marketplace.core.errors import InvalidInput, NotAllowed
from marketplace.core.money import Money
from marketplace.payments import services, tasks
from marketplace.payments.gateways import payment_key
from marketplace.payments.ledger import accounts
from marketplace.payments.ledger.post import Line, post
from marketplace.payments.models import Difference, Payment, PaymentRefund, ProcessorFile, ProviderLine, ReconciliationRun, WebhookEvent
from marketplace.payments.providers.base import own_ref
from marketplace.payments.reconciliation.formats import RowRefused, amount

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
Read = Callable[..., ProcessorFile]


@pytest.fixture(autouse=True)
def at_noon(time_machine: Any) -> Any:
    time_machine.move_to(NOON, tick=False)
    return time_machine


@pytest.fixture
def read(staff: Any) -> Read:
    """read(provider, text) → the file as it was read, by a member of finance staff."""
    finance = staff("finance")

    def start(provider: str, text: str | bytes, **more: Any) -> ProcessorFile:
        content = io.BytesIO(text if isinstance(text, bytes) else text.encode())
        return services.file_import(actor=finance, provider=provider, name="a.csv", content=content, **more)

    return start


def payment(user: Any, provider: str, minor: int, currency: str, ref: str) -> Payment:
    """A payment that has succeeded, with its deposit."""
    from marketplace.core.transactions import run_in_transaction

    values = {"payer": user, "amount_minor": minor, "currency": currency, "purpose": "wallet", "provider_ref": ref, "settled_at": NOON}
    row = Payment.objects.create(provider=provider, state="succeeded", idempotency_key=f"k-{ref}", created_at=NOON, **values)
    line = Line("deposit", accounts.clearing(provider, currency), accounts.wallet(user.pk, currency), Money(minor, currency))
    named = {"subject": ("payment", row.pk), "actor_id": user.pk, "rule": "gateway_succeeded"}
    run_in_transaction(lambda: post("deposit", key=f"deposit:{row.pk}", lines=[line], **named))
    return row


def counts(file: ProcessorFile) -> tuple[int, ...]:
    return file.rows, file.stored, file.known, file.skipped, file.errors


def problems(file: ProcessorFile) -> dict[int, str]:
    return dict(file.problems.values_list("line_no", "message"))


def compare(at_noon: Any, days: int = 2) -> None:
    """Every day that a file told of, with those after it."""
    at_noon.move_to(NOON + timedelta(days=days), tick=False)
    while tasks.reconcile_due():
        pass


# --- M-Pesa

MPESA = """Organization Name,Openlance
Short Code,174379
Time Period,From 02-11-2026 to 02-11-2026

Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.,Currency
QK1,02-11-2026 15:00:30,02-11-2026 15:00:10,Pay Bill from 2547*** Acc. OL{pk},Completed,"1,500.00",,"1,500.00",Yes,Pay Bill Online,2547***,,OL{pk},KES
QK2,02-11-2026 15:10:00,02-11-2026 15:10:00,Pay Bill Charge,Completed,,-15.00,"1,485.00",Yes,Pay Bill Charge,,QK1,,KES
QK3,02-11-2026 15:20:00,02-11-2026 15:20:00,Pay Bill from 2547***,Failed,99.00,,"1,485.00",Yes,Pay Bill Online,,,,KES
QK4,02-11-2026 16:00:00,02-11-2026 16:00:00,Organization Settlement to bank,Completed,,-500.00,985.00,Yes,Organization Settlement of Funds,,,,KES
"""


def test_a_statement_of_mpesa_is_matched_by_its_account_number(read: Read, alice: Any, at_noon: Any) -> None:
    paid = payment(alice, "mpesa", 150_000, "KES", "ws_CO_1")
    file = read("mpesa", MPESA.format(pk=paid.pk))
    assert counts(file) == (4, 3, 0, 1, 0)
    assert (file.format, file.covers_from, file.covers_until) == (
        "mpesa_organisation_statement",
        datetime(2026, 11, 2, 12, 0, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 13, tzinfo=UTC),
    )
    compare(at_noon, days=3)
    found = {d.item: (d.kind, d.effect_minor) for d in Difference.objects.all()}
    assert found == {f"payment:{paid.pk}": ("fee_differs", -1_500), "line:QK4": ("missing_with_us", -50_000)}
    run = ReconciliationRun.objects.filter(provider="mpesa").latest("day")
    assert run.totals.values_list("provider_minor", "ledger_minor", "unexplained_minor").get() == (None, 150_000, None)


def test_a_receipt_of_another_installation_is_not_ours(read: Read, alice: Any) -> None:
    paid = payment(alice, "mpesa", 150_000, "KES", "ws_CO_1")
    items = {"Item": [{"Name": "MpesaReceiptNumber", "Value": "QK9"}]}
    body = {"Body": {"stkCallback": {"CallbackMetadata": items}}}
    WebhookEvent.objects.create(
        provider="mpesa", event_id="stk:ws_CO_1", kind="stk", object_ref="ws_CO_1", subject="payment", body=body, received_at=NOON
    )
    read("mpesa", MPESA.format(pk=paid.pk))
    assert ProviderLine.objects.get(line_ref="QK1").subject_type == ""
    read("mpesa", MPESA.format(pk=paid.pk).replace("QK1,", "QK9,"))
    assert ProviderLine.objects.get(line_ref="QK9").subject_id == paid.pk


def test_days_without_a_file_are_not_covered_and_no_difference(read: Read, alice: Any, at_noon: Any) -> None:
    paid = payment(alice, "mpesa", 150_000, "KES", "ws_CO_1")
    compare(at_noon)
    run = ReconciliationRun.objects.get(provider="mpesa", day=date(2026, 11, 3))
    total = run.totals.get()
    assert (run.state, total.uncovered, total.uncovered_minor, total.differences) == ("finished", 1, -150_000, 0)
    # a file whose rows lie around it covers it, and does not have it
    text = MPESA.format(pk=0).replace("02-11-2026 15:00:30", "02-11-2026 14:00:00")
    read("mpesa", text)
    compare(at_noon, days=4)
    assert Difference.objects.filter(item=f"payment:{paid.pk}").values_list("kind", "effect_minor").get() == ("missing_with_them", -150_000)
    # the file that was forgotten settles it
    read("mpesa", MPESA.format(pk=paid.pk).replace("QK1,", "QK7,"))
    compare(at_noon, days=5)
    assert Difference.objects.get(item=f"payment:{paid.pk}", aspect="amount").state == "matched"


# --- PayPal

PAYPAL = (
    '"Date","Time","TimeZone","Name","Type","Status","Currency","Gross","Fee","Net","Transaction ID","Reference Txn ID","Invoice Number",'
    '"Custom Number","Balance Impact"\r\n'
)


def paypal_row(
    ref: str, gross: str, fee: str, net: str, *, own: str = "", on: str = "11/02/2026", kind: str = "Express Checkout Payment", **more: str
) -> str:
    values = {"status": "Completed", "currency": "EUR", "reference": "", "impact": "Credit", "zone": "PST", "time": "04:00:00", **more}
    cells = [
        on,
        values["time"],
        values["zone"],
        "Jo",
        kind,
        values["status"],
        values["currency"],
        gross,
        fee,
        net,
        ref,
        values["reference"],
        "",
        own,
        values["impact"],
    ]
    return ",".join(f'"{c}"' for c in cells) + "\r\n"


def test_an_activity_download_of_paypal_is_matched_by_our_own_name(read: Read, alice: Any, at_noon: Any) -> None:
    paid = payment(alice, "paypal", 1_234_56, "EUR", "ORDER-1")
    text = PAYPAL + paypal_row("CAP1", "1,234.56", "-30.12", "1,204.44", own=own_ref(payment_key(paid)))
    text += paypal_row("PEND", "9.00", "0.00", "9.00", status="Pending") + paypal_row("MEMO", "9.00", "0.00", "9.00", impact="Memo")
    file = read("paypal", text, day_first=False)
    assert counts(file) == (3, 1, 0, 2, 0)
    line = ProviderLine.objects.get()
    assert (line.subject_type, line.subject_id, line.amount_minor, line.fee_minor, line.occurred_at) == (
        "payment",
        paid.pk,
        123_456,
        3_012,
        NOON,
    )
    compare(at_noon, days=3)
    assert Difference.objects.values_list("kind", "effect_minor").get() == ("fee_differs", -3_012)


def test_a_row_of_another_installation_with_our_number_is_not_ours(read: Read, alice: Any) -> None:
    paid = payment(alice, "paypal", 100, "EUR", "ORDER-1")
    read("paypal", PAYPAL + paypal_row("CAP1", "1.00", "0.00", "1.00", own=f"payment-{paid.pk}-0123456789abcdef"), day_first=False)
    assert ProviderLine.objects.get().subject_type == ""


def test_the_order_of_dates_is_found_out_or_asked_for(read: Read) -> None:
    rows = PAYPAL + paypal_row("A", "1.00", "0.00", "1.00", on="02/11/2026")
    with pytest.raises(InvalidInput) as asked:
        read("paypal", rows)
    assert (asked.value.code, ProcessorFile.objects.count()) == ("file_dates_ambiguous", 0)
    read("paypal", rows + paypal_row("B", "1.00", "0.00", "1.00", on="13/11/2026"))
    assert [line.occurred_at.date() for line in ProviderLine.objects.order_by("line_ref")] == [date(2026, 11, 2), date(2026, 11, 13)]
    with pytest.raises(InvalidInput) as mixed:
        read(
            "paypal",
            PAYPAL + paypal_row("C", "1.00", "0.00", "1.00", on="13/11/2026") + paypal_row("D", "1.00", "0.00", "1.00", on="11/13/2026"),
        )
    assert mixed.value.code == "file_dates"
    with pytest.raises(InvalidInput):
        read("paypal", rows + paypal_row("E", "1.00", "0.00", "1.00", on="13/11/2026"), day_first=False)


# --- Stripe

STRIPE = "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC),Transfer Group\n"


def test_a_balance_file_of_stripe_and_its_report_tell_the_same_movements_once(read: Read, alice: Any, at_noon: Any) -> None:
    paid = payment(alice, "stripe", 10_000, "USD", "pi_1")
    refund = PaymentRefund.objects.create(
        payment=paid,
        provider="stripe",
        amount_minor=500,
        currency="USD",
        idempotency_key="r",
        provider_ref="re_1",
        state="pending",
        created_at=NOON,
    )
    rows = f"txn_1,charge,ch_1,100.00,3.20,96.80,usd,2026-11-02 12:00:00,2026-11-04 00:00:00,{own_ref(payment_key(paid))}\n"
    rows += "txn_2,refund,re_1,-5.00,0.00,-5.00,usd,2026-11-02 12:30:00,2026-11-02 12:30:00,\n"
    rows += "txn_3,stripe_fee,,-2.50,0.00,-2.50,usd,2026-11-02 13:00:00,2026-11-02 13:00:00,\n"
    assert counts(read("stripe", STRIPE + rows)) == (3, 3, 0, 0, 0)
    lines = {
        line.line_ref: (line.kind, line.subject_type, line.subject_id, line.amount_minor, line.fee_minor)
        for line in ProviderLine.objects.all()
    }
    assert lines == {
        "txn_1": ("payment", "payment", paid.pk, 10_000, 320),
        "txn_2": ("refund", "payment_refund", refund.pk, -500, 0),
        "txn_3": ("fee", "", None, 0, 250),
    }
    report = (
        "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,source_id,payment_intent_id\n"
        "txn_1,2026-11-02 12:00:00,2026-11-04,usd,100.00,3.20,96.80,charge,ch_1,pi_1\n"
        "txn_9,2026-11-02 14:00:00,2026-11-04,usd,1.00,0.00,1.00,charge,ch_9,pi_9\n"
    )
    assert counts(read("stripe", report)) == (2, 1, 1, 0, 0)


def test_the_same_file_twice_is_once(read: Read) -> None:
    text = STRIPE + "txn_1,charge,ch_1,100.00,3.20,96.80,usd,2026-11-02 12:00:00,,\n"
    first = read("stripe", text)
    again = read("stripe", text)
    assert (again.pk, counts(again), ProviderLine.objects.count(), ProcessorFile.objects.count()) == (first.pk, (1, 1, 0, 0, 0), 1, 1)


def test_a_reading_that_broke_off_goes_on_and_loses_nothing(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    from marketplace.payments.reconciliation import importing

    monkeypatch.setattr(importing, "BATCH", 2)
    text = STRIPE + "".join(f"txn_{n},charge,ch_{n},1.00,0.00,1.00,usd,2026-11-02 12:00:0{n},,\n" for n in range(5)) + "broken,row\n"
    store, calls = importing._store, []

    def dies(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise OSError("the process died")
        return store(*args)

    monkeypatch.setattr(importing, "_store", dies)
    with pytest.raises(OSError, match="died"):
        read("stripe", text)
    assert (ProviderLine.objects.count(), ProcessorFile.objects.get().read_at) == (2, None)
    file = read("stripe", text)
    assert (counts(file), ProviderLine.objects.count(), ProcessorFile.objects.count()) == ((6, 5, 0, 0, 1), 5, 1)


def test_errors_name_the_line_and_what_to_do_and_keep_the_row(read: Read) -> None:
    rows = [
        "txn_1,charge,ch_1,100.00,3.20,96.80,usd,2026-11-02 12:00:00,,",  # 2
        "txn_2,charge,ch_2,1e5,0.00,1.00,usd,2026-11-02 12:00:00,,",  # 3
        "txn_3,charge,ch_3,1.00,0.00,1.00,zzz,2026-11-02 12:00:00,,",  # 4
        "txn_4,charge,ch_4,1.00,0.00,1.00,usd,yesterday,,",  # 5
        "txn_5,charge",  # 6
        ",charge,ch_6,1.00,0.00,1.00,usd,2026-11-02 12:00:00,,",  # 7
        "txn_7,charge,ch_7,1.00,0.10,1.00,usd,2026-11-02 12:00:00,,",  # 8
        "txn_1,charge,ch_1,100.00,3.20,96.80,usd,2026-11-02 12:00:00,,",  # 9
        "txn_8,charge,ch_8,1.005,0.00,1.005,usd,2026-11-02 12:00:00,,",  # 10
        '"txn_9\nover two lines",charge,ch_9,1.00,0.00,1.00,usd,2026-11-02 12:00:00,,',  # 11 and 12
        "txn_10,charge,ch_10,1.00,0.00,1.00,usd,2026-11-02 12:00:00,,",  # 13
    ]
    file = read("stripe", STRIPE + "\n".join(rows) + "\n")
    assert counts(file) == (11, 2, 0, 0, 9)
    found = problems(file)
    assert sorted(found) == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert found[3] == "Amount: '1e5' is no amount. Export the file again without changing it in a spreadsheet."
    assert found[4].startswith("Currency: 'zzz'") and found[5].startswith("Created: 'yesterday'") and "fewer than the header" in found[6]
    assert (
        "Net is 1.00 USD, but Amount less Fee is 0.90 USD" in found[8] and "in line 2 already" in found[9] and "decimal places" in found[10]
    )
    assert file.problems.get(line_no=3).text == "txn_2,charge,ch_2,1e5,0.00,1.00,usd,2026-11-02 12:00:00,,"


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        ("stripe", "txn_1,charge,ch_1,1.00,0.00,1.00,usd,0001-01-01T00:00:00+14:00,,\n"),
        ("stripe", "txn_1,charge,ch_1,1.00,0.00,1.00,usd,9999-12-31T23:59:59-14:00,,\n"),
        ("paypal", paypal_row("A", "1.00", "0.00", "1.00", on="01/01/0001", zone="GMT+14:00", time="00:00:00")),
        ("paypal", paypal_row("A", "1.00", "0.00", "1.00", on="13/11/2026", zone="GMT+99:00")),
        ("paypal", paypal_row("A", "1.00", "0.00", "1.00", on="13/11/2026", time="99999999999999999999:00:00")),
        ("mpesa", "R1,01-01-0001 00:00:00,,Pay Bill,Completed,100.00,,100.00,Yes,Pay Bill Online,,,OL1,KES\n"),
    ],
    ids=["year_1", "year_9999", "paypal_year_1", "paypal_zone", "paypal_hour", "mpesa_year_1"],
)
def test_dates_at_the_ends_of_the_calendar_are_errors_of_their_line(read: Read, provider: str, text: str) -> None:
    header = {"stripe": STRIPE, "paypal": PAYPAL, "mpesa": MPESA[: MPESA.index("QK1")]}[provider]
    more = {"day_first": True} if provider == "paypal" else {}
    assert counts(read(provider, header + text, **more)) == (1, 0, 0, 0, 1)


def test_a_thousand_errors_are_kept_and_one_more_stops_the_reading(read: Read) -> None:
    bad = "txn,charge,ch,x,0.00,1.00,usd,2026-11-02 12:00:00,,\n"
    good = "".join(f"txn_{n},charge,ch_{n},1.00,0.00,1.00,usd,2026-11-02 12:00:00,,\n" for n in range(3))
    assert counts(read("stripe", STRIPE + good + bad * 1_000)) == (1_003, 3, 0, 0, 1_000)
    with pytest.raises(InvalidInput) as refused:
        read("stripe", STRIPE + bad * 1_001)
    assert refused.value.code == "file_unreadable" and "Line 1002: Amount: 'x'" in refused.value.message
    assert ProcessorFile.objects.filter(read_at=None).get().problems.count() == 1_000


def test_rows_that_are_too_long_or_too_wide_are_errors_and_the_rest_is_read(read: Read) -> None:
    good = "txn_{n},charge,ch_{n},1.00,0.00,1.00,usd,2026-11-02 12:00:00,,{more}\n"
    rows = [
        good.format(n=1, more="," * 490),  # 500 fields
        good.format(n=2, more="," * 491),
        "a," * (1 << 20) + "\n",
        good.format(n=4, more=""),
        good.format(n=5, more=""),
        ('"' + "b" * 1_000 + '\n",') * 1_100 + "\n",  # one row of 1,100 lines, each short
    ]
    file = read("stripe", STRIPE + "".join(rows))
    found = problems(file)
    assert sorted(ProviderLine.objects.values_list("line_ref", flat=True)) == ["txn_1", "txn_4", "txn_5"]
    assert "501 fields" in found[3] and "longer than" in found[4] and "longer than" in found[7]


def test_another_amount_of_a_known_movement_is_an_error_and_changes_nothing(read: Read) -> None:
    read("stripe", STRIPE + "txn_1,charge,ch_1,100.00,3.20,96.80,usd,2026-11-02 12:00:00,,\n")
    file = read("stripe", STRIPE + "txn_1,charge,ch_1,101.00,3.20,97.80,usd,2026-11-02 12:00:00,,\n")
    assert (counts(file), ProviderLine.objects.get().amount_minor) == ((1, 0, 0, 0, 1), 10_000)
    assert "another amount before" in problems(file)[2]


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "file_empty"), ("a,b,c\n1,2,3\n", "file_format"), ("\x00\x00\x00", "file_format"), ("\n" * 100, "file_format")],
    ids=["empty", "other", "nul", "blank"],
)
def test_what_is_no_such_file_is_refused_and_nothing_kept(read: Read, text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read("stripe", text)
    assert (refused.value.code, ProcessorFile.objects.count(), ProviderLine.objects.count()) == (code, 0, 0)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_encodings_and_delimiters_of_spreadsheets(read: Read, encoding: str, delimiter: str) -> None:
    text = STRIPE.replace("\n", ",Description\n") + "txn_1,charge,ch_1,100.00,3.20,96.80,usd,2026-11-02 12:00:00,,,Müller\n"
    assert counts(read("stripe", text.replace(",", delimiter).encode(encoding))) == (1, 1, 0, 0, 0)


def test_who_may_not_reconcile_reads_no_file(staff: Any) -> None:
    with pytest.raises(NotAllowed):
        services.file_import(actor=staff("support"), provider="stripe", name="a.csv", content=io.BytesIO(STRIPE.encode()))
    assert ProcessorFile.objects.count() == 0


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("1,234.56", 123_456),
        ("1.234,56", 123_456),
        ("-5", -500),
        ("(5.00)", -500),
        ("\u22125.00", -500),
        ("12,5", 1_250),
        ("0", 0),
        ("1 234.56", 123_456),
        ("5.000", 500),
    ],
)
def test_amounts_as_people_and_programs_write_them(text: str, minor: int) -> None:
    assert amount(text, "USD", "Gross") == Money(minor, "USD")


@pytest.mark.parametrize("text", ["", "x", "1e3", "NaN", "1.234.56", "1,2,3", "--5", "99999999999999999999", "1.001"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(RowRefused):
        amount(text, "USD", "Gross")
