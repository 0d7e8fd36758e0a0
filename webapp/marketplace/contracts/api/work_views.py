"""What goes on beside the milestones, over HTTP. Rules are in services and policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core import clock
from marketplace.core.api.files import AnswersWithAFile
from marketplace.core.api.idempotency import IdempotentMixin, key_of
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.files import files_of, files_of_many

from .. import calendar, selectors, services
from ..models import Bonus, CalendarFeed, ProgressReport, RefundRequest, WorkRequest
from . import serializers as contract_shapes
from . import work_serializers as shapes
from .views import TAG, checked, milestone_data


class ApprovePartView(IdempotentMixin, APIView):
    """The client pays a part of the held money now; the freelancer is asked about the rest, and silence agrees."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="milestone_approve_part",
        tags=TAG,
        request=shapes.ApprovePartSerializer,
        responses=contract_shapes.MilestoneSerializer,
        examples=[
            OpenApiExample(
                "The first of two loads",
                request_only=True,
                value={"amount_minor": 30000, "rest": "next", "reason": "The second source comes with the next milestone."},
            )
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.ApprovePartSerializer(data=request.data))
        milestone = services.milestone_approve_part(actor=actor_of(request), milestone_id=pk, **given)
        return Response(milestone_data(request.user, milestone))


class RefundAskView(IdempotentMixin, APIView):
    """The client asks the held money back. The freelancer has seven days to answer; silence gives it back."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="milestone_refund_request",
        tags=TAG,
        request=shapes.RefundAskSerializer,
        responses={201: contract_shapes.RefundRequestSerializer},
        examples=[OpenApiExample("All of it", request_only=True, value={"reason": "We do not need this any more."})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.RefundAskSerializer(data=request.data))
        opened = services.refund_request_open(actor=actor_of(request), milestone_id=pk, **given)
        return Response(contract_shapes.RefundRequestSerializer(opened).data, status=status.HTTP_201_CREATED)


def _request_act(
    noun: str, name: str, service: Callable[..., Any], answer_shape: type[Serializer], request_shape: type[Serializer] | None = None
) -> type[APIView]:
    """A view that answers or withdraws a request and shows it."""

    class View(IdempotentMixin, APIView):
        permission_classes = [IsAuthenticated]

        @extend_schema(operation_id=f"{noun}_{name}", tags=TAG, request=request_shape, responses=answer_shape)
        def post(self, request: Request, pk: int) -> Response:
            given = checked(request_shape(data=request.data)) if request_shape else {}
            return Response(answer_shape(service(actor=actor_of(request), request_id=pk, **given)).data)

    View.__doc__ = (service.__doc__ or "").strip().split("\n")[0]
    View.__name__ = View.__qualname__ = f"{noun.title().replace('_', '')}{name.title()}View"
    return View


_refund, _work = contract_shapes.RefundRequestSerializer, shapes.WorkRequestSerializer
RefundAcceptView = _request_act("refund_request", "accept", services.refund_request_accept, _refund)
RefundRefuseView = _request_act("refund_request", "refuse", services.refund_request_refuse, _refund, shapes.RefundRefusalSerializer)
RefundWithdrawView = _request_act("refund_request", "withdraw", services.refund_request_withdraw, _refund)
WorkAcceptView = _request_act("work_request", "accept", services.work_request_accept, _work, shapes.WorkAnswerSerializer)
WorkDeclineView = _request_act("work_request", "decline", services.work_request_decline, _work, shapes.WorkAnswerSerializer)
WorkWithdrawView = _request_act("work_request", "withdraw", services.work_request_withdraw, _work)


class _ContractList(ListAPIView):
    """Rows of one contract, newest first."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    keyset = ("-id",)


