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

from marketplace.accounts.authentication import actor_of
from marketplace.core.api.examples import sent
from marketplace.core.api.fields import MAX_ID, MinorUnits, WholeNumber
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.serializers import ModelSerializer, Serializer

from .. import payout_methods, payout_rounds, selectors, services
from ..models import PayoutMethod, PayoutSchedule, RiskHold
from ..reasons import in_words

TAG = ["payouts"]


_PLACE = ["id", "provider", "state", "country", "label", "due", "is_default", "added_at", "usable_at", "checked_at"]


class PayoutMethodSerializer(ModelSerializer):
    """A place to be paid. Only its label is ever shown. `due` names what its gateway still asks for."""

    due = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = PayoutMethod
        fields = _PLACE
        read_only_fields = _PLACE


class PayoutMethodsSerializer(Serializer):
    results = PayoutMethodSerializer(many=True)


class PayoutMethodInSerializer(Serializer):
    """`country` (default: the profile's) is where the payee lives."""

    provider = serializers.CharField(max_length=16)
    method = serializers.DictField(
        required=False,
        default=dict,
        help_text='By gateway: sandbox {"iban": "DE89…"} or a test token, paypal {"email": …}, mpesa {"phone": …}; nothing for stripe, which asks itself.',
    )
    country = serializers.RegexField(r"^[A-Z]{2}$", required=False, default="", help_text="ISO 3166-1 alpha-2.")


class OnboardingSerializer(Serializer):
    """The gateway's own page, good for a short time and for its owner alone."""

    url = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)


class PayoutMethodAddedSerializer(PayoutMethodSerializer):
    """A place as it was added. `onboarding` is null where its gateway asks nothing; it is told once, and a fresh one can be asked for."""

    onboarding = OnboardingSerializer(allow_null=True)

    class Meta(PayoutMethodSerializer.Meta):
        fields = [*_PLACE, "onboarding"]
        read_only_fields = fields


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


def _added(request: Request, place: PayoutMethod, asks: bool) -> Any:
    """The place, with the gateway's page where that asks its own questions."""
    page = services.payout_method_onboard(actor=actor_of(request), method_id=place.pk) if asks else None
    place.refresh_from_db()
    place.onboarding = page  # type: ignore[attr-defined]  # only for the answer
    return PayoutMethodAddedSerializer(place).data


class PayoutMethodsView(IdempotentMixin, APIView):
    """The user's places to be paid, the default one first; POST adds one, with the gateway's own page where it asks for more. What is added after
    another one waits some days before anything is sent there."""

    permission_classes = [IsAuthenticated]
    told_once = ("onboarding",)

    @extend_schema(operation_id="payout_methods", tags=TAG, responses=PayoutMethodsSerializer)
    def get(self, request: Request) -> Response:
        found = payout_methods.methods_of(_id(request)).order_by("-is_default", "id")
        return Response(PayoutMethodsSerializer({"results": found}).data)

    @extend_schema(
        operation_id="payout_method_add",
        tags=TAG,
        request=PayoutMethodInSerializer,
        responses={201: PayoutMethodAddedSerializer},
        examples=[
            sent("A bank account (sandbox)", provider="sandbox", method={"iban": "DE89 3704 0044 0532 0130 00"}),
            sent("A phone", provider="mpesa", method={"phone": "0712 345678"}),
        ],
    )
    def post(self, request: Request) -> Response:
        given = PayoutMethodInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        made = services.payout_method_add(actor=request.user, **given.validated_data)
        return Response(_added(request, made, made.state == "onboarding"), status=status.HTTP_201_CREATED)


class PayoutMethodView(IdempotentMixin, APIView):
    """One of them."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payout_method_remove", tags=TAG, responses={204: None})
    def delete(self, request: Request, method_id: int) -> Response:
        services.payout_method_remove(actor=request.user, method_id=method_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PayoutOnboardingView(IdempotentMixin, APIView):
    """A fresh page of the gateway where the payee goes on."""

    permission_classes = [IsAuthenticated]
    told_once = ("onboarding",)

    @extend_schema(operation_id="payout_method_onboard", tags=TAG, request=None, responses=PayoutMethodAddedSerializer)
    def post(self, request: Request, method_id: int) -> Response:
        return Response(_added(request, payout_methods.method_for(request.user, method_id), True))


class PayoutMethodRefreshView(IdempotentMixin, APIView):
    """The payee came back from the gateway's page: ask it how far they are."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payout_method_refresh", tags=TAG, request=None, responses=PayoutMethodSerializer)
    def post(self, request: Request, method_id: int) -> Response:
        found = payout_methods.method_for(request.user, method_id)
        return Response(PayoutMethodSerializer(services.payout_method_refresh(method_id=found.pk)).data)


class PayoutMethodDefaultView(IdempotentMixin, APIView):
    """Pay out to this place when a payout names none."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payout_method_default", tags=TAG, request=None, responses=PayoutMethodSerializer)
    def post(self, request: Request, method_id: int) -> Response:
        return Response(PayoutMethodSerializer(services.payout_method_default(actor=request.user, method_id=method_id)).data)


class PayoutSchedulesView(APIView):
    """When the user's money is paid out by itself, by currency; a currency without one is paid out by hand."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payout_schedules", tags=TAG, responses=PayoutSchedulesSerializer)
    def get(self, request: Request) -> Response:
        return Response(PayoutSchedulesSerializer({"results": payout_rounds.schedules_of(_id(request))}).data)


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
