"""Invoices, credit notes and receipts: what they hold, their numbers, their files, and the norm that judges them."""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.template.loader import render_to_string
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pypdf import PdfReader
from weasyprint import HTML

from marketplace.accounts.models import User
from marketplace.core import clock
from marketplace.core.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound
from marketplace.core.models import Delivery
from marketplace.core.money import Money
from marketplace.core.tasks import deliver_one
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import levies, services, statements
from marketplace.payments.billing import en16931, files, pdf, statement, words
from marketplace.payments.models import Document, DocumentFile, Entry, FeeSchedule, FxRate, Posting, Series, TaxProfile
from marketplace.payments.tasks import issue_documents
from tests.webapp.payments.norm import Judge, failed, judging
from tests.webapp.people import Person

REGISTERED = {"vat_id": "DE136695976", "registrations": {"GB": "GB980780684"}}
UNREGISTERED: dict[str, Any] = {"vat_id": "", "registrations": {}}


@pytest.fixture(scope="module")
def schematron() -> Iterator[Judge]:
    with judging() as judge:
        yield judge


def sell(settings: Any, **more: Any) -> None:
    settings.SELLER = {**settings.SELLER, **more}


@pytest.fixture
def paid(alice: Any, bob: Any, fund: Any, release: Any) -> Any:
    """paid(gross, milestone=7) → the release's entry, bob paid by alice."""

    def pay(gross: Money, milestone: int = 7, into: str | None = None) -> Entry:
        fund(alice, milestone, gross)
        return release(bob, milestone, gross, into or gross.currency)

    return pay


def told(entry: Entry) -> dict[str, Document]:
    services.documents_issue(entry_id=entry.pk)
    return {d.about: d for d in Document.objects.filter(entry=entry)}


@pytest.mark.django_db
def test_a_release_makes_the_platforms_invoice_and_the_freelancers(alice: Any, bob: Any, paid: Any, settings: Any) -> None:
    sell(settings, **REGISTERED)
    levies.tax_profile_put(actor=bob, country="DE", legal_name="Bob Software", street="Weg 1", city="Bonn", postcode="53111")

    documents = told(paid(Money(10_000, "EUR")))

    fee, work = documents["fee"], documents["work"]
    assert (fee.label, fee.issuer, fee.recipient, fee.net_minor, fee.tax_minor) == ("INV-000001", None, bob, 1_000, 190)
    assert (work.label, work.issuer, work.recipient, work.total_minor) == (f"F{bob.pk}-INV-000001", bob, alice, 10_000)
    legs = {p.leg: p.pk for p in Posting.objects.filter(entry=fee.entry)}
    assert fee.content["lines"][0]["posting_ids"] == [legs["fee"], legs["tax"]]
    assert sorted(work.content["lines"][0]["posting_ids"]) == sorted(legs.values())
    assert (fee.tax_category, fee.tax_rate_bps, work.tax_category) == ("S", 1900, "O")
    assert fee.content["recipient"]["name"] == "Bob Software"
    assert services.documents_issue(entry_id=fee.entry_id) == []


