"""Documents and statements as PDF/A-3: HTML laid out by WeasyPrint, the XML embedded by factur-x. The same document gives the same bytes.

Nothing is fetched: a page that asks for an address fails. Fonts are the system's (Liberation Sans, DejaVu Sans for what it lacks, then whatever
the machine has).
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string

from marketplace.core.errors import Unavailable
from marketplace.core.money import Money

from ..models import Document
from . import en16931, words
from .words import Words

log = logging.getLogger(__name__)
#: the colon may be written as its octal code
_PDF_INSTANT = re.compile(rb"\((D(?::|\\072))\d{14}")
_XMP_INSTANT = re.compile(rb"(<xmp:(?:CreateDate|ModifyDate|MetadataDate)>)[^<]*(</)")
#: how WeasyPrint says that no font has a character
_UNPRINTED = ".notdef glyph"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file, and whether every character of it could be printed: what no font of the machine has is an empty box."""

    body: bytes
    legible: bool


class _Boxes(logging.Handler):
    """Notes the characters that this thread could not print."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread, self.characters = threading.get_ident(), set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread and str(record.msg).startswith(_UNPRINTED) and isinstance(record.args, tuple):
            self.characters.add(str(record.args[0]))


@contextmanager
def _watching() -> Iterator[_Boxes]:
    boxes, source = _Boxes(), logging.getLogger("weasyprint")
    source.addHandler(boxes)
    try:
        yield boxes
    finally:
        source.removeHandler(boxes)


def render(template: str, context: Mapping[str, Any], *, key: str) -> Sheet:
    """A page of ours as PDF/A-3b; `key` names the content, so that the same content has the same identity.

    Raises Unavailable where the machine lacks what lays out text (Pango).
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as e:  # the package is there, the system's library is not
        message = "Files in PDF cannot be made on this machine: install libpango-1.0-0 and libpangoft2-1.0-0. The XML form is there."
        raise Unavailable("pdf_unavailable", message) from e

    class NoFetcher(URLFetcher):
        def fetch(self, url: str, *arguments: Any, **more: Any) -> Any:
            raise ValueError(f"a document asks for {url[:80]}")

    html = render_to_string(template, dict(context))
    identity = hashlib.sha256(key.encode()).hexdigest()[:32].encode()
    with _watching() as boxes:
        body = bytes(HTML(string=html, url_fetcher=NoFetcher()).write_pdf(pdf_variant="pdf/a-3b", pdf_identifier=identity) or b"")
    if boxes.characters:
        known = ", ".join(sorted(f"U+{ord(c):04X}" for c in boxes.characters)[:20])
        log.warning("no font of this machine has %s: a PDF shows empty boxes; install fonts (see docs/billing.md)", known)
    return Sheet(body, not boxes.characters)


def pdf_of(document: Document, language: str) -> Sheet:
    """The document as PDF/A-3b, with its XML inside where the norm has a form for it."""
    document, say = words.readable(document), words.of(language)
    page = render("payments/document.html", _page(document, say), key=f"{document.label}:{say.language}")
    if not en16931.has_xml(document):
        return page
    from facturx import generate_from_binary

    issuer = document.content["issuer"]["name"]
    name = f"{words.title(document, say)} {document.label}"
    about = {"author": issuer, "keywords": "Factur-X, Openlance", "title": f"{issuer}: {name}", "subject": name}
    made = generate_from_binary(
        page.body,
        en16931.xml_of(document, language),
        flavor="factur-x",
        level="en16931",
        check_xsd=False,  # xml_of has
        pdf_metadata=about,
        lang=say.language,
        afrelationship="alternative",
        xmp_compression=False,
    )
    return Sheet(_as_of(bytes(made), document.issued_at), page.legible)


def _as_of(made: bytes, at: datetime) -> bytes:
    """The file with every instant of its making replaced by that of its issue, at the same length, so that no offset moves."""

    def same_length(found: re.Match[bytes]) -> bytes:
        return b"(" + found[1] + at.strftime("%Y%m%d%H%M%S").encode()

    def xmp(found: re.Match[bytes]) -> bytes:
        length = len(found[0]) - len(found[1]) - len(found[2])
        return found[1] + at.strftime("%Y-%m-%dT%H:%M:%S+00:00").encode()[:length].ljust(length) + found[2]

    return _XMP_INSTANT.sub(xmp, _PDF_INSTANT.sub(same_length, made))


def address(said: Mapping[str, Any], say: Words) -> list[str]:
    """A party's address, line by line."""
    town = f"{said['postcode']} {said['city']}".strip()
    return [text for text in (said["street"], town, say.country(said["country"]) if said["country"] else "") if text]


def numbers(said: Mapping[str, Any], say: Words) -> list[str]:
    """A party's numbers, line by line."""
    found = [say("vat_id").format(number=said["vat_id"])] if said["vat_id"] else []
    found += [say("registration").format(number=number) for number in said.get("registrations", {}).values()]
    if said.get("company_number"):
        found.append(say("company_number").format(number=said["company_number"]))
    return found


def _page(document: Document, say: Words) -> dict[str, Any]:
    content, currency = document.content, document.currency
    tax, receipt = content["tax"], document.kind == Document.Kind.RECEIPT
    credit = document.kind == Document.Kind.CREDIT_NOTE

    def money(minor: int) -> str:
        return say.money(Money(minor, currency))

    facts = [(say("number"), document.label), (say("issued_receipt" if receipt else "issued"), say.day(document.issued_at))]
    facts.append((say("paid_on" if receipt else "supplied"), say.day(content["supplied_at"])))
    if document.contract_id is not None:
        facts.append((say("contract"), str(document.contract_id)))
    if "corrects" in content:
        of = content["corrects"]
        facts.append((say("corrected"), say("corrected_of").format(label=of["label"], date=say.day(of["issued_at"]))))
    sums = []
    if tax:
        label = say("tax_line").format(rate=say.percent(tax["rate_bps"]), country=say.country(tax["country"]))
        sums = [
            (say("subtotal"), money(document.net_minor)),
            (label if tax["category"] == "S" else say("tax_line_none"), money(document.tax_minor)),
        ]
    return {
        "language": say.language,
        "title": words.title(document, say),
        "label": document.label,
        "say": say.texts,
        "facts": facts,
        "parties": [
            (say(name), said["name"], address(said, say), numbers(said, say))
            for name, said in (("from", content["issuer"]), ("to", content["recipient"]))
        ],
        "taxed": bool(tax),
        "lines": [
            {
                "text": words.line(document, item, say),
                "postings": say("entry").format(entry=content["entry_id"], ids=", ".join(map(str, item["posting_ids"]))),
                "net": money(item["net_minor"]),
                "rate": say.percent(tax["rate_bps"]) if tax and tax["category"] == "S" else "–",
                "total": money(item["net_minor"] + item["tax_minor"]),
            }
            for item in content["lines"]
        ],
        "sums": sums,
        "total": money(document.total_minor),
        "settled": None if receipt else (say("refunded" if credit else "paid"), money(document.total_minor)),
        "due": money(0),
        "notes": words.notes(document, say),
        "foot": " · ".join([content["issuer"]["name"], *address(content["issuer"], say), *numbers(content["issuer"], say)]),
    }
