"""Contracts over HTTP. Views read the request, call one service and show the result; rules are in services and policies."""

from __future__ import annotations

from collections.abc import Callable
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
from marketplace.core import clock, ports
from marketplace.core.api.idempotency import IdempotentMixin, key_of
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.files import files_of_many
from marketplace.core.money import Money
from marketplace.core.policies import staff_may
from marketplace.payments import services as payments
from marketplace.payments.api.serializers import PaymentSerializer

from .. import policies, selectors, services
from ..models import Contract, Milestone
from ..timeline import clocks, timeline
from . import serializers as shapes

TAG = ["contracts"]


def checked(serializer: Serializer) -> dict[str, Any]:
    """The validated input. Raises ValidationError, which the one error shape carries."""
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


def _context(viewer: Any, contract: Contract) -> dict[str, Any]:
    milestones = selectors.milestones_of(contract)
    role = policies.role_in(contract, viewer)
    disputed = [m.pk for m in milestones if m.state in ("disputed", "resolved")]
    beside = selectors.running([contract.pk], milestones)
    return {
        "viewer": viewer,
        "milestones": milestones,
        "beside": beside,
        "clocks": shapes.ClockSerializer(clocks(contract, milestones, beside), many=True).data,
        "held": beside.held,
        "files": files_of_many([s for m in milestones for s in m.submissions.all()]),
        "disputes": ports.disputes_of.first(milestone_ids=disputed) if disputed else {},
        "offer": selectors.offer_of(contract),
        "actions": policies.contract_actions(
            contract,
            milestones,
            role,
            now=clock.now(),
            may_pause=staff_may(viewer, "contract_pause"),
            may_counter=role == "freelancer" and selectors.counter_offer_possible(contract),
        ),
        "to_fund": _to_fund(contract, milestones) if role == "client" else {},
        "milestone_actions": {m.pk: policies.milestone_actions(contract, m, role) for m in milestones},
    }


def _to_fund(contract: Contract, milestones: list[Milestone]) -> dict[int, payments.Charge]:
    planned = [m for m in milestones if m.state == "planned"]
    amounts = [Money(m.amount_minor, m.currency) for m in planned]
    charges = payments.client_quote(payer_id=contract.client_id, amounts=amounts, fee_schedule=contract.fee_schedule)
    return {m.pk: charge for m, charge in zip(planned, charges, strict=True)}


def contract_data(viewer: Any, contract_id: int) -> Any:
    """The contract as the viewer sees it now. Raises NotFound."""
    contract = selectors.contract_for(viewer, contract_id)
    return shapes.ContractSerializer(contract, context=_context(viewer, contract)).data


def milestone_data(viewer: Any, milestone: Milestone) -> Any:
    """The milestone as the viewer sees it now. Raises NotFound."""
    contract = selectors.contract_for(viewer, milestone.contract_id)
    context = _context(viewer, contract)
    fresh = next(m for m in context["milestones"] if m.pk == milestone.pk)
    return shapes.MilestoneSerializer(fresh, context=context).data


class OfferView(IdempotentMixin, APIView):
    """The client's offer on a proposal."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="proposal_offer",
        tags=TAG,
        request=shapes.OfferSerializer,
        responses={201: shapes.ContractSerializer},
        examples=[
            OpenApiExample(
                "Two milestones",
                request_only=True,
                value={
                    "milestones": [
                        {
                            "title": "Schema and first source",
                            "amount_minor": 80000,
                            "due_in_days": 7,
                            "acceptance": ["Orders load hourly", "Returns are told apart"],
                        },
                        {"title": "All sources", "amount_minor": 120000, "due_in_days": 20, "acceptance": ["Totals match the shop's"]},
                    ]
                },
            ),
            OpenApiExample("20 hours a week", request_only=True, value={"weekly_cap_minutes": 1200}),
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.OfferSerializer(data=request.data))
        milestones = given.get("milestones")
        contract = services.offer_make(
            actor=actor_of(request),
            proposal_id=pk,
            milestones=None if milestones is None else [dict(m) for m in milestones],
            weekly_cap_minutes=given.get("weekly_cap_minutes"),
        )
        return Response(contract_data(request.user, contract.pk), status=status.HTTP_201_CREATED)


class MyContractsView(ListAPIView):
    """The signed-in person's contracts on either side, newest first."""

    permission_classes = [IsAuthenticated]
    serializer_class = shapes.ContractSummarySerializer
    pagination_class = KeysetPagination
    keyset = ("-id",)
    queryset = Contract.objects.none()

    def get_queryset(self) -> Any:
        asked = checked(shapes.MyContractsQuery(data=self.request.query_params.dict()))
        return selectors.of_user(self.request.user, proposal_id=asked.get("proposal"))

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "viewer": self.request.user}

    @extend_schema(operation_id="me_contracts", tags=TAG, parameters=[shapes.MyContractsQuery])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class ContractView(APIView):
    """One contract with milestones, clocks and what the viewer may do."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="contract_read", tags=TAG, responses=shapes.ContractSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(contract_data(request.user, pk))


class TimelineView(APIView):
    """Work and money in one list, then the clocks that are still to run."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="contract_timeline", tags=TAG, responses=shapes.TimelineSerializer)
    def get(self, request: Request, pk: int) -> Response:
        contract = selectors.contract_for(request.user, pk)
        now = clock.now()
        milestones = selectors.milestones_of_many([contract.pk]).get(contract.pk, [])
        items = timeline(contract, milestones, selectors.running([contract.pk], milestones), now)
        return Response(shapes.TimelineSerializer({"now": now, "items": items}).data)


