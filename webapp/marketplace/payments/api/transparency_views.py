"""What everybody may read of the house's money: totals, and what the checks of them last came to."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.cache import cache
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import Serializer

from ..reconciliation import publishing

#: seconds for which an answer is kept, here and by whoever asked
KEPT = 300
_CACHED = "payments:transparency:2"
REPLAY = 3


class PublicFigureSerializer(Serializer):
    """A total. Null: so few people stand behind it that it is not told."""

    measure = serializers.ChoiceField(choices=publishing.MEASURES)
    amount = Amount(allow_null=True)
    as_of = serializers.DateField(help_text="The end of this day (UTC); older than the others while too few people have moved it since.")


class PublicCurrencySerializer(Serializer):
    currency = serializers.CharField()
    figures = PublicFigureSerializer(many=True)


class PublicCheckSerializer(Serializer):
    """The newest check of its kind. `ok` null: there was none yet."""

    name = serializers.ChoiceField(choices=("invariants", "replay", "reconciliation"))
    ok = serializers.BooleanField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)
    problems = serializers.IntegerField(help_text="Broken rules, balances that drifted, or differences with a gateway that are open.")
    checked = serializers.IntegerField(help_text="Movements of money that were looked at; of the reconciliation: gateways.")


class TransparencySerializer(Serializer):
    """The totals of the house's money, and whether they were right when they were last checked."""

    day = serializers.DateField(allow_null=True, help_text="The day (UTC) for which the totals were published; null: none yet.")
    window_days = serializers.IntegerField(help_text="How many days paid_out and fees look back.")
    least_people = serializers.IntegerField(help_text="Totals behind which fewer people stand are not told.")
    currencies = PublicCurrencySerializer(many=True)
    checks = PublicCheckSerializer(many=True)


class TransparencyView(APIView):
    """How much money the house holds, what it paid out and took in fees in the last 30 days, and what the checks of it last came to.

    For everybody, without signing in. Totals are those of the end of a day, and none is told that would say something of a few people.
    """

    permission_classes = [AllowAny]
    authentication_classes: list[Any] = []
    pace = {"GET": "transparency"}

    @extend_schema(
        operation_id="transparency",
        tags=["transparency"],
        responses=TransparencySerializer,
    )
    def get(self, request: Request) -> Response:
        body = cache.get(_CACHED)
        if body is None:
            body = TransparencySerializer(_answer()).data
            cache.set(_CACHED, body, KEPT)
        answer = Response(body)
        answer["Cache-Control"] = f"public, max-age={KEPT}"
        return answer


def _answer() -> dict[str, Any]:
    by_currency: dict[str, list[dict[str, Any]]] = {}
    figures, day = publishing.figures(), None
    for figure in figures:
        day = figure.day
        amount = None if figure.minor is None else {"minor": figure.minor, "currency": figure.currency}
        told = {"measure": figure.measure, "amount": amount, "as_of": figure.as_of}
        by_currency.setdefault(figure.currency, []).append(told)
    return {
        "day": day,
        "window_days": publishing.FLOW_DAYS,
        "least_people": settings.TRANSPARENCY_LEAST_PEOPLE,
        "currencies": [{"currency": c, "figures": told} for c, told in by_currency.items()],
        "checks": _checks(),
    }


def _checks() -> list[dict[str, Any]]:
    latest = publishing.latest()
    check, runs = latest.ledger, latest.runs
    broken = 0 if check is None else check.violations
    drifted = 0 if check is None else sum(o["violations"] for o in check.outcomes if o["number"] == REPLAY)
    at, checked = (None, 0) if check is None else (check.checked_at, check.entries)
    compared = min((run.finished_at for run in runs if run.finished_at is not None), default=None)
    return [
        {"name": "invariants", "ok": None if check is None else broken == 0, "at": at, "problems": broken, "checked": checked},
        {"name": "replay", "ok": None if check is None else drifted == 0, "at": at, "problems": drifted, "checked": checked},
        {
            "name": "reconciliation",
            "ok": None if compared is None else latest.differences == 0,
            "at": compared,
            "problems": latest.differences,
            "checked": len(runs),
        },
    ]
