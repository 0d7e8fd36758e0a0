"""What staff change for everybody, and what they do to many objects at once."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core import bulk, features
from marketplace.core.models import BulkAct

from .fields import WholeNumber
from .idempotency import IdempotentMixin
from .pagination import KeysetPagination
from .serializers import Serializer


class FeatureOut(Serializer):
    """A number or switch that staff may change; `value` counts now, `default` is the installation's."""

    name = serializers.CharField()
    words = serializers.CharField()
    switch = serializers.BooleanField(help_text="True or false instead of a number.")
    value = serializers.JSONField(help_text="A whole number, or true and false.")
    default = serializers.JSONField()
    changed = serializers.BooleanField()
    low = serializers.IntegerField(allow_null=True)
    high = serializers.IntegerField(allow_null=True)


class FeaturesOut(Serializer):
    results = FeatureOut(many=True)


class FeatureIn(Serializer):
    value = serializers.JSONField(
        allow_null=True, help_text="A whole number within the bounds, true or false; null brings the default back."
    )
    reason = serializers.CharField(max_length=500)


class BulkActIn(Serializer):
    name = serializers.CharField(max_length=40, help_text="One of the acts the house knows, such as payout_allow.")
    object_ids = serializers.ListField(child=WholeNumber(min_value=1, max_value=2**63 - 1), min_length=1, max_length=bulk.MOST_OBJECTS)
    reason = serializers.CharField(max_length=500)


class Refusal(Serializer):
    object_id = serializers.IntegerField()
    code = serializers.CharField()
    message = serializers.CharField()


class BulkActOut(Serializer):
    """How far an act on many objects has come: `done` + `refused` + `failed` of `total` are over; what failed did so by a fault of ours."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    actor_id = serializers.IntegerField()
    reason = serializers.CharField()
    total = serializers.SerializerMethodField()
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Given up after faults of ours, each with the code fault among the refusals.")
    refusals = Refusal(many=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_total(self, act: BulkAct) -> int:
        return len(act.object_ids)


class FeaturesView(APIView):
    """Every number and switch that staff may change while the house runs."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="feature_settings", tags=["staff"], responses=FeaturesOut)
    def get(self, request: Request) -> Response:
        return Response(FeaturesOut({"results": features.all_for(request.user)}).data)


class FeatureView(IdempotentMixin, APIView):
    """One of them. The change counts for what begins afterwards; it is audited with its reason."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="feature_setting_put",
        tags=["staff"],
        request=FeatureIn,
        responses=FeatureOut,
        examples=[OpenApiExample("Stop payouts", request_only=True, value={"value": False, "reason": "the bank's cut-off is disturbed"})],
    )
    def put(self, request: Request, feature: str) -> Response:
        given = FeatureIn(data=request.data)
        known: dict[str, Any] = {f["name"]: f for f in features.all_for(request.user)}
        given.is_valid(raise_exception=True)
        features.put(actor=request.user, name=feature, **given.validated_data)
        known = {f["name"]: f for f in features.all_for(request.user)}
        return Response(FeatureOut(known[feature]).data)


class BulkActsView(IdempotentMixin, ListAPIView):
    """Acts on many objects: those you may do yourself, newest first."""

    permission_classes = [IsAuthenticated]
    serializer_class = BulkActOut
    pagination_class = KeysetPagination
    queryset = BulkAct.objects.none()

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return bulk.acts_for(self.request.user)

    @extend_schema(operation_id="bulk_acts", tags=["staff"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="bulk_act_start",
        tags=["staff"],
        request=BulkActIn,
        responses={201: BulkActOut},
        examples=[
            OpenApiExample("Let payouts go", request_only=True, value={"name": "payout_allow", "object_ids": [17, 18], "reason": "checked"})
        ],
    )
    def post(self, request: Request) -> Response:
        given = BulkActIn(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(BulkActOut(bulk.start(actor=request.user, **given.validated_data)).data, status=201)


class BulkActView(APIView):
    """One of them, with what was refused and why."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="bulk_act", tags=["staff"], responses=BulkActOut)
    def get(self, request: Request, act_id: int) -> Response:
        return Response(BulkActOut(bulk.act_for(request.user, act_id)).data)
