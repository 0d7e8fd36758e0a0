"""Health and the business clock."""

from __future__ import annotations

from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core import clock
from marketplace.core.api.serializers import Serializer
from marketplace.core.policies import require, staff_may

from .fields import WholeNumber
from .idempotency import IdempotentMixin

MAX_ADVANCE_SECONDS = 366 * 24 * 3600


class Health(Serializer):
    status = serializers.ChoiceField(choices=["ok", "failing"])
    database = serializers.ChoiceField(choices=["ok", "failing"])
    redis = serializers.ChoiceField(choices=["ok", "failing"])


class Clock(Serializer):
    now = serializers.DateTimeField(help_text="Business time, UTC.")
    movable = serializers.BooleanField(help_text="Whether this installation lets its clock be moved forward.")


class Advance(Serializer):
    seconds = WholeNumber(min_value=1, max_value=MAX_ADVANCE_SECONDS)


class HealthView(APIView):
    """For load balancers and people: what this server needs, and whether it answers."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    throttle_classes: list[Any] = []  # who asks too often whether a server lives would take it out of service

    @extend_schema(operation_id="health", tags=["core"], responses={200: Health, 503: Health})
    def get(self, request: Request) -> Response:
        found = {"database": _database(), "redis": _redis()}
        healthy = set(found.values()) == {"ok"}
        return Response({"status": "ok" if healthy else "failing", **found}, status=200 if healthy else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "failing"
    return "ok"


def _redis() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            client.ping()
    except redis.RedisError:
        return "failing"
    return "ok"


class ClockView(APIView):
    """Business time, by which deadlines and clocks run."""

    permission_classes = [AllowAny]

    @extend_schema(operation_id="clock_read", tags=["core"], responses=Clock)
    def get(self, request: Request) -> Response:
        return Response(Clock(_clock()).data)


class ClockAdvanceView(IdempotentMixin, APIView):
    """Moves business time forward, in demo and test installations only."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="clock_advance", tags=["core"], request=Advance, responses=Clock)
    def post(self, request: Request) -> Response:
        require(
            staff_may(request.user, "clock_move") or settings.BUSINESS_CLOCK_FOR_EVERYBODY,
            "staff_only",
            "Only staff who may move the clock of this installation can do that.",
        )
        given = Advance(data=request.data)
        given.is_valid(raise_exception=True)
        clock.advance(given.validated_data["seconds"])
        return Response(Clock(_clock()).data)


def _clock() -> dict[str, Any]:
    return {"now": clock.now(), "movable": settings.BUSINESS_CLOCK_MOVABLE}