class RefundRequestsView(_ContractList):
    """Every request for held money on a contract, newest first."""

    serializer_class = contract_shapes.RefundRequestSerializer
    queryset = RefundRequest.objects.none()

    def get_queryset(self) -> Any:
        return selectors.refund_requests_of(selectors.contract_for(self.request.user, self.kwargs["pk"]))

    @extend_schema(operation_id="contract_refund_requests", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class WorkRequestsView(_ContractList):
    """Every request between the sides of a contract, newest first."""

    serializer_class = shapes.WorkRequestSerializer
    queryset = WorkRequest.objects.none()

    def get_queryset(self) -> Any:
        return selectors.work_requests_of(selectors.contract_for(self.request.user, self.kwargs["pk"]))

    @extend_schema(operation_id="contract_work_requests", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class BonusesView(IdempotentMixin, _ContractList):
    """The contract's bonuses, and a new one from the client's wallet."""

    serializer_class = shapes.BonusSerializer
    queryset = Bonus.objects.none()

    def get_queryset(self) -> Any:
        return selectors.bonuses_of(selectors.contract_for(self.request.user, self.kwargs["pk"]))

    @extend_schema(operation_id="contract_bonuses", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="contract_bonus",
        tags=TAG,
        request=shapes.BonusInSerializer,
        responses={201: shapes.BonusSerializer},
        examples=[OpenApiExample("50.00 extra", request_only=True, value={"amount_minor": 5000, "note": "Faster than promised."})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.BonusInSerializer(data=request.data))
        key = key_of(request, required=True)
        bonus = services.bonus_give(actor=actor_of(request), contract_id=pk, idempotency_key=key, **given)
        return Response(shapes.BonusSerializer(bonus).data, status=status.HTTP_201_CREATED)


class ExtensionView(IdempotentMixin, APIView):
    """Ask the other side for a later due date."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="milestone_extension",
        tags=TAG,
        request=shapes.ExtensionSerializer,
        responses={201: shapes.WorkRequestSerializer},
        examples=[OpenApiExample("A week more", request_only=True, value={"due_at": "2026-03-20T12:00:00Z", "reason": "The flu."})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.ExtensionSerializer(data=request.data))
        asked = services.extension_ask(actor=actor_of(request), milestone_id=pk, **given)
        return Response(shapes.WorkRequestSerializer(asked).data, status=status.HTTP_201_CREATED)


class ProgressAskView(IdempotentMixin, APIView):
    """The client asks how far the work is."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="milestone_progress_request",
        tags=TAG,
        request=shapes.ProgressAskSerializer,
        responses={201: shapes.WorkRequestSerializer},
        examples=[OpenApiExample("A word", request_only=True, value={"text": "How far are you?"})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.ProgressAskSerializer(data=request.data))
        asked = services.progress_ask(actor=actor_of(request), milestone_id=pk, **given)
        return Response(shapes.WorkRequestSerializer(asked).data, status=status.HTTP_201_CREATED)


class PauseAskView(IdempotentMixin, APIView):
    """Ask the other side to let the contract's clocks stand still."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="contract_pause_request", tags=TAG, request=shapes.PauseAskSerializer, responses={201: shapes.WorkRequestSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.PauseAskSerializer(data=request.data))
        asked = services.pause_ask(actor=actor_of(request), contract_id=pk, **given)
        return Response(shapes.WorkRequestSerializer(asked).data, status=status.HTTP_201_CREATED)


class ProgressView(IdempotentMixin, _ContractList):
    """The progress reports of a milestone, newest first, and the freelancer's new one."""

    serializer_class = shapes.ProgressSerializer
    queryset = ProgressReport.objects.none()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        milestone = selectors.milestone_for(request.user, self.kwargs["pk"])
        rows = self.paginate_queryset(selectors.progress_of(milestone)) or []
        return self.get_paginated_response(shapes.ProgressSerializer(rows, many=True, context={"files": files_of_many(rows)}).data)

    @extend_schema(operation_id="milestone_progress", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="milestone_progress_report",
        tags=TAG,
        request=shapes.ProgressInSerializer,
        responses={201: shapes.ProgressSerializer},
        examples=[
            OpenApiExample("Half of it", request_only=True, value={"text": "The first source loads; its tests come next.", "percent": 50})
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.ProgressInSerializer(data=request.data))
        report = services.progress_report(actor=actor_of(request), milestone_id=pk, **given)
        context = {"files": {report.pk: files_of(report)}}
        return Response(shapes.ProgressSerializer(report, context=context).data, status=status.HTTP_201_CREATED)


class BoardView(IdempotentMixin, APIView):
    """The board of a milestone, which both sides edit."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="milestone_tasks", tags=TAG, responses=shapes.BoardSerializer)
    def get(self, request: Request, pk: int) -> Response:
        tasks = selectors.board_of(selectors.milestone_for(request.user, pk))
        return Response(shapes.BoardSerializer({"tasks": tasks}).data)

    @extend_schema(
        operation_id="milestone_task_add",
        tags=TAG,
        request=shapes.WorkTaskInSerializer,
        responses={201: shapes.WorkTaskSerializer},
        examples=[OpenApiExample("A card", request_only=True, value={"title": "Write the loader's tests", "assignee": "freelancer"})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.WorkTaskInSerializer(data=request.data))
        task = services.work_task_add(actor=actor_of(request), milestone_id=pk, **given)
        return Response(shapes.WorkTaskSerializer(task).data, status=status.HTTP_201_CREATED)


class TaskView(IdempotentMixin, APIView):
    """One card of a board."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="task_change",
        tags=TAG,
        request=shapes.WorkTaskChangeSerializer,
        responses=shapes.WorkTaskSerializer,
        examples=[OpenApiExample("To the top of the done ones", request_only=True, value={"column": "done", "position": 0})],
    )
    def patch(self, request: Request, pk: int) -> Response:
        given = checked(shapes.WorkTaskChangeSerializer(data=request.data))
        return Response(shapes.WorkTaskSerializer(services.work_task_change(actor=actor_of(request), task_id=pk, **given)).data)

    @extend_schema(operation_id="task_remove", tags=TAG, responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        services.work_task_remove(actor=actor_of(request), task_id=pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MyCalendarFeedView(IdempotentMixin, APIView):
    """The secret address of one's deadlines as a calendar."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_calendar_feed", tags=TAG, responses=shapes.CalendarFeedSerializer)
    def get(self, request: Request) -> Response:
        feed = CalendarFeed.objects.filter(user=actor_of(request)).first()
        found: dict[str, Any] = (
            {"url": None, "created_at": None} if feed is None else {"url": calendar.url_of(feed), "created_at": feed.created_at}
        )
        return Response(shapes.CalendarFeedSerializer(found).data)

    # the answer to a POST is stored for its repetition, so it does not hold the secret
    @extend_schema(operation_id="me_calendar_feed_make", tags=TAG, request=None, responses={201: shapes.CalendarFeedMadeSerializer})
    def post(self, request: Request) -> Response:
        feed = services.calendar_feed_make(actor=actor_of(request))
        return Response(shapes.CalendarFeedMadeSerializer({"created_at": feed.created_at}).data, status=status.HTTP_201_CREATED)

    @extend_schema(operation_id="me_calendar_feed_revoke", tags=TAG, responses={204: None})
    def delete(self, request: Request) -> Response:
        services.calendar_feed_revoke(actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CalendarView(AnswersWithAFile):
    """A person's deadlines as iCalendar, for calendar programs: the address is the key."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="calendar_read",
        tags=TAG,
        parameters=[
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="An ETag of before: 304 when nothing changed.")
        ],
        responses={(200, "text/calendar"): OpenApiTypes.STR, 304: None},
    )
    def get(self, request: Request, token: str) -> HttpResponse:
        feed = calendar.feed_of(token)
        content = calendar.render(feed.user_id, clock.now())
        etag = calendar.etag_of(content)
        known = {t.strip().removeprefix("W/") for t in request.headers.get("If-None-Match", "").split(",")}
        if etag in known or "*" in known:
            answer = HttpResponse(status=status.HTTP_304_NOT_MODIFIED)
        else:
            answer = HttpResponse(content, content_type="text/calendar; charset=utf-8")
            answer["Content-Disposition"] = 'inline; filename="openlance.ics"'
        answer["ETag"] = etag
        answer["Cache-Control"] = "private, no-cache"
        answer["Referrer-Policy"] = "no-referrer"
        return answer
