"""Reviews, reputation and text checks over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core import clock
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination

from .. import reputation as formula
from .. import selectors, services
from .. import text as reading
from ..models import Review
from ..text.finding import REASONS
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


class ReviewView(IdempotentMixin, APIView):
    """One review, to read, and to change by its author until it opens."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="review_read", tags=TAG, responses=shapes.ReviewSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(shapes.ReviewSerializer(selectors.review_for(request.user, pk)).data)

    @extend_schema(
        operation_id="review_edit",
        tags=TAG,
        request=shapes.ReviewWriteSerializer,
        responses=shapes.OwnReviewSerializer,
        examples=[OpenApiExample("On second thoughts", request_only=True, value={"rating": 4, "text": "Careful, a day late."})],
    )
    def put(self, request: Request, pk: int) -> Response:
        given = shapes.ReviewWriteSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        review = services.review_edit(actor=actor_of(request), review_id=pk, **given.validated_data)
        return Response(shapes.OwnReviewSerializer(selectors.with_versions(review)).data)


class ReviewReplyView(IdempotentMixin, APIView):
    """The reviewed side answers an open review, once."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="review_reply",
        tags=TAG,
        request=shapes.ReviewReplySerializer,
        responses={201: shapes.ReviewSerializer},
        examples=[OpenApiExample("Thanks", request_only=True, value={"text": "Thank you. The day was lost to a public holiday."})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = shapes.ReviewReplySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        review = services.review_reply(actor=actor_of(request), review_id=pk, **given.validated_data)
        return Response(shapes.ReviewSerializer(review).data, status=status.HTTP_201_CREATED)


class UserReviewsView(ListAPIView):
    """The open reviews of a person, newest first."""

    permission_classes = [IsAuthenticated]
    serializer_class = shapes.ReviewSerializer
    pagination_class = KeysetPagination
    queryset = Review.objects.none()
    keyset = ("-id",)

    def get_queryset(self) -> Any:
        return selectors.reviews_about(self.kwargs["pk"])

    @extend_schema(operation_id="user_reviews", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class TextCheckView(IdempotentMixin, APIView):
    """What the rules would say of a draft: contact details, paying past the platform, paying to apply, copies. Nothing is stored or blocked."""

    permission_classes = [IsAuthenticated]
    pace = {"POST": "text_check"}

    @extend_schema(
        operation_id="text_check",
        tags=TAG,
        request=shapes.TextCheckSerializer,
        responses=shapes.TextReadingSerializer,
        examples=[
            OpenApiExample("A time and an address", request_only=True, value={"text": "We meet 0900 - 1200 eastern. jane at mail dot com"}),
            OpenApiExample(
                "Only the address",
                response_only=True,
                value={
                    "version": reading.VERSION,
                    "warned": True,
                    "findings": [
                        {
                            "code": "email",
                            "level": "warn",
                            "start": 29,
                            "end": 49,
                            "excerpt": "jane at mail dot com",
                            "reason": REASONS["email"],
                        }
                    ],
                },
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        given = shapes.TextCheckSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(shapes.TextReadingSerializer(services.text_check(actor=actor_of(request), **given.validated_data)).data)


class ReputationView(APIView):
    """A user's reputation with formula and inputs; for a client also the record, by the same formula."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="user_reputation", tags=TAG, responses=shapes.ReputationSerializer)
    def get(self, request: Request, pk: int) -> Response:
        now = clock.now()
        found = selectors.reputation_of(pk, now)
        answer = {
            "user_id": pk,
            "as_of": now,
            "formula": formula.FORMULA,
            "formula_version": formula.VERSION,
            "z": formula.Z_95,
            "prior": {"weight": formula.PRIOR_WEIGHT, "mean": formula.PRIOR_MEAN, "deviation": formula.PRIOR_DEVIATION},
            "half_life_days": formula.HALF_LIFE_DAYS,
            "inputs": found.weighed,
            "count": found.count,
            "mean": found.mean,
            "low": found.low,
            "high": found.high,
            "client": selectors.conduct_of(pk, now),
        }
        return Response(shapes.ReputationSerializer(answer).data)
