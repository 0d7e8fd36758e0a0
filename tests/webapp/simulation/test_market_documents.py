"""The documents of a whole market: one of each kind and case by the norm's Schematron, all of them by its schema and beside the ledger."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from django.db.models import Max, Min
from lxml import etree

from marketplace.core import clock
from marketplace.payments import services
from marketplace.payments.billing import en16931
from marketplace.payments.models import Document, Entry, Posting, Series, TaxProfile
from tests.webapp.payments.norm import failed, judging, schema

pytestmark = pytest.mark.django_db
#: every third freelancer and client gives tax details in turn, so that the market has each case of VAT
DETAILS = (
    {"country": "DE", "vat_id": "DE811907980", "city": "Köln"},
    {"country": "FR", "vat_id": "FR40303265045", "legal_name": "Société & fils"},
    {"country": "NO", "vat_id": "923609016MVA"},
    {"country": "US", "vat_id": "121234567", "legal_name": "山田"},
    {"country": "IN"},
)


def test_every_document_of_the_market_keeps_the_schema_and_agrees_with_the_ledger(simulated: Any) -> None:
    parties = sorted({p for pair in Entry.objects.filter(kind="release").values_list(
        "postings__debit_account__user_id", "postings__credit_account__user_id").distinct() for p in pair if p is not None})  # fmt: skip
    profiles = [TaxProfile(user_id=u, changed_at=clock.now(), **DETAILS[n % len(DETAILS)]) for n, u in enumerate(parties[::3])]
    TaxProfile.objects.bulk_create(profiles, ignore_conflicts=True)
    for entry_id in services.documents_missing(limit=10**6):
        services.documents_issue(entry_id=entry_id)

    assert services.documents_missing() == []
    amounts = dict(Posting.objects.values_list("pk", "amount"))
    documents = list(Document.objects.order_by("pk"))
    assert len(documents) > 1_000
    kept, cases = schema(), dict[tuple[str, ...], bytes]()
    without: dict[str, int] = defaultdict(int)
    for document in documents:
        named = [i for line in document.content["lines"] for i in line["posting_ids"]]
        assert sum(amounts[i] for i in named) == document.total_minor == document.net_minor + document.tax_minor, document.label
        if not en16931.has_xml(document):
            without[document.kind] += 1
            continue
        xml = en16931.xml_of(document, document.language)
        kept.assertValid(etree.fromstring(xml))
        cases.setdefault((document.kind, document.about, document.tax_category, document.content["tax"]["reason"]), xml)
    assert without["receipt"] > 0 and without["invoice"] == len([d for d in documents if d.kind == "invoice" and d.currency == "KWD"])
    assert {case[1:] for case in cases} >= {
        *(("fee", "O", "not_registered"), ("work", "O", "not_registered"), ("work", "S", "domestic"), ("work", "AE", "reverse_charge")),
        *(("work", "O", "outside_scope"), ("work", "O", "no_rate")),
    }
    with judging() as judge:
        assert {case: broken for case, xml in cases.items() if (broken := failed(judge, xml))} == {}

    for series in Series.objects.all():
        theirs = Document.objects.filter(issuer_key=series.issuer_key, prefix=series.prefix)
        ends = theirs.aggregate(first=Min("number"), last=Max("number"))
        assert (ends["first"], ends["last"], theirs.count()) == (1, series.last, series.last)
