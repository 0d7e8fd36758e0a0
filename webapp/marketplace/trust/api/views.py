"""Reviews and reputation over HTTP."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core import clock
from marketplace.core.api.idempotency import IdempotentMixin

from .. import reputation as formula
from .. import selectors, services
from . import serializers as shapes

TAG = ["trust"]


class ReviewWriteView(IdempotentMixin, APIView):
    """Review the other side of an ended contract; hidden until both are in or the window shuts."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="contract_review",
        tags=TAG,
        request=shapes.ReviewWriteSerializer,
        responses={201: shapes.ReviewSerializer},
        examples=[OpenApiExample("Good work", request_only=True, value={"rating": 5, "text": "On time and careful."})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = shapes.ReviewWriteSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        review = services.review_write(actor=actor_of(request), contract_id=pk, **given.validated_data)
        return Response(shapes.ReviewSerializer(review).data, status=status.HTTP_201_CREATED)


class ReviewsView(APIView):
    """The reviews of a contract that the viewer may read."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="contract_reviews", tags=TAG, responses=shapes.ReviewsSerializer)
    def get(self, request: Request, pk: int) -> Response:
        contract, reviews = selectors.reviews_of(request.user, pk)
        answer = {
            "results": reviews,
            "may_write": selectors.may_write(request.user, contract),
            "window_shuts_at": selectors.window_shuts_at(contract),
        }
        return Response(shapes.ReviewsSerializer(answer).data)


class ReputationView(APIView):
    """A user's reputation with formula and inputs."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="user_reputation", tags=TAG, responses=shapes.ReputationSerializer)
    def get(self, request: Request, pk: int) -> Response:
        now = clock.now()
        found = selectors.reputation_of(pk, now)
        answer = {
            "user_id": pk,
            "as_of": now,
            "formula": formula.FORMULA,
            "prior": {"weight": formula.PRIOR_WEIGHT, "mean": formula.PRIOR_MEAN, "deviation": formula.PRIOR_DEVIATION},
            "half_life_days": formula.HALF_LIFE_DAYS,
            "inputs": found.weighed,
            "count": found.count,
            "mean": found.mean,
            "low": found.low,
            "high": found.high,
        }
        return Response(shapes.ReputationSerializer(answer).data)