#: what the platform is, what bob is, and the category of its fee
FEES = {
    "domestic": (REGISTERED, {"country": "DE"}, "S"),
    "oss": (REGISTERED, {"country": "FR"}, "S"),
    "reverse_charge": (REGISTERED, {"country": "FR", "vat_id": "FR40303265045"}, "AE"),
    "registered_abroad": (REGISTERED, {"country": "GB"}, "S"),
    "outside": (REGISTERED, {"country": "KE"}, "O"),
    "outside_business": (REGISTERED, {"country": "IN", "vat_id": "29AABCU9603R1ZM"}, "O"),
    "not_registered": (UNREGISTERED, {"country": "DE"}, "O"),
    "oss_from_abroad": ({"country": "US", "vat_id": "", "registrations": {"EU": "EU372000041"}}, {"country": "IT"}, "S"),
    "oss_from_abroad_business": (
        {"country": "US", "vat_id": "", "registrations": {"EU": "EU372000041"}},
        {"country": "IT", "vat_id": "IT00743110157"},
        "AE",
    ),
    "registered_abroad_business": (REGISTERED, {"country": "GB", "vat_id": "GB980780684"}, "AE"),
    "withheld": ({**REGISTERED, "withholds": ["US"]}, {"country": "US"}, "O"),
    "withheld_with_number": ({**REGISTERED, "withholds": ["IN"]}, {"country": "IN", "tax_number": "ABCDE1234F"}, "O"),
}
#: bob, alice, and the category of bob's work
WORKS = {
    "not_registered": ({"country": "DE"}, {}, "O"),
    "domestic": ({"country": "DE", "vat_id": "DE811907980"}, {"country": "DE"}, "S"),
    "reverse_charge": ({"country": "FR", "vat_id": "FR40303265045"}, {"country": "DE", "vat_id": "DE811907980"}, "AE"),
    "to_a_consumer": ({"country": "FR", "vat_id": "FR40303265045"}, {"country": "DE"}, "S"),
    "outside": ({"country": "FR", "vat_id": "FR40303265045"}, {"country": "US", "vat_id": "121234567"}, "O"),
    "domestic_in_greece": ({"country": "GR", "vat_id": "EL094259216"}, {"country": "GR"}, "S"),
    # numbers without a country's letters
    "domestic_in_norway": ({"country": "NO", "vat_id": "923 609 016 MVA"}, {"country": "NO", "vat_id": "923 609 016"}, "S"),
    "domestic_in_india": ({"country": "IN", "vat_id": "29AABCU9603R1ZM"}, {"country": "IN"}, "S"),
    "to_a_consumer_from_kenya": ({"country": "KE", "vat_id": "P051234567X"}, {"country": "DE"}, "S"),
    # countries of which the table has no rate
    "no_rate": ({"country": "US", "vat_id": "121234567"}, {"country": "US"}, "O"),
    "no_rate_to_a_consumer": ({"country": "BR", "vat_id": "12345678000195"}, {"country": "FR"}, "O"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", FEES)
@pytest.mark.parametrize("language", ["en", "de"])
def test_each_fee_invoice_and_its_credit_note_keep_the_norm(
    bob: Any, staff: Any, paid: Any, settings: Any, schematron: Any, case: str, language: str
) -> None:
    said, details, category = FEES[case]
    sell(settings, **said)
    levies.tax_profile_put(actor=bob, **details)
    entry = paid(Money(12_345, "USD"))
    fee = told(entry)["fee"]
    given = services.fee_refund(actor=staff("finance"), entry_id=entry.pk, amount_minor=600, reason="Goodwill <&>")
    note = told(given)["fee"]

    assert (fee.kind, note.kind, note.corrects) == ("invoice", "credit_note", fee)
    for document in (fee, note):
        assert document.tax_category == category
        assert failed(schematron, en16931.xml_of(document, language)) == []


@pytest.fixture
def from_both() -> str:
    """A schedule by which clients bear 5 %."""
    return FeeSchedule.objects.create(
        version="from-both", freelancer_fee_bps=1_000, client_fee_bps=500, client_minimum={}, active_from="2026-01-01T00:00:00Z"
    ).version


@pytest.mark.django_db
@pytest.mark.parametrize("case", FEES)
@pytest.mark.parametrize("language", ["en", "de"])
def test_each_invoice_of_a_clients_fee_and_its_credit_note_keep_the_norm(
    alice: Any, pay: Any, from_both: str, settings: Any, schematron: Any, case: str, language: str
) -> None:
    """Nothing is withheld of it, and the whole fee taken back in two parts is the invoice again."""
    said, details, category = FEES[case]
    sell(settings, **said)
    levies.tax_profile_put(actor=alice, **details)
    pay(alice, Money(15_000, "USD"))
    common = {"contract_id": 1, "milestone_id": 7, "payer_id": alice.pk, "actor_id": alice.pk, "rule": "test", "fee_schedule": from_both}
    run_in_transaction(lambda: services.hold(amount=Money(12_345, "USD"), **common))
    for part, minor in (("some", 2_345), ("", 10_000)):
        back = {"amount": Money(minor, "USD"), "reason": "Goodwill <&>", "part": part}
        run_in_transaction(lambda back=back: services.refund(**common, **back))
    fee = told(Entry.objects.get(kind="client_fee"))["fee"]
    notes = [told(entry)["fee"] for entry in Entry.objects.filter(kind="client_fee_refund").order_by("id")]

    assert (fee.kind, fee.issuer, fee.recipient, fee.net_minor) == ("invoice", None, alice, 617)
    assert [(n.kind, n.corrects, n.recipient, n.net_minor) for n in notes] == [("credit_note", fee, alice, n) for n in (117, 500)]
    assert sum(n.tax_minor for n in notes) == fee.tax_minor
    assert (fee.tax_minor > 0) == (category == "S")
    for document in (fee, *notes):
        assert document.tax_category == category
        assert failed(schematron, en16931.xml_of(document, language)) == []


@pytest.mark.django_db
@pytest.mark.parametrize("case", WORKS)
def test_each_invoice_of_work_keeps_the_norm(
    alice: Any, bob: Any, pay: Any, fund: Any, paid: Any, settings: Any, schematron: Any, proven: Any, case: str
) -> None:
    """Of a release, of a part and the settlement that follows it, and of a bonus, with tax on the fee and what is withheld from the same money."""
    sell(settings, **REGISTERED, withholds=["US", "IN"])
    his, hers, category = WORKS[case]
    levies.tax_profile_put(actor=bob, **his)
    levies.tax_profile_put(actor=alice, **hers)
    parties = {"contract_id": 1, "payer_id": alice.pk, "payee_id": bob.pk, "payee_currency": "EUR", "fee_schedule": "standard-1"}
    said = {"actor_id": None, "rule": "test", "reason": "r"}
    fund(alice, 8, Money(30_001, "USD"))
    pay(alice, Money(777, "EUR"))
    without_payer = {k: v for k, v in parties.items() if k != "payer_id"}
    entries = [
        paid(Money(9_999, "EUR")),
        run_in_transaction(lambda: services.release(milestone_id=8, gross=Money(10_000, "USD"), part=2, **without_payer, **said)),
        run_in_transaction(
            lambda: services.settle(milestone_id=8, to_payee=Money(6_667, "USD"), to_payer=Money(13_334, "USD"), **parties, **said)
        ),
        run_in_transaction(lambda: services.bonus(bonus_id=3, gross=Money(777, "EUR"), **parties, **said)),
    ]

    for entry, gross in zip(entries, (9_999, 10_000, 6_667, 777), strict=True):
        documents = told(entry)
        amounts = {p.pk: p.amount for p in entry.postings.all()}
        assert (documents["work"].tax_category, documents["work"].total_minor) == (category, gross)
        for document in documents.values():
            assert sum(amounts[i] for line in document.content["lines"] for i in line["posting_ids"]) == document.total_minor
            assert failed(schematron, en16931.xml_of(document, "en")) == []
    assert services.documents_missing() == [e.pk for e in Entry.objects.filter(kind="deposit")]
    proven()


@pytest.mark.django_db
def test_parties_without_a_country_have_a_page_and_no_xml(alice: Any, bob: Any, paid: Any, schematron: Any) -> None:
    """The norm wants the country of both."""
    User.objects.filter(pk__in=[alice.pk, bob.pk]).update(country="")
    documents = told(paid(Money(9_999, "EUR")))
    assert [en16931.has_xml(d) for d in documents.values()] == [False, False]
    assert files.file_of(documents["work"], "pdf", "de").size > 1_000


@pytest.mark.django_db
@pytest.mark.parametrize("gross", [Money(100_001, "JPY"), Money(11, "EUR"), Money(5, "EUR")])
def test_odd_amounts_keep_the_norm(bob: Any, paid: Any, settings: Any, schematron: Any, gross: Money) -> None:
    sell(settings, **REGISTERED)
    levies.tax_profile_put(actor=bob, country="HU")
    for document in told(paid(gross)).values():
        assert failed(schematron, en16931.xml_of(document, "de")) == []


@pytest.mark.django_db
def test_the_judge_does_find_faults(bob: Any, paid: Any, schematron: Any) -> None:
    xml = en16931.xml_of(told(paid(Money(10_000, "EUR")))["fee"], "en")
    rules = failed(schematron, xml.replace(b">10.00</ram:GrandTotalAmount>", b">10.01</ram:GrandTotalAmount>"))
    assert any("BR-CO-15" in rule for rule in rules)


@pytest.mark.django_db
def test_three_decimals_have_a_page_but_no_xml(alice: Any, bob: Any, paid: Any) -> None:
    fee = told(paid(Money(12_345, "KWD")))["fee"]
    assert not en16931.has_xml(fee)
    with pytest.raises(NotFound):
        files.file_of(fee, "xml", "en")
    assert files.file_of(fee, "pdf", "en").size > 1_000


@pytest.mark.django_db
def test_a_file_is_made_once_and_given_out_again_as_it_was(alice: Any, bob: Any, paid: Any, settings: Any) -> None:
    settings.DEBUG = False
    fee = told(paid(Money(10_000, "EUR")))["fee"]
    address = f"/api/v1/documents/{fee.pk}/pdf"
    first = Person(bob).client.get(address, HTTP_ACCEPT="application/pdf")
    levies.tax_profile_put(actor=bob, country="FR", legal_name="Somebody Else")
    second = Person(bob).client.get(address)

    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert first["ETag"] == f'"{hashlib.sha256(first.content).hexdigest()}"'
    assert DocumentFile.objects.count() == 1
    # and also when it is made anew from the same document
    now = pdf.pdf_of(Document.objects.get(pk=fee.pk), "en")
    with time_machine.travel(datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)):
        assert pdf.pdf_of(fee, "en") == now
    assert en16931.xml_of(fee, "en") == en16931.xml_of(Document.objects.get(pk=fee.pk), "en")
    assert Person(alice).get(f"documents/{fee.pk}/pdf").status_code == 404


@pytest.mark.django_db
def test_the_page_holds_the_xml_and_says_what_it_is(bob: Any, paid: Any) -> None:
    """What PDF/A-3 and Factur-X ask for, as far as it can be seen without a validator."""
    fee = told(paid(Money(10_000, "EUR")))["fee"]
    body = bytes(files.file_of(fee, "pdf", "de").body)
    reader = PdfReader(io.BytesIO(body))
    text = " ".join(page.extract_text() for page in reader.pages)

    assert reader.attachments["factur-x.xml"] == [en16931.xml_of(fee, "de")]
    assert b"<pdfaid:part>3</pdfaid:part>" in body and b"<pdfaid:conformance>B</pdfaid:conformance>" in body
    root = reader.trailer["/Root"]
    (intent,), (attached,) = root["/OutputIntents"], root["/AF"]
    assert intent.get_object()["/S"] == "/GTS_PDFA1"
    assert intent.get_object()["/DestOutputProfile"].get_object().get_data()[36:40] == b"acsp"  # an ICC profile
    embedded = attached.get_object()["/EF"]["/F"].get_object()
    assert (attached.get_object()["/AFRelationship"], attached.get_object()["/UF"]) == ("/Alternative", "factur-x.xml")
    assert embedded["/Subtype"] == "/text/xml" and embedded["/Params"]["/Size"] == len(en16931.xml_of(fee, "de"))
    said = root["/Metadata"].get_object().get_data()
    for name, value in (("DocumentType", "INVOICE"), ("DocumentFileName", "factur-x.xml"), ("ConformanceLevel", "EN 16931")):
        assert f"<fx:{name}>{value}</fx:{name}>".encode() in said
    assert b"urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#" in said and not reader.is_encrypted and "/ID" in reader.trailer
    assert "Rechnung" in text and fee.label in text and "10,00" in text
    assert str(fee.content["lines"][0]["posting_ids"][0]) in text
    assert b"2026" in body and not [f for page in reader.pages for f in _fonts(page) if "/FontFile2" not in f and "/FontFile3" not in f]


def texts_beyond(html: str) -> list[str]:
    """What is printed left or right of the space between the margins, on any page."""
    found = []
    for page in HTML(string=html).render().pages:
        box = page._page_box
        left, right = box.content_box_x(), box.content_box_x() + box.width
        for printed in box.descendants():
            if type(printed).__name__ == "TextBox" and printed.text.strip():
                ends = printed.position_x, printed.position_x + printed.width
                found += [printed.text] if ends[0] < left - 1 or ends[1] > right + 1 else []
    return found


LONG = {"street": "Donaudampfschifffahrtsgesellschaftsstraße " * 3, "city": "Llanfairpwllgwyngyllgogerychwyrndrobwll", "postcode": "1" * 20}


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("long", [False, True])
def test_nothing_leaves_the_page(alice: Any, bob: Any, staff: Any, fund: Any, paid: Any, settings: Any, language: str, long: bool) -> None:
    sell(settings, **REGISTERED)
    for person, country in ((alice, "FR"), (bob, "DE")):
        levies.tax_profile_put(actor=person, country=country, legal_name="Q" * 200 if long else "", **(LONG if long else {}))
    entry = paid(Money(99_999_999_999 if long else 10_000, "IDR"))
    given = services.fee_refund(actor=staff("finance"), entry_id=entry.pk, amount_minor=600, reason="R" * 500)
    services.documents_of_subject(subject_type="payment", subject_id=Entry.objects.get(kind="deposit").subject_id or 0)
    made = [*told(entry).values(), *told(given).values(), Document.objects.get(about="deposit")]
    assert {(d.kind, d.about) for d in made} == {
        *(("invoice", "fee"), ("invoice", "work"), ("credit_note", "fee"), ("receipt", "deposit")),
    }
    for document in made:
        page = render_to_string("payments/document.html", pdf._page(document, words.of(language)))
        assert document.label in page
        assert texts_beyond(page) == [], document.kind
    for person in (alice, bob):
        told_all = statement._page(person.pk, statements.accounts_of(person.pk), statements.Wanted(), language, clock.now())
        assert texts_beyond(render_to_string("payments/statement.html", told_all)) == []


def test_the_eye_for_the_margins_sees_what_leaves_them() -> None:
    """Control."""
    assert texts_beyond("<p style='position:relative;left:180mm'>out</p><p>in</p>") == ["out"]


@pytest.mark.django_db
def test_a_page_with_boxes_for_letters_is_not_kept(bob: Any, paid: Any, caplog: Any) -> None:
    """No font has U+F0001, as a machine without fonts for it has no 山: when the fonts are there the page is made again."""
    levies.tax_profile_put(actor=bob, country="DE", legal_name="Bob \U000f0001")
    documents = told(paid(Money(10_000, "EUR")))
    with caplog.at_level("WARNING", logger="marketplace.payments.billing.pdf"):
        first, second = (files.file_of(documents["fee"], "pdf", "en") for _ in range(2))
    assert DocumentFile.objects.count() == 0 and "U+F0001" in caplog.text
    assert (first.sha256, first.size) == (second.sha256, len(first.body)) and first.size > 1_000
    assert not any(type(h).__name__ == "_Boxes" for h in logging.getLogger("weasyprint").handlers)

    documents["fee"].content["recipient"] = documents["fee"].content["issuer"]  # as if the machine had the font now
    assert files.file_of(documents["fee"], "pdf", "en").pk is not None
    assert DocumentFile.objects.count() == 1


def _fonts(page: Any) -> list[Any]:
    fonts = page["/Resources"]["/Font"].values()
    return [f.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object() for f in fonts]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "王小明", "Ω≈ç√∫", "مرحبا", "A" * 200])