def _contract_act(name: str, service: Callable[..., Contract], request_shape: type[Serializer] | None = None) -> type[APIView]:
    """A view that does one thing to a contract and answers with the contract."""

    class View(IdempotentMixin, APIView):
        permission_classes = [IsAuthenticated]

        @extend_schema(operation_id=f"contract_{name}", tags=TAG, request=request_shape, responses=shapes.ContractSerializer)
        def post(self, request: Request, pk: int) -> Response:
            given = checked(request_shape(data=request.data)) if request_shape else {}
            service(actor=actor_of(request), contract_id=pk, **given)
            return Response(contract_data(request.user, pk))

    View.__doc__ = (service.__doc__ or "").strip().split("\n")[0]
    View.__name__ = View.__qualname__ = f"Contract{name.title()}View"
    return View


def _milestone_act(name: str, service: Callable[..., Milestone], request_shape: type[Serializer] | None = None) -> type[APIView]:
    """A view that does one thing to a milestone and answers with the milestone."""

    class View(IdempotentMixin, APIView):
        permission_classes = [IsAuthenticated]

        @extend_schema(operation_id=f"milestone_{name}", tags=TAG, request=request_shape, responses=shapes.MilestoneSerializer)
        def post(self, request: Request, pk: int) -> Response:
            given = checked(request_shape(data=request.data)) if request_shape else {}
            return Response(milestone_data(request.user, service(actor=actor_of(request), milestone_id=pk, **given)))

    View.__doc__ = (service.__doc__ or "").strip().split("\n")[0]
    View.__name__ = View.__qualname__ = f"Milestone{name.title().replace('_', '')}View"
    return View


AcceptView = _contract_act("accept", services.offer_accept, shapes.AcceptSerializer)
DeclineView = _contract_act("decline", services.offer_decline, shapes.ReasonSerializer)
CancelView = _contract_act("cancel", services.contract_cancel, shapes.CancelSerializer)
PauseView = _contract_act("pause", services.contract_pause, shapes.RequiredReasonSerializer)
ResumeView = _contract_act("resume", services.contract_resume, shapes.ReasonSerializer)
StartView = _milestone_act("start", services.milestone_start)
SubmitView = _milestone_act("submit", services.milestone_submit, shapes.SubmitSerializer)
RequestChangesView = _milestone_act("request_changes", services.milestone_request_changes, shapes.ChangesSerializer)
ApproveView = _milestone_act("approve", services.milestone_approve)
RefundView = _milestone_act("refund", services.milestone_refund, shapes.ReasonSerializer)


class FundView(IdempotentMixin, APIView):
    """The client pays for a milestone; the money is held until both sides have confirmed the work. At most 60 times an hour."""

    permission_classes = [IsAuthenticated]
    pace = {"POST": "funding"}

    @extend_schema(
        operation_id="milestone_fund",
        tags=TAG,
        request=shapes.FundSerializer,
        responses=shapes.FundedSerializer,
        examples=[OpenApiExample("A test card", request_only=True, value={"provider": "sandbox", "method": {"token": "tok_visa"}})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.FundSerializer(data=request.data))
        payment, milestone = services.milestone_fund(
            actor=actor_of(request),
            milestone_id=pk,
            provider=given["provider"],
            method=given["method"],
            quote_id=given.get("quote_id"),
            idempotency_key=key_of(request, required=True) or "",
        )
        paid = None if payment is None else PaymentSerializer(payment).data
        return Response({"payment": paid, "milestone": milestone_data(request.user, milestone)})
