"""Counter-offers over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import PAGE_PARAMETERS, keyset_page
from marketplace.core.api.serializers import Serializer

from .. import selectors, services
from ..models import CounterOffer
from .offer_shapes import CounterOfferSerializer
from .serializers import ReasonSerializer, TermSerializer

TAG = ["offers"]
PAGE = [OpenApiParameter(p["name"], p["schema"], "query", description=p["description"]) for p in PAGE_PARAMETERS]


class CounterOfferPage(Serializer):
    results = CounterOfferSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Path and query of the next page.")


class CounterOfferWrite(Serializer):
    """The milestones that the freelancer would accept; their sum is the new price."""

    milestones = TermSerializer(many=True)
    message = serializers.CharField(max_length=5000, required=False, allow_blank=True, default="")


EXAMPLE = {
    "milestones": [
        {"title": "Schema and first source", "amount_minor": 85000, "due_in_days": 9, "acceptance": ["Orders load hourly"]},
        {"title": "All sources", "amount_minor": 125000, "due_in_days": 25},
    ],
    "message": "The second source needs a week more than planned.",
}


class CounterOffersView(IdempotentMixin, APIView):
    """The freelancer's other terms for an offer: all of them for both sides, newest first, and a new one."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="counter_offers", tags=TAG, parameters=PAGE, responses=CounterOfferPage)
    def get(self, request: Request, pk: int) -> Response:
        contract = selectors.contract_for(request.user, pk)
        page = keyset_page(request, selectors.counter_offers_of(contract), ("-id",))
        return Response(CounterOfferPage({"results": page.rows, "next": page.next}, context={"viewer": request.user}).data)

    @extend_schema(
        operation_id="counter_offer_make",
        tags=TAG,
        request=CounterOfferWrite,
        responses={201: CounterOfferSerializer},
        examples=[OpenApiExample("A week more, a little dearer", request_only=True, value=EXAMPLE)],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = CounterOfferWrite(data=request.data)
        given.is_valid(raise_exception=True)
        found = given.validated_data
        counter = services.counter_offer_make(
            actor=actor_of(request), contract_id=pk, milestones=[dict(m) for m in found["milestones"]], message=found["message"]
        )
        return Response(_told(request, counter), status=status.HTTP_201_CREATED)


def _told(request: Request, counter: CounterOffer) -> Any:
    return CounterOfferSerializer(selectors.counter_offer_for(request.user, counter.pk), context={"viewer": request.user}).data


def _act(name: str, service: Callable[..., CounterOffer], request_shape: type[serializers.Serializer] | None = None) -> type[APIView]:
    """A view that does one thing to a counter-offer and answers with it."""

    class View(IdempotentMixin, APIView):
        permission_classes = [IsAuthenticated]

        @extend_schema(operation_id=f"counter_offer_{name}", tags=TAG, request=request_shape, responses=CounterOfferSerializer)
        def post(self, request: Request, pk: int) -> Response:
            more: dict[str, Any] = {}
            if request_shape is not None:
                given = request_shape(data=request.data)
                given.is_valid(raise_exception=True)
                more = given.validated_data
            return Response(_told(request, service(actor=actor_of(request), counter_offer_id=pk, **more)))

    View.__doc__ = (service.__doc__ or "").strip().split("\n")[0]
    View.__name__ = View.__qualname__ = f"CounterOffer{name.title()}View"
    return View


CounterOfferAcceptView = _act("accept", services.counter_offer_accept)
CounterOfferDeclineView = _act("decline", services.counter_offer_decline, ReasonSerializer)
CounterOfferWithdrawView = _act("withdraw", services.counter_offer_withdraw, ReasonSerializer)
