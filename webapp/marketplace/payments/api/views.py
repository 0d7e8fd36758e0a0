"""The user's money, payouts, the published fees, and the gateways' notifications."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core.api.idempotency import IdempotentMixin, key_of
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.money import Money

from .. import fees, payout_methods, selectors, services, statements, tasks
from .serializers import (
    BalancesAnswerSerializer,
    FeeSchedulesSerializer,
    PaymentSerializer,
    PayoutRequestSerializer,
    PayoutSerializer,
    ReceivedSerializer,
    TransactionSerializer,
)
from .statement_views import AS_OF, as_of


def _id(request: Request) -> int:
    """The signed-in user's id; the view's permission has let nobody else through."""
    return int(str(request.user.pk))


class BalancesView(APIView):
    """The signed-in user's balances, one item a currency; with `as_of` as they stood at that instant."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="balances_read", tags=["payments"], parameters=[AS_OF], responses=BalancesAnswerSerializer)
    def get(self, request: Request) -> Response:
        at = as_of(request)
        found = selectors.balances_of(_id(request)) if at is None else statements.balances_at(_id(request), at)
        return Response(BalancesAnswerSerializer({"results": found}).data)


class TransactionsView(ListAPIView):
    """Every movement of the signed-in user's own accounts, newest first."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    serializer_class = TransactionSerializer
    keyset = ("-id",)

    def get_queryset(self) -> Any:
        return selectors.entries_touching(_id(self.request))

    @extend_schema(operation_id="transactions_list", tags=["payments"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        entries = list(self.paginate_queryset(self.get_queryset()) or ())
        seen = selectors.as_transactions(_id(request), entries)
        return self.get_paginated_response(self.get_serializer(seen, many=True).data)


class PaymentView(APIView):
    """One of the user's payments."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payment_read", tags=["payments"], responses=PaymentSerializer)
    def get(self, request: Request, payment_id: int) -> Response:
        found = selectors.payment_for(request.user, payment_id)
        return Response(PaymentSerializer(found, context={"viewer_id": request.user.pk}).data)


def _place(request: Request, data: dict[str, Any]) -> dict[str, Any]:
    """Where to: one of the user's places, one that is named, or the default place."""
    if "method" in data and "method_id" not in data:
        provider, method = payout_methods.place_named(data["method"])
    else:
        provider, method = payout_methods.place_of(request.user, data.get("method_id"))
    return {"provider": provider, "method": method}


class PayoutsView(IdempotentMixin, ListAPIView):
    """The user's payouts, newest first; POST asks for a new one out of the available balance."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    serializer_class = PayoutSerializer
    keyset = ("-id",)

    def get_queryset(self) -> Any:
        return selectors.payouts_of(self.request.user)

    @extend_schema(operation_id="payouts_list", tags=["payments"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="payout_request",
        tags=["payments"],
        request=PayoutRequestSerializer,
        responses={201: PayoutSerializer},
        examples=[
            OpenApiExample("120.50 USD", value={"amount_minor": 12050, "currency": "USD"}, request_only=True),
            OpenApiExample(
                "120.50 EUR to a saved place", value={"amount_minor": 12050, "currency": "EUR", "method_id": 7}, request_only=True
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        given = PayoutRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        payout = services.payout_request(
            actor=request.user,
            amount=Money(data["amount_minor"], data["currency"]),
            idempotency_key=str(key_of(request, required=True)),
            **_place(request, data),
        )
        return Response(PayoutSerializer(payout).data, status=201)


class FeeScheduleView(APIView):
    """What the platform takes, every version, for everybody to read."""

    permission_classes = [AllowAny]

    @extend_schema(operation_id="fee_schedule_read", tags=["payments"], responses=FeeSchedulesSerializer)
    def get(self, request: Request) -> Response:
        answer = {"current": fees.schedule().version, "schedules": selectors.fee_schedules()}
        return Response(FeeSchedulesSerializer(answer).data)


class _RawParser(BaseParser):
    """Leaves the body alone: a signature is over the bytes as they came."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return bytes(stream.read())


def _sender(request: Request) -> str:
    """The address that the outermost of our own proxies saw; what a sender writes into the header itself is never read."""
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    return hops[-settings.PROXIES] if 0 < settings.PROXIES <= len(hops) else str(request.META.get("REMOTE_ADDR", ""))


class WebhookView(APIView):
    """A gateway's notification: verified, stored once under its id, answered, and handled afterwards."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    parser_classes = [_RawParser]
    throttle_classes: list[Any] = []  # a provider sends all of its bursts from few addresses, and what it does not sign is thrown away

    @extend_schema(operation_id="webhook_receive", tags=["payments"], request={"application/json": dict}, responses=ReceivedSerializer)
    def post(self, request: Request, provider: str, path_token: str) -> Response:
        stored = services.webhook_receive(
            provider=provider, path_token=path_token, raw_body=request.body, headers=request.headers, remote_ip=_sender(request)
        )
        if stored.handled_at is None:
            webhook_id = stored.pk
            transaction.on_commit(lambda: tasks.handle_webhook.delay(webhook_id), robust=True)
        return Response({"received": True})
