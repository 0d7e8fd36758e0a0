"""Staff's list of money that is held on milestones: how old it is, why it is held, and what its age will do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core import clock
from marketplace.core.api.pagination import keyset_page
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.errors import InvalidInput
from marketplace.core.money import exponent
from marketplace.payments import selectors as money
from marketplace.payments.api.statement_views import PAGE

from .. import selectors
from ..models import Milestone
from ..states import FUNDED_STATES

AGES = ("fresh", "alarm", "over")
STATES = (*FUNDED_STATES, "disputed")
_WHY = {
    "funded": "The freelancer has not begun.",
    "in_progress": "The work is being done.",
    "submitted": "The work is handed in; the client, or silence, approves it.",
    "changes_requested": "The client asked for changes.",
    "disputed": "It is disputed; nothing moves before the dispute ends.",
}


class HoldSideSerializer(Serializer):
    id = serializers.IntegerField()
    display_name = serializers.CharField()


class StaffHoldSerializer(ModelSerializer):
    """Funds held for one milestone."""

    milestone_id = serializers.IntegerField(source="id")
    held = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField(help_text="Why it is held still, in plain words.")
    client = HoldSideSerializer(source="contract.client")
    freelancer = HoldSideSerializer(source="contract.freelancer")
    held_since = serializers.DateTimeField(source="hold_began_at", help_text="Of its oldest money.")
    age_days = serializers.SerializerMethodField()
    age = serializers.SerializerMethodField(help_text="alarm: both sides were told; over: it should not be here any more.")
    ends_at = serializers.SerializerMethodField(help_text="Undisputed money returns to the wallet then; of disputed money staff decide.")

    class Meta:
        model = Milestone
        fields = [
            *("milestone_id", "contract_id", "title", "state", "reason", "held", "client", "freelancer", "held_since", "age_days", "age"),
            *("ends_at", "hold_warnings"),
        ]
        read_only_fields = fields

    def _days(self, m: Milestone) -> int:
        now: datetime = self.context["now"]
        return (now - (m.hold_began_at or now)).days

    @extend_schema_field(Amount(allow_null=True))
    def get_held(self, m: Milestone) -> Any:
        found = self.context["held"].get(m.pk)
        return None if found is None else {"minor": found.minor, "currency": found.currency}

    def get_reason(self, m: Milestone) -> str:
        return _WHY[m.state]

    def get_age_days(self, m: Milestone) -> int:
        return self._days(m)

    @extend_schema_field(serializers.ChoiceField(choices=AGES))
    def get_age(self, m: Milestone) -> str:
        days = self._days(m)
        return "over" if days >= settings.HOLD_LIMIT_DAYS else "alarm" if days >= settings.HOLD_ALARM_DAYS else "fresh"

    def get_ends_at(self, m: Milestone) -> datetime | None:
        return None if m.hold_began_at is None else m.hold_began_at + timedelta(days=settings.HOLD_LIMIT_DAYS)


class StaffHoldsSerializer(Serializer):
    results = StaffHoldSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Path and query of the next page; null at the end.")


_EXAMPLE = {
    "milestone_id": 77,
    "contract_id": 12,
    "title": "The cart",
    "state": "submitted",
    "reason": _WHY["submitted"],
    "held": {"minor": 100_000, "currency": "USD"},
    "client": {"id": 3, "display_name": "Alice"},
    "freelancer": {"id": 4, "display_name": "Bob"},
    "held_since": "2026-09-01T12:00:00Z",
    "age_days": 62,
    "age": "alarm",
    "ends_at": "2026-11-15T12:00:00Z",
    "hold_warnings": 1,
}


class StaffHoldsView(APIView):
    """Money held on milestones, the oldest first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="staff_holds",
        tags=["money oversight"],
        parameters=[
            OpenApiParameter("state", str, "query", description="Of milestones in this state.", enum=list(STATES)),
            OpenApiParameter("age", str, "query", description="At least so old.", enum=list(AGES)),
            OpenApiParameter("days", OpenApiTypes.INT, "query", description="Held for at least so many days."),
            OpenApiParameter("currency", str, "query", description="ISO 4217."),
            *PAGE,
        ],
        responses=StaffHoldsSerializer,
        examples=[OpenApiExample("Held for two months", {"results": [_EXAMPLE], "next": None}, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        given, now = request.query_params, clock.now()
        for name, known in (("state", STATES), ("age", AGES)):
            if given.get(name) and given[name] not in known:
                raise InvalidInput(f"{name}_unknown", f"There is no such {name}.", {name: [f"Use one of {', '.join(known)}."]})
        days = given.get("days") or "0"
        if not (days.isascii() and days.isdigit() and len(days) <= 4):
            raise InvalidInput("days_invalid", "`days` is a whole number.", {"days": ["Use a whole number."]})
        if given.get("currency"):
            exponent(given["currency"])
        least = {"alarm": settings.HOLD_ALARM_DAYS, "over": settings.HOLD_LIMIT_DAYS}.get(given.get("age") or "", 0)
        rows = selectors.staff_holds(
            request.user,
            older_than_days=max(int(days), least),
            now=now,
            state=given.get("state") or "",
            currency=given.get("currency") or "",
        )
        page = keyset_page(request, rows, ("funded_at", "id"))
        context = {"now": now, "held": money.held_by_milestone([m.pk for m in page.rows])}
        return Response({"results": StaffHoldSerializer(page.rows, many=True, context=context).data, "next": page.next})