def test_any_name_is_printed_or_left_but_never_breaks_the_page(bob: Any, paid: Any, schematron: Any, name: str) -> None:
    levies.tax_profile_put(actor=bob, country="DE", legal_name=name)
    fee = told(paid(Money(10_000, "EUR")))["fee"]
    assert files.file_of(fee, "pdf", "en").size > 1_000
    assert failed(schematron, en16931.xml_of(fee, "en")) == []


@pytest.mark.django_db
def test_what_xml_cannot_hold_is_refused_and_what_was_frozen_with_it_is_still_given_out(bob: Any, paid: Any, schematron: Any) -> None:
    for odd in ("\ufffe", "\uffff", "\x0b"):
        with pytest.raises(InvalidInput) as refused:
            levies.tax_profile_put(actor=bob, country="DE", legal_name=f"Bo{odd}b")
        assert list(refused.value.fields) == ["legal_name"]
    TaxProfile.objects.create(user=bob, country="DE", legal_name="Bo\uffffb\ufffe", city="\x0b", changed_at=clock.now())
    fee = told(paid(Money(10_000, "EUR")))["fee"]

    xml = bytes(files.file_of(fee, "xml", "en").body)
    assert "Bo\ufffdb\ufffd" in xml.decode() and failed(schematron, xml) == []
    reader = PdfReader(io.BytesIO(bytes(files.file_of(fee, "pdf", "en").body)))
    assert reader.attachments["factur-x.xml"] == [xml]


