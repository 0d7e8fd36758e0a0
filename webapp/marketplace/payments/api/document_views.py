"""Invoices, credit notes and receipts over HTTP, the details that go on them, and fees given back."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core import clock
from marketplace.core.api.fields import MAX_ID, MinorUnits
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import keyset_page
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money

from .. import levies, services, statements
from ..billing import files, statement, words
from ..models import Document, TaxProfile
from .statement_views import FILTERS, PAGE, FileView, wanted_by

TAG = ["documents"]
LANGUAGE = OpenApiParameter("language", str, description="Default: the document's own.", enum=list(words.LANGUAGES))


class DocumentPartySerializer(Serializer):
    """A side of a document, as it was when it was issued."""

    name = serializers.CharField()
    street = serializers.CharField(allow_blank=True)
    postcode = serializers.CharField(allow_blank=True)
    city = serializers.CharField(allow_blank=True)
    country = serializers.CharField(allow_blank=True)
    vat_id = serializers.CharField(allow_blank=True)


class DocumentLineSerializer(Serializer):
    """One line and the postings that it is made of."""

    text = serializers.CharField()
    net = Amount()
    tax = Amount()
    posting_ids = serializers.ListField(child=serializers.IntegerField())


class DocumentTaxSerializer(Serializer):
    """The tax decision: category of EN 16931 (S, AE, O), place of supply, rate."""

    category = serializers.CharField()
    country = serializers.CharField()
    rate_bps = serializers.IntegerField(help_text="Hundredths of a per cent.")
    reason = serializers.CharField(help_text="domestic, oss, registered_abroad, reverse_charge, outside_scope, not_registered or no_rate.")
    table = serializers.CharField(allow_blank=True, help_text="Version of the tax table.")


class DocumentSerializer(Serializer):
    """An invoice, credit note or receipt."""

    id = serializers.IntegerField()
    label = serializers.CharField(help_text="The number as it is printed.")  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=Document.Kind.choices)
    about = serializers.ChoiceField(choices=Document.About.choices)
    issued_at = serializers.DateTimeField()
    contract_id = serializers.IntegerField(allow_null=True)
    entry_id = serializers.IntegerField()
    corrects_id = serializers.IntegerField(allow_null=True, help_text="The invoice that a credit note is about.")
    net = Amount()
    tax = Amount()
    total = Amount()
    issuer = DocumentPartySerializer()
    recipient = DocumentPartySerializer()
    lines = DocumentLineSerializer(many=True)
    tax_decision = DocumentTaxSerializer(allow_null=True)
    notes = serializers.ListField(child=serializers.CharField())
    has_xml = serializers.BooleanField(
        help_text="Whether EN 16931 has a form for it: not for receipts, for currencies with three decimals, or for a party without a country."
    )


class DocumentsSerializer(Serializer):
    results = DocumentSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Path and query of the next page; null at the end.")


class TaxDetailsSerializer(ModelSerializer):
    """What goes on one's documents from now on. Whoever has a VAT id is a business."""

    class Meta:
        model = TaxProfile
        fields = list(levies.FIELDS)
        extra_kwargs = {name: {"required": False, "allow_blank": True} for name in levies.FIELDS}


class FeeRefundSerializer(Serializer):
    amount_minor = MinorUnits(help_text="How much of the fee; its share of the tax goes with it.")
    reason = serializers.CharField(max_length=500)


class FeeRefundedSerializer(Serializer):
    """The entry that gave the fee back."""

    entry_id = serializers.IntegerField()


def _shown(document: Document, language: str) -> dict[str, Any]:
    content, currency, say = document.content, document.currency, words.of(language or document.language)

    def money(minor: int) -> Money:
        return Money(minor, currency)

    return {
        **{
            name: getattr(document, name)
            for name in ("id", "label", "kind", "about", "issued_at", "contract_id", "entry_id", "corrects_id")
        },
        "net": money(document.net_minor),
        "tax": money(document.tax_minor),
        "total": money(document.total_minor),
        "issuer": content["issuer"],
        "recipient": content["recipient"],
        "lines": [
            {
                "text": words.line(document, line, say),
                "net": money(line["net_minor"]),
                "tax": money(line["tax_minor"]),
                "posting_ids": line["posting_ids"],
            }
            for line in content["lines"]
        ],
        "tax_decision": content["tax"] or None,
        "notes": words.notes(document, say),
        "has_xml": files.has_xml(document),
    }


def _language(request: Request) -> str:
    given = request.query_params.get("language", "")
    if given and given not in words.LANGUAGES:
        known = ", ".join(words.LANGUAGES)
        raise InvalidInput("language_unknown", "We have no documents in that language.", {"language": [f"Use one of {known}."]})
    return given


