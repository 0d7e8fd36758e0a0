"""Proposals: the quote before, the bid, the client's choice, the freelancer's receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.activity import capture
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import keyset_page
from marketplace.jobs import selectors, services
from marketplace.jobs.models import Proposal

from . import serializers as shapes
from .views import PAGE, checked, page_of

ProposalPage = page_of(shapes.ProposalSerializer)


def _told(request: Request, proposal_id: int, status: int = 200) -> Response:
    proposal = selectors.proposal_for(request.user, proposal_id)
    return Response(shapes.ProposalSerializer(selectors.proposals_told(request.user, [proposal])[0]).data, status=status)


class QuoteView(IdempotentMixin, APIView):
    """What a bid would bring its freelancer, before it is sent: fee, tax, net, rate and clearing."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="job_quote", tags=["jobs"], request=shapes.QuoteAsk, responses=shapes.QuoteSerializer)
    def post(self, request: Request, job_id: int) -> Response:
        selectors.job_for(request.user, job_id)
        quote = services.quote_for(actor=actor_of(request), job_id=job_id, **checked(shapes.QuoteAsk, request.data))
        return Response(shapes.QuoteSerializer(quote).data)


class JobProposalsView(IdempotentMixin, APIView):
    """Bids on a post: the client sees all of them, a freelancer the own one."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="job_proposals", tags=["proposals"], parameters=PAGE, responses=ProposalPage)
    def get(self, request: Request, job_id: int) -> Response:
        page = keyset_page(request, selectors.proposals_on(request.user, job_id), ("submitted_at", "id"))
        told = selectors.proposals_told(request.user, page.rows)
        if page.rows and page.rows[0].job.client_id == request.user.pk:
            shown = [("proposal", p["id"], i, None) for i, p in enumerate(told, start=1)]
            capture.impressions(user_id=request.user.pk, surface="job_proposals", ranking="submitted_at", items=shown)
        return Response({"results": shapes.ProposalSerializer(told, many=True).data, "next": page.next})

    @extend_schema(
        operation_id="proposal_submit",
        tags=["proposals"],
        request=shapes.ProposalWrite,
        responses={201: shapes.ProposalSerializer},
        examples=[
            OpenApiExample(
                "Two milestones",
                request_only=True,
                value={
                    "cover_letter": "I have built three of these.",
                    "amount_minor": 200000,
                    "currency": "USD",
                    "delivery_days": 20,
                    "milestones": [
                        {"title": "Schema and first source", "amount_minor": 80000, "due_in_days": 7, "acceptance": ["Orders load hourly"]},
                        {"title": "All sources", "amount_minor": 120000, "due_in_days": 20, "acceptance": ["Totals match the shop's"]},
                    ],
                },
            )
        ],
    )
    def post(self, request: Request, job_id: int) -> Response:
        selectors.job_for(request.user, job_id)
        proposal = services.proposal_submit(actor=actor_of(request), job_id=job_id, **checked(shapes.ProposalWrite, request.data))
        return _told(request, proposal.pk, status=201)


class MyProposalsView(APIView):
    """The signed-in freelancer's bids with their receipts, newest first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_proposals", tags=["proposals"], parameters=PAGE, responses=ProposalPage)
    def get(self, request: Request) -> Response:
        page = keyset_page(request, selectors.proposals_of(request.user), ("-submitted_at", "-id"))
        told = selectors.proposals_told(request.user, page.rows)
        return Response({"results": shapes.ProposalSerializer(told, many=True).data, "next": page.next})


class ProposalView(IdempotentMixin, APIView):
    """One bid. When its client opens it, it counts as seen."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="proposal_read", tags=["proposals"], responses=shapes.ProposalSerializer)
    def get(self, request: Request, proposal_id: int) -> Response:
        seen = selectors.proposal_for(request.user, proposal_id)
        if seen.state == "submitted" and seen.job.client_id == request.user.pk:
            services.proposal_see(actor=actor_of(request), proposal_id=proposal_id)
        return _told(request, proposal_id)

    @extend_schema(
        operation_id="proposal_update", tags=["proposals"], request=shapes.ProposalTerms(partial=True), responses=shapes.ProposalSerializer
    )
    def patch(self, request: Request, proposal_id: int) -> Response:
        selectors.proposal_for(request.user, proposal_id)
        services.proposal_update(
            actor=actor_of(request), proposal_id=proposal_id, **checked(shapes.ProposalTerms, request.data, partial=True)
        )
        return _told(request, proposal_id)


class _Decision(IdempotentMixin, APIView):
    """A move of one bid, with a reason where the other side is owed one."""

    permission_classes = [IsAuthenticated]

    def decide(self, request: Request, proposal_id: int, service: Callable[..., Proposal], **more: Any) -> Response:
        service(actor=actor_of(request), proposal_id=proposal_id, **more)
        return _told(request, proposal_id)

    def with_reason(self, request: Request, proposal_id: int, service: Callable[..., Proposal]) -> Response:
        selectors.proposal_for(request.user, proposal_id)
        return self.decide(request, proposal_id, service, **checked(shapes.Reason, request.data))


class ProposalShortlistView(_Decision):
    """The client keeps it in the narrower choice."""

    @extend_schema(operation_id="proposal_shortlist", tags=["proposals"], request=None, responses=shapes.ProposalSerializer)
    def post(self, request: Request, proposal_id: int) -> Response:
        return self.decide(request, proposal_id, services.proposal_shortlist)


class ProposalDeclineView(_Decision):
    """The client says no; the freelancer reads the reason."""

    @extend_schema(operation_id="proposal_decline", tags=["proposals"], request=shapes.Reason, responses=shapes.ProposalSerializer)
    def post(self, request: Request, proposal_id: int) -> Response:
        return self.with_reason(request, proposal_id, services.proposal_decline)


class ProposalWithdrawView(_Decision):
    """The freelancer takes the bid back."""

    @extend_schema(operation_id="proposal_withdraw", tags=["proposals"], request=shapes.Reason, responses=shapes.ProposalSerializer)
    def post(self, request: Request, proposal_id: int) -> Response:
        return self.with_reason(request, proposal_id, services.proposal_withdraw)