@pytest.mark.django_db
def test_deposits_have_receipts(alice: Any, pay: Any, paid: Any) -> None:
    payment = pay(alice, Money(5_000, "EUR"))
    assert services.documents_of_subject(subject_type="payment", subject_id=payment.pk) == 1
    receipt = Document.objects.get(about="deposit")
    assert (receipt.label, receipt.recipient, receipt.total_minor, receipt.kind) == ("RCP-000001", alice, 5_000, "receipt")
    shown = Person(alice).get("me/documents").json()["results"]
    assert [(d["label"], d["has_xml"], d["tax_decision"]) for d in shown] == [("RCP-000001", False, None)]
    assert Person(alice).get(f"documents/{receipt.pk}/xml").status_code == 404
    assert Person(alice).get(f"documents/{receipt.pk}/pdf", language="de").status_code == 200


@pytest.mark.django_db
def test_what_a_lost_event_left_out_is_found(alice: Any, paid: Any) -> None:
    entry = paid(Money(10_000, "EUR"))
    assert issue_documents() == 2  # the deposit's and the release's
    assert {d.about for d in Document.objects.all()} == {"deposit", "fee", "work"}
    assert services.documents_missing() == []
    assert entry.kind == "release"


@pytest.mark.django_db
def test_a_fee_goes_back_in_parts_to_the_last_unit_of_its_tax(bob: Any, staff: Any, paid: Any, settings: Any, proven: Any) -> None:
    sell(settings, **REGISTERED)
    levies.tax_profile_put(actor=bob, country="DE")
    entry = paid(Money(1_010, "EUR"))
    finance = staff("finance")
    parts = [services.fee_refund(actor=finance, entry_id=entry.pk, amount_minor=n, reason="r") for n in (33, 1, 67)]
    took = {p.leg: p.amount for p in entry.postings.all()}
    back = [{p.leg: p.amount for p in e.postings.all()} for e in parts]

    assert [sum(legs.get(leg, 0) for legs in back) for leg in ("fee", "tax")] == [took["fee"], took["tax"]] == [101, 19]
    with pytest.raises(Conflict):
        services.fee_refund(actor=finance, entry_id=entry.pk, amount_minor=1, reason="r")
    with pytest.raises(NotAllowed):
        services.fee_refund(actor=bob, entry_id=entry.pk, amount_minor=1, reason="r")
    notes = [told(e)["fee"] for e in parts]
    assert [n.label for n in notes] == ["CRN-000001", "CRN-000002", "CRN-000003"]
    assert sum(n.total_minor for n in notes) == told(entry)["fee"].total_minor
    proven()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("his", "currency", "own"),
    [
        ({"country": "DE", "vat_id": "DE811907980"}, "USD", "EUR"),
        ({"country": "HU", "vat_id": "HU12892312"}, "EUR", "HUF"),
        ({"country": "DE", "vat_id": "DE811907980"}, "EUR", None),
        ({"country": "FR"}, "USD", None),
    ],
)
def test_a_freelancers_tax_is_stated_in_the_currency_of_its_country(
    alice: Any, bob: Any, paid: Any, his: dict[str, str], currency: str, own: str | None
) -> None:
    levies.tax_profile_put(actor=bob, **his)
    work = told(paid(Money(100_000, currency)))["work"]
    assert work.content["seller_currency"].get("currency") == own
    if own is not None:
        assert work.content["seller_currency"]["minor"] > 0
        assert f'currencyID="{own}"'.encode() in en16931.xml_of(work, "en")


