"""Where and when the user is paid out, and what rules hold of theirs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core.api.examples import sent
from marketplace.core.api.fields import MAX_ID, MinorUnits, WholeNumber
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.serializers import ModelSerializer, Serializer

from .. import payout_methods, selectors, services
from ..models import PayoutMethod, PayoutSchedule, RiskHold
from ..reasons import in_words

TAG = ["payouts"]


class PayoutMethodSerializer(ModelSerializer):
    """A place to be paid. Only its label is ever shown."""

    class Meta:
        model = PayoutMethod
        fields = ["id", "provider", "label", "added_at", "usable_at"]
        read_only_fields = fields


class PayoutMethodsSerializer(Serializer):
    results = PayoutMethodSerializer(many=True)


class PayoutMethodInSerializer(Serializer):
    provider = serializers.CharField(max_length=16)
    method = serializers.DictField(
        help_text='By gateway: sandbox {"iban": "DE89…"} or a test token, stripe {"account": "acct_…"}, paypal {"email": …}, mpesa {"phone": …}.'
    )


class PayoutScheduleSerializer(ModelSerializer):
    """When the available balance in a currency is paid out by itself."""

    last_words = serializers.SerializerMethodField()

    class Meta:
        model = PayoutSchedule
        fields = ["currency", "pace", "least_minor", "method_id", "next_at", "last_at", "last_result", "last_words"]
        read_only_fields = fields

    def get_last_words(self, row: PayoutSchedule) -> str:
        return "" if row.last_result in ("", "requested", "nothing") else in_words(row.last_result)


class PayoutSchedulesSerializer(Serializer):
    results = PayoutScheduleSerializer(many=True)


class PayoutScheduleInSerializer(Serializer):
    pace = serializers.ChoiceField(choices=PayoutSchedule.Pace.choices)
    least_minor = MinorUnits(required=False, default=0, help_text="Less than this waits for the next time.")
    method_id = WholeNumber(min_value=1, max_value=MAX_ID, required=False, allow_null=True, default=None)


class OwnRiskHoldSerializer(ModelSerializer):
    """What a rule holds: one payout, or all new payments."""

    words = serializers.SerializerMethodField(help_text="The rule in plain words.")

    class Meta:
        model = RiskHold
        fields = ["id", "act", "subject_id", "rule", "words", "state", "opened_at", "ends_at", "decided_at"]
        read_only_fields = fields

    def get_words(self, hold: RiskHold) -> str:
        return in_words(hold.rule)


def _id(request: Request) -> int:
    return int(str(request.user.pk))


class PayoutMethodsView(IdempotentMixin, APIView):
    """The user's places to be paid; POST adds one. What is added after another one waits some days before anything is sent there."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payout_methods", tags=TAG, responses=PayoutMethodsSerializer)
    def get(self, request: Request) -> Response:
        found = payout_methods.methods_of(_id(request)).order_by("id")
        return Response(PayoutMethodsSerializer({"results": found}).data)

    @extend_schema(
        operation_id="payout_method_add",
        tags=TAG,
        request=PayoutMethodInSerializer,
        responses={201: PayoutMethodSerializer},
        examples=[
            sent("A bank account (sandbox)", provider="sandbox", method={"iban": "DE89 3704 0044 0532 0130 00"}),
            sent("A phone", provider="mpesa", method={"phone": "0712 345678"}),
        ],
    )
    def post(self, request: Request) -> Response:
        given = PayoutMethodInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        made = services.payout_method_add(actor=request.user, **given.validated_data)
        return Response(PayoutMethodSerializer(made).data, status=status.HTTP_201_CREATED)


class PayoutMethodView(IdempotentMixin, APIView):
    """One of them."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payout_method_remove", tags=TAG, responses={204: None})
    def delete(self, request: Request, method_id: int) -> Response:
        services.payout_method_remove(actor=request.user, method_id=method_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PayoutSchedulesView(APIView):
    """When the user's money is paid out by itself, by currency; a currency without one is paid out by hand."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payout_schedules", tags=TAG, responses=PayoutSchedulesSerializer)
    def get(self, request: Request) -> Response:
        return Response(PayoutSchedulesSerializer({"results": payout_methods.schedules_of(_id(request))}).data)


class PayoutScheduleView(IdempotentMixin, APIView):
    """Mondays, the first of the month, or by hand; at 06:00 UTC."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="payout_schedule_put",
        tags=TAG,
        request=PayoutScheduleInSerializer,
        responses=PayoutScheduleSerializer,
        examples=[sent("Every week, from 100.00 on", pace="weekly", least_minor=10_000, method_id=7)],
    )
    def put(self, request: Request, currency: str) -> Response:
        given = PayoutScheduleInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        made = services.payout_schedule_put(actor=request.user, currency=currency, **given.validated_data)
        return Response(PayoutScheduleSerializer(made).data)


class OwnRiskHoldsView(ListAPIView):
    """What rules held of the user's, newest first, with the reason in plain words."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    serializer_class = OwnRiskHoldSerializer
    queryset = RiskHold.objects.none()

    def get_queryset(self) -> Any:
        return selectors.own_risk_holds(_id(self.request))

    @extend_schema(operation_id="me_risk_holds", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
