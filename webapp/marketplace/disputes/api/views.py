"""Disputes over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core.api.idempotency import IdempotentMixin

from .. import selectors, services
from ..models import Dispute
from . import serializers as shapes

TAG = ["disputes"]


def _checked(serializer: Serializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


def _data(request: Request, dispute: Dispute) -> Any:
    return shapes.DisputeSerializer(dispute, context={"viewer": request.user}).data


class DisputeOpenView(IdempotentMixin, APIView):
    """Dispute a milestone that holds money: its clocks stop until the dispute is withdrawn or settled."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="milestone_dispute", tags=TAG, request=shapes.ClaimSerializer, responses={201: shapes.DisputeSerializer})
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.ClaimSerializer(data=request.data))
        dispute = services.dispute_open(actor=actor_of(request), milestone_id=pk, **given)
        return Response(_data(request, dispute), status=status.HTTP_201_CREATED)


class DisputeView(APIView):
    """One dispute, for the two sides and staff."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="dispute_read", tags=TAG, responses=shapes.DisputeSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(_data(request, selectors.dispute_for(request.user, pk)))


class DisputeWithdrawView(IdempotentMixin, APIView):
    """The filer takes the dispute back."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="dispute_withdraw", tags=TAG, request=None, responses=shapes.DisputeSerializer)
    def post(self, request: Request, pk: int) -> Response:
        return Response(_data(request, services.dispute_withdraw(actor=actor_of(request), dispute_id=pk)))


class DisputeSettleView(IdempotentMixin, APIView):
    """Staff split the held money; it moves at once."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="dispute_settle",
        tags=TAG,
        request=shapes.SplitSerializer,
        responses=shapes.DisputeSerializer,
        examples=[
            OpenApiExample(
                "Three quarters of 400.00",
                request_only=True,
                value={"to_freelancer_minor": 30000, "to_client_minor": 10000, "reason": "Three of four pages were delivered."},
            )
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.SplitSerializer(data=request.data))
        return Response(_data(request, services.dispute_settle(actor=actor_of(request), dispute_id=pk, **given)))