@pytest.mark.django_db
def test_tax_owed_in_another_country_is_stated_in_its_currency(bob: Any, paid: Any, settings: Any) -> None:
    sell(settings, **REGISTERED)
    levies.tax_profile_put(actor=bob, country="GB")
    assert told(paid(Money(100_000, "USD")))["fee"].content["seller_currency"]["currency"] == "GBP"


@pytest.mark.django_db
def test_a_credit_note_takes_back_the_tax_at_the_rate_of_its_invoice(bob: Any, staff: Any, paid: Any, settings: Any) -> None:
    sell(settings, **REGISTERED)
    levies.tax_profile_put(actor=bob, country="DE")
    entry, finance = paid(Money(100_030, "USD")), staff("finance")
    invoice = told(entry)["fee"]
    FxRate.objects.create(
        base="USD", quote="EUR", rate="0.5", source="admin", spread_bps=0, as_of=clock.now().date(), fetched_at=clock.now()
    )
    parts = [services.fee_refund(actor=finance, entry_id=entry.pk, amount_minor=n, reason="r") for n in (1, 3_333, 6_669)]
    own = [told(part)["fee"].content["seller_currency"] for part in reversed(parts)]

    assert sum(o.get("minor", 0) for o in own) == invoice.content["seller_currency"]["minor"] > 0
    assert {o["rate"] for o in own if o} == {invoice.content["seller_currency"]["rate"]}


