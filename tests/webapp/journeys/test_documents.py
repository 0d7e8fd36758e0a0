"""Over HTTP: two people tell their details, work is paid, and each takes the documents and statements that follow."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pypdf import PdfReader

from marketplace.contracts import services as work
from marketplace.core.tasks import drain
from marketplace.notifications.models import InboxItem
from marketplace.payments.models import Entry
from tests.webapp.contracts_cast import (  # noqa: F401 (fixtures)
    books_balance,
    contract,
    fund,
    funded,
    offer,
    planned,
    proposal,
    submitted,
)
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db


def test_from_details_to_documents(alice: Any, bob: Any, charlie: Any, staff: Any, settings: Any, proposal: Any) -> None:  # noqa: F811
    settings.SELLER = {**settings.SELLER, "vat_id": "DE136695976"}
    alices, bobs, finance = Person(alice), Person(bob), Person(staff("finance"))
    refused = bobs.put("me/tax-details", {"country": "FR", "vat_id": "FR1"})
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["vat_id"])
    assert bobs.put("me/tax-details", {"country": "DE", "legal_name": "Bob Software", "city": "Bonn"}).status_code == 200
    assert bobs.get("me/tax-details").json()["legal_name"] == "Bob Software"
    deal = work.offer_accept(actor=bob, contract_id=work.offer_make(actor=alice, proposal_id=proposal.pk).pk)
    milestone = deal.milestones.get(position=1)
    paid_in = {"provider": "sandbox", "method": {"token": "tok_visa"}, "idempotency_key": "fund-1"}
    work.milestone_fund(actor=alice, milestone_id=milestone.pk, **paid_in)
    work.milestone_start(actor=bob, milestone_id=milestone.pk)
    work.milestone_submit(actor=bob, milestone_id=milestone.pk, note="Done.")
    work.milestone_approve(actor=alice, milestone_id=milestone.pk)
    drain()

    his = {d["about"]: d for d in bobs.get("me/documents").json()["results"]}
    hers = {d["about"]: d for d in alices.get("me/documents").json()["results"]}
    assert (set(his), set(hers)) == ({"fee", "work"}, {"deposit", "work"})
    assert (his["fee"]["net"]["minor"], his["fee"]["tax"]["minor"], his["work"]["total"]["minor"]) == (4_000, 760, 40_000)
    assert his["work"]["lines"][0]["text"] == "A web shop: Design"
    assert his["work"]["id"] == hers["work"]["id"]
    story = alices.get(f"contracts/{deal.pk}/money/entries").json()["results"]
    posted = {line["posting_id"] for e in story for line in e["lines"]}
    assert set(his["fee"]["lines"][0]["posting_ids"] + his["work"]["lines"][0]["posting_ids"]) <= posted

    number = his["fee"]["id"]
    page = bobs.get(f"documents/{number}/pdf", language="de")
    assert "Rechnung" in PdfReader(io.BytesIO(page.content)).pages[0].extract_text()
    assert bobs.get(f"documents/{number}/xml").content.startswith(b"<?xml")
    assert [Person(charlie).get(f"documents/{number}{form}").status_code for form in ("", "/pdf", "/xml")] == [404] * 3
    assert bobs.get(f"documents/{number}", language="xx").status_code == 400
    assert bobs.get("me/statement.pdf", language="de").content.startswith(b"%PDF-1.7")

    release = Entry.objects.get(kind="release")
    back = f"staff/ledger-entries/{release.pk}/fee-refund"
    assert bobs.post(back, {"amount_minor": 1, "reason": "r"}).status_code == 403
    assert finance.post(back, {"amount_minor": 2_000, "reason": "Goodwill."}).status_code == 201
    assert finance.post(back, {"amount_minor": 2_001, "reason": "Goodwill."}).json()["code"] == "fee_refund_too_much"
    drain()
    note = bobs.get("me/documents", kind="credit_note").json()["results"]
    assert [(d["total"]["minor"], d["corrects_id"]) for d in note] == [(2_380, number)]
    assert InboxItem.objects.filter(user=bob, kind="entry.fee_refund").exists()


def test_documents_are_listed_in_constant_queries(alice: Any, bob: Any, submitted: Any, django_assert_max_num_queries: Any) -> None:  # noqa: F811
    work.milestone_approve(actor=alice, milestone_id=submitted.pk)
    drain()
    with django_assert_max_num_queries(2):
        assert len(Person(bob).get("me/documents").json()["results"]) == 2
