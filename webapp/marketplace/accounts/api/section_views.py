"""The sections of one's own freelancer profile, how complete it is, and staff's check of certificates and companies."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts import sections, selectors
from marketplace.accounts.authentication import actor_of
from marketplace.accounts.models import ProfileEntry
from marketplace.accounts.states import CERTIFICATION
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import PAGE_PARAMETERS, keyset_page
from marketplace.core.checks import Checks

from . import section_shapes as shapes
from .serializers import CompanyCheck, company_check

TAG = ["profiles"]
EXAMPLES: dict[str, dict[str, Any]] = {
    "certifications": {"name": "Certified Kubernetes Administrator", "issuer": "The Linux Foundation", "issued_on": "2025-03-01", "expires_on": "2027-03-01", "credential_url": "https://example.org/badges/1"},
    "portfolio": {"title": "A booking system", "description": "Rooms, prices, payments.", "finished_on": "2025-06-30", "links": ["https://example.org/booking"]},
    "experience": {"role": "Data engineer", "employer": "Acme", "description": "Moved data every night.", "started_on": "2021-01-01", "ended_on": None},
    "education": {"degree": "BSc", "school": "University of Nairobi", "field": "Computer science", "started_on": "2015-09-01", "ended_on": "2019-06-30"},
}  # fmt: skip


def _checked(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


def _own(entry: ProfileEntry) -> dict[str, Any]:
    return shapes.entries_told([entry], "owner")[entry.pk]


def views_of(section: str, into: type[serializers.Serializer], out: type[serializers.Serializer]) -> tuple[Any, Any, Any]:
    """The three views of a section: its list, one entry, and the order. Each section has routes and shapes of its own in the document."""
    entry_name = {"certifications": "certification", "portfolio": "portfolio_piece"}.get(section, section)
    example = OpenApiExample("An entry", EXAMPLES[section], request_only=True)
    refused = {200: out(many=True)}

    class SectionView(IdempotentMixin, APIView):
        permission_classes = [IsAuthenticated]

        @extend_schema(operation_id=f"{entry_name}_list", tags=TAG, responses=refused)
        def get(self, request: Request) -> Response:
            rows = selectors.entries_of(actor_of(request).pk, section)
            found = shapes.entries_told(rows, "owner")
            return Response([found[e.pk] for e in rows])

        @extend_schema(operation_id=f"{entry_name}_add", tags=TAG, request=into, responses={201: out}, examples=[example])
        def post(self, request: Request) -> Response:
            entry = sections.entry_add(actor=actor_of(request), section=section, **_checked(into(data=request.data)))
            return Response(_own(entry), status=201)

    class EntryView(IdempotentMixin, APIView):
        permission_classes = [IsAuthenticated]

        @extend_schema(operation_id=f"{entry_name}_change", tags=TAG, request=into, responses=out, examples=[example])
        def patch(self, request: Request, entry_id: int) -> Response:
            given = _checked(into(data=request.data, partial=True))
            return Response(_own(sections.entry_change(actor=actor_of(request), section=section, entry_id=entry_id, **given)))

        @extend_schema(operation_id=f"{entry_name}_delete", tags=TAG, responses={204: None})
        def delete(self, request: Request, entry_id: int) -> Response:
            sections.entry_delete(actor=actor_of(request), section=section, entry_id=entry_id)
            return Response(status=204)

    class OrderView(IdempotentMixin, APIView):
        permission_classes = [IsAuthenticated]

        @extend_schema(operation_id=f"{entry_name}_order", tags=TAG, request=shapes.EntryOrder, responses=refused)
        def put(self, request: Request) -> Response:
            rows = sections.entries_order(actor=actor_of(request), section=section, **_checked(shapes.EntryOrder(data=request.data)))
            found = shapes.entries_told(rows, "owner")
            return Response([found[e.pk] for e in rows])

    SectionView.__doc__ = f"The {section} of one's own freelancer profile, in one's own order."
    EntryView.__doc__ = f"One entry of the {section} of one's own freelancer profile."
    OrderView.__doc__ = f"The order of the {section} on one's own freelancer profile."
    return SectionView, EntryView, OrderView


class CompletenessView(APIView):
    """What one's own freelancer profile lacks, with the weight of each thing."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="profile_completeness", tags=TAG, responses=shapes.CompletenessOut)
    def get(self, request: Request) -> Response:
        found = selectors.completeness_of(actor_of(request))
        told = {True: [], False: []}  # type: dict[bool, list[dict[str, Any]]]
        for hint in sorted(found, key=lambda h: -h.weight):
            told[hint.there].append({k: v for k, v in asdict(hint).items() if k != "there"})
        return Response({"percent": sum(h.weight for h in found if h.there), "missing": told[False], "there": told[True]})


class CertificationQueueView(APIView):
    """Certificates for staff to check, the oldest first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="staff_certifications",
        tags=["staff"],
        parameters=[
            OpenApiParameter("state", str, enum=list(CERTIFICATION.states), description="Default: unchecked."),
            *(OpenApiParameter(p["name"], p["schema"], description=p["description"]) for p in PAGE_PARAMETERS),
        ],
        responses={200: shapes.CertificationQueuePage},
    )
    def get(self, request: Request) -> Response:
        checks = Checks()
        state = checks.choice("state", request.query_params.get("state", CERTIFICATION.initial), CERTIFICATION.states)
        rows = selectors.certifications_to_check(actor_of(request), state or CERTIFICATION.initial)
        checks.raise_if_any()
        page = keyset_page(request, rows, ("id",))
        found = shapes.entries_told(page.rows, "staff")
        people = {e.pk: e.freelancer.user for e in page.rows}
        results = [{**found[pk], "user_id": person.pk, "display_name": person.display_name} for pk, person in people.items()]
        return Response({"results": results, "next": page.next})


class CertificationCheckView(IdempotentMixin, APIView):
    """Staff's word on a certificate; its owner is told."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="staff_certification_check",
        tags=["staff"],
        request=shapes.Verdict,
        responses=shapes.CertificationOut,
        examples=[OpenApiExample("It is real", {"verdict": "verify", "reason": "The issuer's page names the person."}, request_only=True)],
    )
    def post(self, request: Request, entry_id: int) -> Response:
        entry = sections.certification_check(actor=actor_of(request), entry_id=entry_id, **_checked(shapes.Verdict(data=request.data)))
        return Response(shapes.entries_told([entry], "staff")[entry.pk])


class CompanyCheckView(IdempotentMixin, APIView):
    """Staff's word on a client's company; the client is told."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="staff_company_check",
        tags=["staff"],
        request=shapes.Verdict,
        responses=CompanyCheck,
        examples=[
            OpenApiExample("It is not theirs", {"verdict": "refuse", "reason": "The website names another company."}, request_only=True)
        ],
    )
    def post(self, request: Request, user_id: int) -> Response:
        company = sections.company_check(actor=actor_of(request), user_id=user_id, **_checked(shapes.Verdict(data=request.data)))
        return Response(company_check(company, "staff"))