@pytest.mark.django_db
def test_a_refund_that_came_back_has_a_receipt_beside_that_of_its_leaving(alice: Any, pay: Any, proven: Any) -> None:
    payment = pay(alice, Money(5_000, "EUR"))
    refund = services.payment_refund_request(actor=alice, payment_id=payment.pk, amount=Money(5_000, "EUR"), idempotency_key="r")
    refund = services.payment_refund_refresh(refund_id=refund.pk)
    call_command("sandbox_event", refund.provider_ref, "fail")
    for delivery in Delivery.objects.filter(handler="payments.documents").order_by("id"):
        assert deliver_one(delivery.pk)

    receipts = Document.objects.filter(kind="receipt").order_by("number")
    assert [(d.about, d.content["lines"][0]["what"], d.total_minor) for d in receipts] == [
        *(("deposit", "deposit", 5_000), ("card_refund", "card_refund", 5_000), ("deposit", "came_back", 5_000)),
    ]
    assert [d.content["processor"] for d in receipts] == ["sandbox"] * 3
    assert words.line(receipts[2], receipts[2].content["lines"][0], words.of("de")) == "Erstattung, die von der Bank zurückkam"
    assert services.documents_missing() == []
    proven()


@pytest.mark.django_db
def test_the_tax_is_stated_in_the_sellers_own_currency(bob: Any, paid: Any, settings: Any) -> None:
    sell(settings, **REGISTERED)
    levies.tax_profile_put(actor=bob, country="DE")
    fee = told(paid(Money(100_000, "USD")))["fee"]
    own = fee.content["seller_currency"]
    assert own["currency"] == "EUR" and own["source"] and 0 < own["minor"] < fee.tax_minor * 2
    assert b'currencyID="EUR"' in en16931.xml_of(fee, "en")


