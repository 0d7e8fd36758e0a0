"""Proposals: the quote before, the bid, the client's choice, the freelancer's receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.accounts.selectors import freelancer_profile_of
from marketplace.activity import capture
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import PreparedPages, keyset_page
from marketplace.core.errors import NotFound
from marketplace.core.policies import require, seen_by
from marketplace.jobs import credits, proposal_selectors, selectors, services
from marketplace.jobs.models import Proposal

from . import serializers as shapes
from .views import PAGE, checked, page_of

ProposalPage = page_of(shapes.ProposalSerializer)
_ON_A_POST = PreparedPages(Proposal, selectors.proposals_on, ("submitted_at", "id"))
_OWN = PreparedPages(Proposal, selectors.proposals_of, ("-submitted_at", "-id"))
QUOTE_EXAMPLE = {
    "gross": {"minor": 200000, "currency": "USD"},
    "fee": {"minor": 20000, "currency": "USD"},
    "tax": {"minor": 0, "currency": "USD"},
    "net": {"minor": 180000, "currency": "USD"},
    "payee_net": {"minor": 180000, "currency": "USD"},
    "fee_schedule": "standard-1",
    "fx_rate_id": None,
    "fx_rate": None,
    "spread_bps": 0,
    "clears_in_days": 5,
    "clears_on": "2026-12-24",
    "clears_on_if_silent": "2027-01-07",
    "expires_at": "2026-11-29T09:15:00Z",
    "credits": {"cost": 4, "balance": 60, "enough": True, "next_grant_at": "2026-12-01T00:00:00Z", "rule": "standard-1"},
}
RECEIPT_EXAMPLE = {
    "proposal": 12,
    "state": "declined",
    "sent_at": "2026-11-02T10:00:00Z",
    "opened": True,
    "opened_at": "2026-11-03T08:30:00Z",
    "position_when_opened": 2,
    "among_when_opened": 7,
    "position": None,
    "among": 5,
    "ranking": selectors.PROPOSAL_RANKING,
    "answer_due_at": "2026-11-16T10:00:00Z",
    "ghosted_at": None,
    "outcome": "declined",
    "outcome_at": "2026-11-05T16:00:00Z",
    "outcome_reason": "We need somebody in our time zone.",
    "credits_spent": 4,
    "credits_returned": 0,
    "credits_returned_at": None,
    "credits_returned_reason": "",
    "history": [
        {"at": "2026-11-02T10:00:00Z", "what": "submit", "by": "freelancer", "reason": ""},
        {"at": "2026-11-03T08:30:00Z", "what": "see", "by": "client", "reason": ""},
        {"at": "2026-11-05T16:00:00Z", "what": "decline", "by": "client", "reason": "We need somebody in our time zone."},
    ],
}


def _told(request: Request, proposal_id: int, status: int = 200) -> Response:
    proposal = selectors.proposal_for(request.user, proposal_id)
    return Response(shapes.ProposalSerializer(selectors.proposals_told(request.user, [proposal])[0]).data, status=status)


class QuoteView(IdempotentMixin, APIView):
    """What a bid would bring its freelancer and cost them, before it is sent: fee, tax, net, rate, day of clearing, bid credits."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="job_quote",
        tags=["jobs"],
        request=shapes.QuoteAsk,
        responses=shapes.BidQuoteSerializer,
        examples=[
            OpenApiExample("Work of 20 days", request_only=True, value={"amount_minor": 200000, "currency": "USD", "delivery_days": 20}),
            OpenApiExample("What it brings and costs", response_only=True, value=QUOTE_EXAMPLE),
        ],
    )
    def post(self, request: Request, job_id: int) -> Response:
        selectors.job_for(request.user, job_id)
        quote = services.quote_for(actor=actor_of(request), job_id=job_id, **checked(shapes.QuoteAsk, request.data))
        return Response(shapes.BidQuoteSerializer(quote).data)


class JobProposalsView(IdempotentMixin, APIView):
    """Bids on a post: the client sees all of them, a freelancer the own one."""

    permission_classes = [IsAuthenticated]
    pace = {"POST": "proposal"}

    @extend_schema(operation_id="job_proposals", tags=["proposals"], parameters=PAGE, responses=ProposalPage)
    def get(self, request: Request, job_id: int) -> Response:
        job = selectors.job_for(request.user, job_id)
        client = job.client_id == request.user.pk
        page = _ON_A_POST(request, **seen_by(request.user), job_id=job_id, client=client)
        told = selectors.proposals_told(request.user, selectors.with_writers(job, page.rows))
        if told and client:
            shown = [("proposal", p["id"], i, None) for i, p in enumerate(told, start=1)]
            capture.impressions(user_id=request.user.pk, surface="job_proposals", ranking="submitted_at", items=shown)
        return Response({"results": shapes.ProposalSerializer(told, many=True).data, "next": page.next})

    @extend_schema(
        operation_id="proposal_submit",
        tags=["proposals"],
        request=shapes.ProposalWrite,
        responses={201: shapes.ProposalSerializer},
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
        page = _OWN(request, freelancer_id=request.user.pk)
        told = selectors.proposals_told(request.user, selectors.with_posts(page.rows))
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


class ProposalReceiptView(APIView):
    """What became of the own bid: opened or not and when, where it then stood, the outcome with its reason, the credits, and every step."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="proposal_receipt",
        tags=["proposals"],
        responses=shapes.WholeReceipt,
        examples=[OpenApiExample("Opened and declined", response_only=True, value=RECEIPT_EXAMPLE)],
    )
    def get(self, request: Request, proposal_id: int) -> Response:
        return Response(shapes.WholeReceipt(proposal_selectors.proposal_receipt(request.user, proposal_id)).data)


class ProposalHistoryView(APIView):
    """Every version of a bid's terms, the one that holds first; both sides see it."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="proposal_history", tags=["proposals"], responses=shapes.ProposalVersions)
    def get(self, request: Request, proposal_id: int) -> Response:
        found = proposal_selectors.proposal_versions(request.user, proposal_id)
        return Response(shapes.ProposalVersions({"results": found}).data)


class BidCreditRuleView(APIView):
    """The cost rule that holds now."""

    permission_classes = [AllowAny]

    @extend_schema(operation_id="bid_credit_rule", tags=["proposals"], responses=shapes.CreditRuleSerializer)
    def get(self, request: Request) -> Response:
        rule = _rule()
        if rule is None:
            raise NotFound("rule")
        return Response(shapes.CreditRuleSerializer(rule).data)


class MyBidCreditsView(APIView):
    """The signed-in freelancer's bid credits: what is there, when more come, and every movement, newest first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_bid_credits", tags=["proposals"], parameters=PAGE, responses=shapes.BidCredits)
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        require(freelancer_profile_of(actor.pk) is not None, "freelancer_profile_missing", "Only freelancers have bid credits.")
        page = keyset_page(request, proposal_selectors.credit_movements(request.user), ("-number", "id"))
        standing = credits.standing_of(actor.pk)
        left = {"balance": standing.balance, "monthly": standing.monthly, "next_grant_at": standing.next_grant_at}
        return Response(shapes.BidCredits({**left, "rule": _rule(), "results": page.rows, "next": page.next}).data)


def _rule() -> dict[str, Any] | None:
    rule = credits.active_rule()
    if rule is None:
        return None
    names = ("version", "active_from", "monthly", "bands", "hourly", "unknown")
    return {**{name: getattr(rule, name) for name in names}, "returns": credits.RETURNS}


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
