"""Around a post: its history, the invitations to it, and what staff do with it and with the skills it asks for."""

from __future__ import annotations

from collections.abc import Callable

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import keyset_page
from marketplace.core.policies import require_staff
from marketplace.jobs import selectors, services
from marketplace.jobs.models import Job

from . import post_serializers as shapes
from .serializers import Invite, Invited, JobDetail, Reason, SkillSerializer
from .views import PAGE, checked, job_answer, page_of

_CHANGE_EXAMPLE = OpenApiExample(
    "Another description after bids",
    response_only=True,
    value={
        "results": [
            {
                "id": 31,
                "at": "2026-03-04T10:15:00Z",
                "by": {"id": 7, "display_name": "Alice Meyer", "country": "DE"},
                "state": "open",
                "after_bids": True,
                "before": {"description": "Three shops send their orders."},
                "after": {"description": "Four shops send their orders."},
            }
        ],
        "next": None,
    },
)
_REASON_EXAMPLE = OpenApiExample(
    "With a reason", request_only=True, value={"reason": "The budget does not fit the work: please explain it."}
)
_DECLINE_EXAMPLE = OpenApiExample("Another time", request_only=True, value={"reason": "I have no time until May."})

JobChangePage = page_of(shapes.JobChangeShape)
InvitationPage = page_of(shapes.InvitationShape)


class JobHistoryView(APIView):
    """How a post changed, newest first: all of it for its client and staff, for those who bid what changed since there were bids."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="job_history", tags=["jobs"], parameters=PAGE, responses=JobChangePage, examples=[_CHANGE_EXAMPLE])
    def get(self, request: Request, job_id: int) -> Response:
        page = keyset_page(request, selectors.history_of(request.user, job_id), ("-id",))
        return Response({"results": shapes.JobChangeShape(page.rows, many=True).data, "next": page.next})


class JobInvitationsView(IdempotentMixin, APIView):
    """Ask a freelancer to propose, and whom the client asked."""

    permission_classes = [IsAuthenticated]
    pace = {"POST": "invitation"}

    @extend_schema(operation_id="job_invitations", tags=["invitations"], parameters=PAGE, responses=InvitationPage)
    def get(self, request: Request, job_id: int) -> Response:
        page = keyset_page(request, selectors.invitations_on(request.user, job_id), ("-id",))
        told = selectors.invitations_told(request.user, page.rows)
        return Response({"results": shapes.InvitationShape(told, many=True).data, "next": page.next})

    @extend_schema(
        operation_id="job_invite",
        tags=["invitations"],
        request=Invite,
        responses={201: Invited},
        examples=[OpenApiExample("With a word", request_only=True, value={"freelancer": 8, "message": "Your loaders are what we need."})],
    )
    def post(self, request: Request, job_id: int) -> Response:
        selectors.job_for(request.user, job_id)
        given = checked(Invite, request.data)
        invitation = services.job_invite(
            actor=actor_of(request), job_id=job_id, freelancer_id=given["freelancer"], message=given["message"]
        )
        return Response(Invited(invitation).data, status=201)


class MyInvitationsView(APIView):
    """The invitations that the signed-in freelancer has received, newest first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_invitations", tags=["invitations"], parameters=PAGE, responses=InvitationPage)
    def get(self, request: Request) -> Response:
        page = keyset_page(request, selectors.invitations_of(request.user), ("-sent_at", "-id"))
        told = selectors.invitations_told(request.user, page.rows)
        return Response({"results": shapes.InvitationShape(told, many=True).data, "next": page.next})


