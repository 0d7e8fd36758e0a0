"""Disputes over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core import ports
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.schema import Error
from marketplace.core.errors import NotFound
from marketplace.core.money import Money
from marketplace.core.policies import require_staff

from .. import selectors, services
from ..models import Dispute
from . import serializers as shapes

TAG = ["disputes"]


def _checked(serializer: Serializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


def _data(request: Request, dispute: Dispute) -> Any:
    return shapes.DisputeWholeSerializer(dispute, context={"viewer": request.user}).data


class DisputeOpenView(IdempotentMixin, APIView):
    """Dispute a milestone that holds money: its clocks stop until the dispute is withdrawn or settled."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="milestone_dispute", tags=TAG, request=shapes.ClaimSerializer, responses={201: shapes.DisputeWholeSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.ClaimSerializer(data=request.data))
        dispute = services.dispute_open(actor=actor_of(request), milestone_id=pk, **given)
        return Response(_data(request, dispute), status=status.HTTP_201_CREATED)


class DisputeView(APIView):
    """One dispute, for the two sides and staff."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="dispute_read", tags=TAG, responses=shapes.DisputeWholeSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(_data(request, selectors.dispute_for(request.user, pk)))


class DisputeWithdrawView(IdempotentMixin, APIView):
    """The filer takes the dispute back."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="dispute_withdraw", tags=TAG, request=None, responses=shapes.DisputeWholeSerializer)
    def post(self, request: Request, pk: int) -> Response:
        return Response(_data(request, services.dispute_withdraw(actor=actor_of(request), dispute_id=pk)))


class DisputeSettleView(IdempotentMixin, APIView):
    """Staff split the held money; it moves at once."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="dispute_settle",
        tags=TAG,
        request=shapes.SplitSerializer,
        responses=shapes.DisputeWholeSerializer,
        examples=[
            OpenApiExample(
                "Three quarters of 400.00",
                request_only=True,
                value={"to_freelancer_minor": 30000, "to_client_minor": 10000, "reason": "Three of four sources load."},
            )
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.SplitSerializer(data=request.data))
        return Response(_data(request, services.dispute_settle(actor=actor_of(request), dispute_id=pk, **given)))


class DisputeRespondView(IdempotentMixin, APIView):
    """The other side's answer: accept the claim, or say why not and begin to negotiate."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="dispute_respond", tags=TAG, request=shapes.DisputeResponseSerializer, responses=shapes.DisputeWholeSerializer
    )
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.DisputeResponseSerializer(data=request.data))
        return Response(_data(request, services.dispute_respond(actor=actor_of(request), dispute_id=pk, **given)))


class DisputeOfferView(IdempotentMixin, APIView):
    """Put or replace your one live offer; the other side sees it. Offers that meet settle the dispute at once."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="dispute_offer",
        tags=TAG,
        request=shapes.SplitOfferInSerializer,
        responses=shapes.DisputeWholeSerializer,
        examples=[OpenApiExample("250.00 for the freelancer", request_only=True, value={"to_freelancer_minor": 25000})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.SplitOfferInSerializer(data=request.data))
        return Response(_data(request, services.dispute_offer(actor=actor_of(request), dispute_id=pk, **given)))


class DisputeAcceptView(IdempotentMixin, APIView):
    """Accept the computed split, or the decision; when both sides have, the money moves at once."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="dispute_accept", tags=TAG, request=None, responses=shapes.DisputeWholeSerializer)
    def post(self, request: Request, pk: int) -> Response:
        return Response(_data(request, services.dispute_accept(actor=actor_of(request), dispute_id=pk)))


class DisputeEvidenceView(IdempotentMixin, APIView):
    """Show something, with files that were uploaded before."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="dispute_evidence", tags=TAG, request=shapes.EvidenceInSerializer, responses={201: shapes.DisputeWholeSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.EvidenceInSerializer(data=request.data))
        shown = services.dispute_add_evidence(actor=actor_of(request), dispute_id=pk, **given)
        return Response(_data(request, selectors.dispute_for(request.user, shown.dispute_id)), status=status.HTTP_201_CREATED)


class DisputeDecideView(IdempotentMixin, APIView):
    """Staff decide when it is their turn. A first decision can be appealed before the money moves."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="dispute_decide", tags=TAG, request=shapes.SplitSerializer, responses=shapes.DisputeWholeSerializer)
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.SplitSerializer(data=request.data))
        return Response(_data(request, services.dispute_decide(actor=actor_of(request), dispute_id=pk, **given)))


class DisputeAppealView(IdempotentMixin, APIView):
    """Ask for a decision by another person."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="dispute_appeal", tags=TAG, request=shapes.AppealSerializer, responses=shapes.DisputeWholeSerializer)
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.AppealSerializer(data=request.data))
        return Response(_data(request, services.dispute_appeal(actor=actor_of(request), dispute_id=pk, **given)))


class _DisputeList(ListAPIView):
    permission_classes = [IsAuthenticated]
    serializer_class = shapes.DisputeSerializer
    pagination_class = KeysetPagination
    queryset = Dispute.objects.none()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "viewer": self.request.user}


class MyDisputesView(_DisputeList):
    """The disputes you are a side of, newest first."""

    keyset = ("-id",)

    def get_queryset(self) -> Any:
        return selectors.of_side(self.request.user)

    @extend_schema(operation_id="me_disputes", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffDisputesView(_DisputeList):
    """What waits for a decision by staff, the most urgent first."""

    keyset = ("decide_by", "id")

    def get_queryset(self) -> Any:
        require_staff(self.request.user, "dispute_decide")
        return selectors.queue()

    @extend_schema(operation_id="staff_disputes", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


_BROADER = {
    "n": 23,
    "freelancer_share_quartiles_bps": [2500, 5000, 7500],
    "settled_by": {"agreement": 0.652, "decision": 0.348},
    "alike_in": ["filer", "category"],
    "amount_band": None,
    "note": "Too few like disputes were over a like amount: those over any amount are counted.",
}


class PrecedentsView(APIView):
    """How like disputes ended: base rates by category, by who opened them and by the band of the amount, without anything that points to a
    person: where too few are alike, a broader group answers and says so."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="dispute_precedents",
        tags=TAG,
        parameters=[shapes.PrecedentsQuery],
        responses={200: shapes.PrecedentsSerializer, 404: Error},
        examples=[OpenApiExample("A broader group", response_only=True, status_codes=["200"], value=_BROADER)],
    )
    def get(self, request: Request) -> Response:
        given = _checked(shapes.PrecedentsQuery(data=request.query_params))
        terms = ports.taxonomy.first(kind="category", slugs=[given["category"]])
        if not terms:
            raise NotFound("category")
        amount = Money(given["amount_minor"], given["currency"]) if "amount_minor" in given else None
        found = selectors.precedents(category_id=terms[0].id, filer=given["filer"], amount=amount)
        return Response(shapes.PrecedentsSerializer(found.told()).data)