EXAMPLES = itertools.count(100)


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    grosses=st.lists(st.tuples(st.integers(1, 99_999), st.sampled_from(["EUR", "USD", "JPY", "KWD"])), min_size=1, max_size=5),
    country=st.sampled_from(["DE", "FR", "HU", "KE"]),
    vat=st.booleans(),
)
@pytest.mark.django_db
def test_documents_sum_to_the_ledger(
    alice: Any, bob: Any, paid: Any, settings: Any, proven: Any, grosses: list[tuple[int, str]], country: str, vat: bool
) -> None:
    sell(settings, **(REGISTERED if vat else UNREGISTERED))
    settings.VELOCITY_MODES = dict.fromkeys(settings.VELOCITY_MODES, "off")  # alice pays more often than anybody may
    levies.tax_profile_put(actor=bob, country=country)
    for minor, currency in grosses:
        entry = paid(Money(minor, currency), next(EXAMPLES), "USD")
        documents = told(entry)
        amounts = {p.pk: p.amount for p in entry.postings.all()}
        for document in documents.values():
            named = [i for line in document.content["lines"] for i in line["posting_ids"]]
            assert sum(amounts[i] for i in named) == document.total_minor == document.net_minor + document.tax_minor
        if entry.postings.filter(leg__in=("net", "fx_in")).exists():
            assert documents["work"].total_minor == minor
        else:  # less than a cent, which reached nobody
            assert documents == {}
        assert entry.pk not in services.documents_missing()
    proven()