class InvitationAcceptView(IdempotentMixin, APIView):
    """The freelancer wants to propose; the bid itself goes to `POST /jobs/{job_id}/proposals`."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="invitation_accept", tags=["invitations"], request=None, responses=shapes.InvitationShape)
    def post(self, request: Request, invitation_id: int) -> Response:
        services.invitation_accept(actor=actor_of(request), invitation_id=invitation_id)
        return _invitation(request, invitation_id)


class InvitationDeclineView(IdempotentMixin, APIView):
    """The freelancer says no; the client reads the reason."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="invitation_decline",
        tags=["invitations"],
        request=Reason,
        responses=shapes.InvitationShape,
        examples=[_DECLINE_EXAMPLE],
    )
    def post(self, request: Request, invitation_id: int) -> Response:
        selectors.invitation_for(request.user, invitation_id)
        services.invitation_decline(actor=actor_of(request), invitation_id=invitation_id, **checked(Reason, request.data))
        return _invitation(request, invitation_id)


def _invitation(request: Request, invitation_id: int) -> Response:
    told = selectors.invitations_told(request.user, [selectors.invitation_for(request.user, invitation_id)])
    return Response(shapes.InvitationShape(told[0]).data)


class _Judgement(IdempotentMixin, APIView):
    """A move of staff with a post; the client is told the reason."""

    permission_classes = [IsAuthenticated]

    def judge(self, request: Request, job_id: int, service: Callable[..., Job]) -> Response:
        selectors.job_for(request.user, job_id)
        require_staff(actor_of(request), "job_moderate")
        service(actor=actor_of(request), job_id=job_id, **checked(shapes.StaffReason, request.data))
        return job_answer(request, job_id)


class JobHoldView(_Judgement):
    """Open → in review, while staff look at it; bids wait."""

    @extend_schema(operation_id="job_hold", tags=["staff"], request=shapes.StaffReason, responses=JobDetail, examples=[_REASON_EXAMPLE])
    def post(self, request: Request, job_id: int) -> Response:
        return self.judge(request, job_id, services.job_hold)


class JobClearView(_Judgement):
    """In review → open, with the days it had left."""

    @extend_schema(operation_id="job_clear", tags=["staff"], request=shapes.StaffReason, responses=JobDetail, examples=[_REASON_EXAMPLE])
    def post(self, request: Request, job_id: int) -> Response:
        return self.judge(request, job_id, services.job_clear)


class JobRemoveView(_Judgement):
    """Take a post down; its live bids end."""

    @extend_schema(operation_id="job_remove", tags=["staff"], request=shapes.StaffReason, responses=JobDetail, examples=[_REASON_EXAMPLE])
    def post(self, request: Request, job_id: int) -> Response:
        return self.judge(request, job_id, services.job_remove)


class JobRestoreView(_Judgement):
    """Removed → open, because the removal was wrong; with the days it had left."""

    @extend_schema(operation_id="job_restore", tags=["staff"], request=shapes.StaffReason, responses=JobDetail, examples=[_REASON_EXAMPLE])
    def post(self, request: Request, job_id: int) -> Response:
        return self.judge(request, job_id, services.job_restore)


class SkillMergeView(IdempotentMixin, APIView):
    """Let every use of a skill mean another one. Its spellings go over at once; posts and profiles follow in batches."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="skill_merge",
        tags=["staff"],
        request=shapes.SkillMerge,
        responses=SkillSerializer,
        examples=[
            OpenApiExample("Two names of one thing", request_only=True, value={"into": "javascript", "reason": "The same language."})
        ],
    )
    def post(self, request: Request, slug: str) -> Response:
        require_staff(actor_of(request), "taxonomy_change")
        kept = services.skill_merge(actor=actor_of(request), slug=slug, **checked(shapes.SkillMerge, request.data))
        return Response(SkillSerializer(kept).data)


class SkillRenameView(IdempotentMixin, APIView):
    """Give a skill another name; its slug stays and the old name is still understood."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="skill_rename",
        tags=["staff"],
        request=shapes.SkillRename,
        responses=SkillSerializer,
        examples=[OpenApiExample("Its new name", request_only=True, value={"name": "Airtable Bases", "reason": "The maker renamed it."})],
    )
    def post(self, request: Request, slug: str) -> Response:
        require_staff(actor_of(request), "taxonomy_change")
        skill = services.skill_rename(actor=actor_of(request), slug=slug, **checked(shapes.SkillRename, request.data))
        return Response(SkillSerializer(skill).data)
