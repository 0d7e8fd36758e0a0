"""Exchange rates for finance staff: how old each is, and setting by hand what nobody publishes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core.api.examples import sent
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.serializers import ModelSerializer, Serializer

from .. import rates_reading, services
from ..models import HandRate
from ..states import HAND_RATE
from .oversight_views import TAG, MoneyReasonSerializer, StaffAct, StaffPersonSerializer, wanted_by


class HandRateSerializer(ModelSerializer):
    """A rate that staff set by hand, or ask a second person to."""

    asked_by = StaffPersonSerializer()
    decided_by = StaffPersonSerializer(allow_null=True)
    as_of = serializers.DateField(source="rate.as_of", allow_null=True, default=None, help_text="The day of the rate, once it stands.")

    class Meta:
        model = HandRate
        fields = [
            *("id", "currency", "per_usd", "known_per_usd", "state", "reason", "asked_by", "asked_at"),
            *("decided_by", "decided_at", "decision_reason", "as_of"),
        ]
        read_only_fields = fields


class KnownRateSerializer(Serializer):
    """The newest rate of a currency."""

    currency = serializers.CharField(source="rate.quote")
    per_usd = serializers.DecimalField(
        source="rate.rate", max_digits=24, decimal_places=12, help_text="Units of the currency for one US dollar."
    )
    spread_bps = serializers.IntegerField(source="rate.spread_bps")
    source = serializers.CharField(source="rate.source", help_text="ecb_cross of the European Central Bank, admin of what is set by hand.")  # type: ignore[assignment]
    as_of = serializers.DateField(source="rate.as_of")
    age_days = serializers.IntegerField()
    days_left = serializers.IntegerField(
        allow_null=True, help_text="For how many days more money moves at it; negative: it is too old. Null: good at any age (a trial)."
    )
    by_hand = HandRateSerializer(allow_null=True, help_text="Who set it, and why.")
    waiting = HandRateSerializer(allow_null=True, help_text="What waits for a second person.")


class KnownRatesSerializer(Serializer):
    results = KnownRateSerializer(many=True)


class RateSetSerializer(Serializer):
    """A rate to set by hand."""

    currency = serializers.CharField(max_length=3)
    per_usd = serializers.DecimalField(max_digits=24, decimal_places=12, help_text="Units of the currency for one US dollar.")
    reason = serializers.CharField(max_length=500, help_text="Where it is from. Goes to the audit with your name.")
    sure = serializers.BooleanField(default=False, help_text="That it is right although it is far from the last known one.")


class StaffRatesView(IdempotentMixin, APIView):
    """The newest rate of each currency with source, age and who set it; POST sets one by hand, or asks for it."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="staff_rates", tags=TAG, responses=KnownRatesSerializer)
    def get(self, request: Request) -> Response:
        return Response(KnownRatesSerializer({"results": rates_reading.rates_known(request.user)}).data)

    @extend_schema(
        operation_id="staff_rate_set",
        tags=TAG,
        request=RateSetSerializer,
        responses={201: HandRateSerializer},
        examples=[
            sent("Set a rate", currency="KES", per_usd="129.400000000000", reason="Mean rate of the Central Bank of Kenya of today.")
        ],
    )
    def post(self, request: Request) -> Response:
        given = RateSetSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(HandRateSerializer(services.rate_set(actor=request.user, **given.validated_data)).data, status=201)


class StaffHandRatesView(ListAPIView):
    """What was set by hand, refused, or waits for a second person; newest first."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    filter_backends: Any = ()
    serializer_class = HandRateSerializer
    queryset = HandRate.objects.none()

    def get_queryset(self) -> Any:
        asked = wanted_by(self.request, HAND_RATE.states)
        return rates_reading.hand_rates(self.request.user, currency=asked.currency, state=asked.state)

    @extend_schema(
        operation_id="staff_hand_rates",
        tags=TAG,
        parameters=[
            OpenApiParameter("state", OpenApiTypes.STR, OpenApiParameter.QUERY, description="In this state.", enum=list(HAND_RATE.states)),
            OpenApiParameter("currency", OpenApiTypes.STR, OpenApiParameter.QUERY, description="Of this currency."),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffHandRateApproveView(StaffAct):
    """The second person agrees: the rate stands."""

    @extend_schema(
        operation_id="staff_hand_rate_approve",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=HandRateSerializer,
        examples=[sent("Agree", reason="Read the same at the central bank.")],
    )
    def post(self, request: Request, hand_rate_id: int) -> Response:
        row = services.rate_set_approve(actor=request.user, hand_rate_id=hand_rate_id, reason=self.reason(request))
        return Response(HandRateSerializer(row).data)


class StaffHandRateRefuseView(StaffAct):
    """The rate does not stand; also whoever asked may take it back so."""

    @extend_schema(
        operation_id="staff_hand_rate_refuse",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=HandRateSerializer,
        examples=[sent("Refuse", reason="A slip of the decimal point.")],
    )
    def post(self, request: Request, hand_rate_id: int) -> Response:
        row = services.rate_set_refuse(actor=request.user, hand_rate_id=hand_rate_id, reason=self.reason(request))
        return Response(HandRateSerializer(row).data)
