"""What people owe us, for finance staff, and writing it off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.core import clock
from marketplace.core.api.examples import sent
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.serializers import ModelSerializer

from .. import services, write_offs
from ..models import Account, DebtWriteOff
from .oversight_views import TAG, MoneyReasonSerializer, StaffAct, StaffPersonSerializer, _flag


class DebtWriteOffSerializer(ModelSerializer):
    """That a debt is written off: who asked, who decided."""

    person = StaffPersonSerializer(source="account.user")
    currency = serializers.CharField(source="account.currency")
    asked_by = StaffPersonSerializer()
    decided_by = StaffPersonSerializer(allow_null=True)

    class Meta:
        model = DebtWriteOff
        fields = [
            *("id", "account_id", "person", "amount_minor", "currency", "state", "reason", "asked_by", "asked_at"),
            *("decided_by", "decided_at", "decision_reason"),
        ]
        read_only_fields = fields


class DebtWriteOffAskedSerializer(ModelSerializer):
    """Who asked for it, while it waits for a second person."""

    asked_by = StaffPersonSerializer()

    class Meta:
        model = DebtWriteOff
        fields = ["amount_minor", "reason", "asked_by", "asked_at"]
        read_only_fields = fields


class StaffDebtSerializer(ModelSerializer):
    """What somebody owes us in one currency."""

    person = StaffPersonSerializer(source="user")
    owed_minor = serializers.IntegerField()
    moved_at = serializers.DateTimeField(help_text="When it last grew or was paid, or a bank decided about it.")
    disputed = serializers.BooleanField(help_text="A bank may still decide about it.")
    ripe = serializers.SerializerMethodField(help_text="It can be written off now.")
    write_off = serializers.SerializerMethodField(help_text="That it is written off waits for a second person.")

    class Meta:
        model = Account
        fields = ["id", "person", "currency", "owed_minor", "moved_at", "disputed", "ripe", "write_off"]
        read_only_fields = fields

    def get_ripe(self, debt: Any) -> bool:
        return not debt.disputed and debt.moved_at <= clock.now() - timedelta(days=settings.DEBT_WRITE_OFF_DAYS)

    @extend_schema_field(DebtWriteOffAskedSerializer(allow_null=True))
    def get_write_off(self, debt: Any) -> Any:
        return DebtWriteOffAskedSerializer(debt.asked_write_offs[0]).data if debt.asked_write_offs else None


class StaffDebtsView(ListAPIView):
    """What people owe us after chargebacks and payouts that were paid twice, the newest debtors first."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    filter_backends: Any = ()
    serializer_class = StaffDebtSerializer
    queryset = Account.objects.none()

    def get_queryset(self) -> Any:
        return write_offs.debts_listed(self.request.user, ripe=bool(_flag(self.request, "ripe")))

    @extend_schema(
        operation_id="staff_debts",
        tags=TAG,
        parameters=[OpenApiParameter("ripe", OpenApiTypes.BOOL, OpenApiParameter.QUERY, description="Those that can be written off now.")],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffDebtWriteOffView(StaffAct):
    """Ask that all of a debt is written off, of which nothing has moved for long. A second person has to agree."""

    @extend_schema(
        operation_id="staff_debt_write_off",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=DebtWriteOffSerializer,
        examples=[sent("Ask for it", reason="Three letters came back; the collection agency gave it up.")],
    )
    def post(self, request: Request, account_id: int) -> Response:
        row = services.debt_write_off(actor=request.user, account_id=account_id, reason=self.reason(request))
        return Response(DebtWriteOffSerializer(row).data)


class StaffDebtWriteOffApproveView(StaffAct):
    """The second person agrees: it is a loss of ours, which whatever the person pays or earns later recovers first."""

    @extend_schema(
        operation_id="staff_debt_write_off_approve",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=DebtWriteOffSerializer,
        examples=[sent("Agree", reason="I read the agency's letter.")],
    )
    def post(self, request: Request, account_id: int) -> Response:
        row = services.debt_write_off_approve(actor=request.user, account_id=account_id, reason=self.reason(request))
        return Response(DebtWriteOffSerializer(row).data)


class StaffDebtWriteOffRefuseView(StaffAct):
    """It is still owed; also whoever asked may take it back so."""

    @extend_schema(
        operation_id="staff_debt_write_off_refuse",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=DebtWriteOffSerializer,
        examples=[sent("Refuse", reason="They answered yesterday.")],
    )
    def post(self, request: Request, account_id: int) -> Response:
        row = services.debt_write_off_refuse(actor=request.user, account_id=account_id, reason=self.reason(request))
        return Response(DebtWriteOffSerializer(row).data)
