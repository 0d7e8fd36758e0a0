"""The files of documents: made once, kept with their digest, given out again as they are."""

from __future__ import annotations

import hashlib

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from marketplace.core.errors import NotFound
from marketplace.core.policies import Actor, one_of

from .. import policies
from ..models import Document, DocumentFile
from . import en16931, pdf, words


def has_xml(document: Document) -> bool:
    """Whether EN 16931 has a form for it."""
    return en16931.has_xml(document)


def documents_visible_to(actor: Actor) -> QuerySet[Document]:
    """Documents that the actor issued or received; all for staff who see all money."""
    if policies.sees_all_money(actor):
        return Document.objects.all()
    return documents_of(actor)


def documents_of(actor: Actor) -> QuerySet[Document]:
    """The actor's own, issued in their name or to them."""
    if actor.pk is None:
        return Document.objects.none()
    return Document.objects.filter(Q(recipient_id=actor.pk) | Q(issuer_id=actor.pk))


def document_for(actor: Actor, document_id: int) -> Document:
    """Raises NotFound for an absent or somebody else's document alike."""
    return one_of(documents_visible_to(actor), document_id, "document")


def file_of(document: Document, form: str, language: str) -> DocumentFile:
    """The kept file; made now when nobody asked for it before. The bytes of a document in a form and language never change once they are kept.

    A page on which a name is empty boxes, because the machine has no font for its script, is given out but not kept: it is made again when the
    fonts are there.

    Raises NotFound when the document has no XML, Unavailable when the machine cannot make PDF. The page is laid out outside any transaction.
    """
    language = words.of(language or document.language).language
    kept = DocumentFile.objects.filter(document=document, form=form, language=language)
    found = kept.first()
    if found is not None:
        return found
    if form == "xml" and not en16931.has_xml(document):
        raise NotFound("document")
    sheet = pdf.Sheet(en16931.xml_of(document, language), legible=True) if form == "xml" else pdf.pdf_of(document, language)
    body = sheet.body
    made = DocumentFile(document=document, form=form, language=language, body=body, size=len(body), sha256=hashlib.sha256(body).hexdigest())
    if not sheet.legible:
        return made
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        return kept.get()  # somebody asked at the same moment: theirs was first and stands
    return made