@pytest.mark.django_db
def test_pay_that_shrank_to_nothing_is_not_looked_for_again_and_again(paid: Any) -> None:
    """A yen is less than a cent."""
    entry = paid(Money(1, "JPY"), into="USD")
    assert dict(entry.postings.values_list("leg", "amount")) == {"fx_out": 1}
    assert told(entry) == {}
    assert entry.pk not in services.documents_missing()


class _Broken(DomainError):
    pass


def issue_and_break(entry_id: int) -> None:
    services.documents_issue(entry_id=entry_id)
    raise _Broken("broken", "Broken on purpose.")


@pytest.mark.usefixtures("committed_db")
def test_numbers_have_no_gap_though_many_issue_at_once_and_some_fail(alice: Any, pay: Any) -> None:
    entries = []
    for n in range(12):
        payment = pay(alice, Money(1_000 + n, "EUR"))
        entries.append(Entry.objects.get(subject_type="payment", subject_id=payment.pk).pk)
    assert Document.objects.count() == 0
    barrier, errors = threading.Barrier(6), []

    def work(i: int) -> None:
        try:
            barrier.wait()
            for entry_id in entries:  # every thread tries every entry; a third of the tries break after the number was taken
                try:
                    run_in_transaction(lambda e=entry_id: issue_and_break(e) if (i + e) % 3 == 0 else services.documents_issue(entry_id=e))
                except _Broken:
                    continue
        except Exception as e:
            errors.append(e)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()

    assert errors == []
    numbers = list(Document.objects.filter(prefix="RCP").order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, 13))
    assert Series.objects.get(prefix="RCP").last == 12
    assert len(set(Document.objects.values_list("entry_id", flat=True))) == 12
    assert services.ledger_check(invariants=[6]).violations == []


@pytest.mark.django_db
def test_a_fee_schedule_with_tax_of_its_own_is_told_as_tax(alice: Any, bob: Any, fund: Any, release: Any, settings: Any) -> None:
    FeeSchedule.objects.create(version="taxed", freelancer_fee_bps=1_000, tax_bps=1_900, active_from="2026-01-01T00:00:00Z")
    fund(alice, 7, Money(10_000, "EUR"))
    fee = told(release(bob, 7, Money(10_000, "EUR"), "EUR", fee_schedule="taxed"))["fee"]
    assert (fee.net_minor, fee.tax_minor, fee.tax_category, fee.tax_rate_bps) == (1_000, 190, "S", 1_900)
