"""New versions of the fees, for finance staff: proposed by one person, published by another."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.core.api.examples import sent
from marketplace.core.api.fields import WholeNumber
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.serializers import ModelSerializer, Serializer

from .. import services
from ..fee_publishing import fee_proposals
from ..models import FeeProposal
from ..states import FEE_PROPOSAL
from .oversight_views import TAG, MoneyReasonSerializer, StaffAct, StaffPersonSerializer, wanted_by
from .serializers import client_minimum_field, minimum_field, tiers_field


class FeeVersionTermsSerializer(Serializer):
    """What a version takes."""

    freelancer_fee_bps = WholeNumber(help_text="Hundredths of a per cent of the gross, 3000 at most.")
    tax_bps = WholeNumber(default=0, help_text="Hundredths of a per cent of the fee, where no tax table decides.")
    tiers = tiers_field(required=False)
    minimum = minimum_field(required=False)
    client_fee_bps = WholeNumber(
        required=False, help_text="Hundredths of a per cent of what is funded or given, 3000 at most: the client's fee, on top."
    )
    client_minimum = client_minimum_field(required=False)


class FeeProposalSerializer(ModelSerializer):
    """A proposed version of the fees, and what became of it."""

    asked_by = StaffPersonSerializer()
    decided_by = StaffPersonSerializer(allow_null=True)
    terms = FeeVersionTermsSerializer()

    class Meta:
        model = FeeProposal
        fields = [
            *("id", "version", "active_from", "terms", "state", "reason", "asked_by", "asked_at"),
            *("decided_by", "decided_at", "decision_reason"),
        ]
        read_only_fields = fields


class FeeProposeSerializer(FeeVersionTermsSerializer):
    """A version to propose."""

    version = serializers.CharField(max_length=32, help_text="A name of its own: small letters, digits, points and hyphens.")
    active_from = serializers.DateTimeField(help_text="From when on new quotes use it; in the future.")
    reason = serializers.CharField(max_length=500, help_text="Goes to the audit with your name.")


class StaffFeeSchedulesView(IdempotentMixin, ListAPIView):
    """What versions of the fees were proposed, newest first; POST proposes one, and a second person publishes it."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    filter_backends: Any = ()
    serializer_class = FeeProposalSerializer
    queryset = FeeProposal.objects.none()

    def get_queryset(self) -> Any:
        return fee_proposals(self.request.user, state=wanted_by(self.request, FEE_PROPOSAL.states).state)

    @extend_schema(
        operation_id="staff_fee_schedules",
        tags=TAG,
        parameters=[
            OpenApiParameter(
                "state", OpenApiTypes.STR, OpenApiParameter.QUERY, description="In this state.", enum=list(FEE_PROPOSAL.states)
            )
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="staff_fee_schedule_propose",
        tags=TAG,
        request=FeeProposeSerializer,
        responses={201: FeeProposalSerializer},
        examples=[
            sent(
                "Propose a version",
                version="standard-2",
                active_from="2026-05-01T00:00:00Z",
                freelancer_fee_bps=2000,
                tiers={"USD": [[50000, 1000], [1000000, 500]]},
                minimum={"USD": 200},
                reason="Cheaper for long contracts, as decided in March.",
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = FeeProposeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(FeeProposalSerializer(services.fee_propose(actor=request.user, **given.validated_data)).data, status=201)


class StaffFeeSchedulePublishView(StaffAct):
    """The second person agrees: the version is published."""

    @extend_schema(
        operation_id="staff_fee_schedule_publish",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=FeeProposalSerializer,
        examples=[sent("Agree", reason="As decided in March.")],
    )
    def post(self, request: Request, fee_proposal_id: int) -> Response:
        row = services.fee_publish(actor=request.user, fee_proposal_id=fee_proposal_id, reason=self.reason(request))
        return Response(FeeProposalSerializer(row).data)


class StaffFeeScheduleRefuseView(StaffAct):
    """The version is not published; also whoever proposed it may take it back so."""

    @extend_schema(
        operation_id="staff_fee_schedule_refuse",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=FeeProposalSerializer,
        examples=[sent("Refuse", reason="The second tier is wrong.")],
    )
    def post(self, request: Request, fee_proposal_id: int) -> Response:
        row = services.fee_refuse(actor=request.user, fee_proposal_id=fee_proposal_id, reason=self.reason(request))
        return Response(FeeProposalSerializer(row).data)