class DocumentsView(APIView):
    """The signed-in user's invoices, credit notes and receipts, those in their name and those to them, newest first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="documents_list",
        tags=TAG,
        parameters=[
            OpenApiParameter("kind", str, enum=list(Document.Kind.values), description="Only these."),
            OpenApiParameter("about", str, enum=list(Document.About.values), description="Only these."),
            OpenApiParameter("contract", int, description="Only of this contract."),
            LANGUAGE,
            *PAGE,
        ],
        responses=DocumentsSerializer,
    )
    def get(self, request: Request) -> Response:
        rows, language = files.documents_of(request.user), _language(request)
        for name, known in (("kind", Document.Kind.values), ("about", Document.About.values)):
            given = request.query_params.get(name)
            if given and given not in known:
                raise InvalidInput(f"{name}_unknown", f"There is no such {name}.", {name: [f"Use one of {', '.join(known)}."]})
            rows = rows.filter(**{name: given}) if given else rows
        contract = request.query_params.get("contract")
        if contract:
            if not (contract.isascii() and contract.isdigit() and len(contract) <= 19 and int(contract) <= MAX_ID):
                raise InvalidInput("contract_invalid", "`contract` is the id of a contract.", {"contract": ["Use a whole number."]})
            rows = rows.filter(contract_id=int(contract))
        page = keyset_page(request, rows, ("-id",))
        return Response(DocumentsSerializer({"results": [_shown(d, language) for d in page.rows], "next": page.next}).data)


class DocumentView(APIView):
    """One document, for its issuer, its recipient and finance staff."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="document_read",
        tags=TAG,
        parameters=[LANGUAGE],
        responses=DocumentSerializer,
    )
    def get(self, request: Request, document_id: int) -> Response:
        return Response(DocumentSerializer(_shown(files.document_for(request.user, document_id), _language(request))).data)


class _DocumentFileView(FileView):
    form, media_type = "", ""

    def send(self, request: Request, document_id: int) -> HttpResponse:
        document = files.document_for(request.user, document_id)
        file = files.file_of(document, self.form, _language(request))
        return _file(bytes(file.body), self.media_type, f"{document.label}.{self.form}", file.sha256)


def _file(body: bytes, media_type: str, name: str, digest: str = "") -> HttpResponse:
    answer = HttpResponse(body, content_type=media_type)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "private, no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    if digest:
        answer["ETag"] = f'"{digest}"'
    return answer


class DocumentPdfView(_DocumentFileView):
    """The document as PDF/A-3 with its EN 16931 XML inside; the same bytes whenever it is asked for. The ETag is its SHA-256."""

    form, media_type = "pdf", "application/pdf"

    @extend_schema(operation_id="document_pdf", tags=TAG, parameters=[LANGUAGE], responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: Request, document_id: int) -> HttpResponse:
        return self.send(request, document_id)


class DocumentXmlView(_DocumentFileView):
    """The document as EN 16931 XML (CII); receipts have none."""

    form, media_type = "xml", "application/xml"

    @extend_schema(operation_id="document_xml", tags=TAG, parameters=[LANGUAGE], responses={(200, "application/xml"): OpenApiTypes.BINARY})
    def get(self, request: Request, document_id: int) -> HttpResponse:
        return self.send(request, document_id)


class StatementPdfView(FileView):
    """The signed-in user's statement as PDF, oldest line first, at most 1,000 lines."""

    pace = {"GET": "statement_page"}

    @extend_schema(
        operation_id="statement_pdf", tags=TAG, parameters=[*FILTERS, LANGUAGE], responses={(200, "application/pdf"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request) -> HttpResponse:
        user_id = int(str(request.user.pk))
        language = _language(request) or str(getattr(request.user, "language", "")).split("-")[0]
        wanted, accounts = wanted_by(request), statements.accounts_of(user_id)
        body = statement.pdf_of(user_id=user_id, accounts=accounts, wanted=wanted, language=language, now=clock.now())
        return _file(body, "application/pdf", "statement.pdf")


class TaxDetailsView(IdempotentMixin, APIView):
    """Name, address and tax numbers for one's documents. What was issued stays as it is."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="tax_details_read", tags=TAG, responses=TaxDetailsSerializer)
    def get(self, request: Request) -> Response:
        return Response(TaxDetailsSerializer(levies.tax_profile_of(int(str(request.user.pk)))).data)

    @extend_schema(
        operation_id="tax_details_put",
        tags=TAG,
        request=TaxDetailsSerializer,
        responses=TaxDetailsSerializer,
    )
    def put(self, request: Request) -> Response:
        given = TaxDetailsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(TaxDetailsSerializer(services.tax_profile_put(actor=request.user, **given.validated_data)).data)


class FeeRefundView(IdempotentMixin, APIView):
    """Finance staff give back a fee that an entry took, whole or in part; the freelancer gets a credit note."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="staff_fee_refund",
        tags=TAG,
        request=FeeRefundSerializer,
        responses={201: FeeRefundedSerializer},
    )
    def post(self, request: Request, entry_id: int) -> Response:
        given = FeeRefundSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        entry = services.fee_refund(actor=request.user, entry_id=entry_id, **given.validated_data)
        return Response(FeeRefundedSerializer({"entry_id": entry.pk}).data, status=201)
