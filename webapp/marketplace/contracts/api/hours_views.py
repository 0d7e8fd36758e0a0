"""Weekly hours over HTTP. The week's money is asked for, approved and disputed at its milestone's own routes."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core import clock
from marketplace.core.api.files import AnswersWithAFile
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.csv import csv_text
from marketplace.core.errors import NotFound
from marketplace.payments import selectors as money

from .. import hours_selectors, policies, selectors, services
from ..models import CapChange, Contract, Timesheet
from . import hours_serializers as shapes
from .serializers import ContractSerializer, ReasonSerializer
from .views import checked, contract_data

TAG = ["hours"]


def terms_data(viewer: Any, contract: Contract) -> Any:
    """The weekly terms as the viewer sees them. Raises NotFound on a contract without weekly hours."""
    terms = hours_selectors.hours_of(contract)
    if terms is None:
        raise NotFound("weekly contract")
    terms.contract = contract
    context = {"viewer": viewer, "cap_changes": hours_selectors.cap_changes_of(contract)}
    return shapes.HourlyTermsSerializer(terms, context=context).data


def week_data(viewer: Any, timesheet_id: int) -> Any:
    """The week as the viewer sees it now. Raises NotFound."""
    sheet = hours_selectors.sheet_for(viewer, timesheet_id)
    context = {
        "role": policies.role_in(sheet.contract, viewer),
        "now": clock.now(),
        "held": money.held_by_milestone([sheet.milestone_id]),
        "entries": hours_selectors.entries_of(sheet),
    }
    return shapes.WeekDetailSerializer(sheet, context=context).data


class HoursView(IdempotentMixin, APIView):
    """Rate, weekly cap and the handling of money of a weekly contract."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="contract_hours", tags=TAG, responses=shapes.HourlyTermsSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(terms_data(request.user, selectors.contract_for(request.user, pk)))

    @extend_schema(
        operation_id="contract_hours_settings",
        tags=TAG,
        request=shapes.HoursSettingsSerializer,
        responses=shapes.HourlyTermsSerializer,
        examples=[OpenApiExample("Fund from the wallet", request_only=True, value={"unspent": "roll", "auto_fund": True})],
    )
    def post(self, request: Request, pk: int) -> Response:
        """The client chooses where unspent money goes and whether the wallet funds each week."""
        given = checked(shapes.HoursSettingsSerializer(data=request.data))
        services.hours_settings(actor=actor_of(request), contract_id=pk, **given)
        return Response(terms_data(request.user, selectors.contract_for(request.user, pk)))


class HoursStopView(IdempotentMixin, APIView):
    """Either side ends the weeks."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="contract_hours_stop", tags=TAG, request=ReasonSerializer, responses=ContractSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """No week is opened any more; the present one runs to its end, later ones give their money back."""
        services.hours_stop(actor=actor_of(request), contract_id=pk, **checked(ReasonSerializer(data=request.data)))
        return Response(contract_data(request.user, pk))


class CapChangesView(IdempotentMixin, APIView):
    """A wish for another weekly cap."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="contract_cap_change",
        tags=TAG,
        request=shapes.CapChangeProposeSerializer,
        responses={201: shapes.CapChangeSerializer},
        examples=[OpenApiExample("30 hours", request_only=True, value={"weekly_cap_minutes": 1800, "note": "The launch is near."})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = checked(shapes.CapChangeProposeSerializer(data=request.data))
        change = services.cap_change_propose(actor=actor_of(request), contract_id=pk, **given)
        shown = shapes.CapChangeSerializer(change, context={"viewer": request.user})
        return Response(shown.data, status=status.HTTP_201_CREATED)


def _cap_change_act(action: str, about: str) -> type[APIView]:
    class View(IdempotentMixin, APIView):
        permission_classes = [IsAuthenticated]

        @extend_schema(operation_id=f"cap_change_{action}", tags=TAG, request=None, responses=shapes.CapChangeSerializer)
        def post(self, request: Request, pk: int) -> Response:
            change: CapChange = services.cap_change_answer(actor=actor_of(request), cap_change_id=pk, action=action)
            return Response(shapes.CapChangeSerializer(change, context={"viewer": request.user}).data)

    View.__doc__ = about
    View.__name__ = View.__qualname__ = f"CapChange{action.title()}View"
    return View


CapChangeAcceptView = _cap_change_act("accept", "The other side agrees: the cap holds for every week that is not funded yet.")
CapChangeDeclineView = _cap_change_act("decline", "The other side does not agree: the cap stays.")
CapChangeWithdrawView = _cap_change_act("withdraw", "Whoever proposed the cap takes the wish back.")


class WeeksView(ListAPIView):
    """The weeks of a contract, newest first."""

    permission_classes = [IsAuthenticated]
    serializer_class = shapes.WeekSerializer
    pagination_class = KeysetPagination
    keyset = ("-week_start", "-id")
    queryset = Timesheet.objects.none()

    @extend_schema(operation_id="contract_weeks", tags=TAG)
    def get(self, request: Request, pk: int) -> Response:
        contract = selectors.contract_for(request.user, pk)
        page = self.paginate_queryset(hours_selectors.sheets_of(contract)) or []
        held = money.held_by_milestone([sheet.milestone_id for sheet in page])
        return self.get_paginated_response(shapes.WeekSerializer(page, many=True, context={"held": held}).data)


class WeekView(APIView):
    """One week with its entries."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="week_read", tags=TAG, responses=shapes.WeekDetailSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(week_data(request.user, pk))


class EntriesView(IdempotentMixin, APIView):
    """The freelancer's log of a week."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="week_log",
        tags=TAG,
        request=shapes.EntryLogSerializer,
        responses={201: shapes.WeekDetailSerializer},
        examples=[
            OpenApiExample("A morning", request_only=True, value={"day": "2026-11-30", "minutes": 210, "what": "The loader's tests."})
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Log minutes of one day that has passed, within the cap, in a funded week that is not closed."""
        services.entry_log(actor=actor_of(request), timesheet_id=pk, **checked(shapes.EntryLogSerializer(data=request.data)))
        return Response(week_data(request.user, pk), status=status.HTTP_201_CREATED)


class EntryView(IdempotentMixin, APIView):
    """One entry of an open week."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="time_entry_change", tags=TAG, request=shapes.EntryChangeSerializer, responses=shapes.WeekDetailSerializer)
    def patch(self, request: Request, pk: int) -> Response:
        entry = services.entry_change(actor=actor_of(request), entry_id=pk, **checked(shapes.EntryChangeSerializer(data=request.data)))
        return Response(week_data(request.user, entry.timesheet_id))

    @extend_schema(operation_id="time_entry_remove", tags=TAG, responses={200: shapes.WeekDetailSerializer})
    def delete(self, request: Request, pk: int) -> Response:
        sheet = services.entry_remove(actor=actor_of(request), entry_id=pk)
        return Response(week_data(request.user, sheet.pk))


class WeekSubmitView(IdempotentMixin, APIView):
    """The freelancer hands the week in before Monday noon does."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="week_submit", tags=TAG, request=shapes.WeekSubmitSerializer, responses=shapes.WeekDetailSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Fixes the hours; the rest of the hold returns to the client's wallet at once."""
        sheet = services.week_submit(actor=actor_of(request), timesheet_id=pk, **checked(shapes.WeekSubmitSerializer(data=request.data)))
        return Response(week_data(request.user, sheet.pk))


class WeekQuestionView(IdempotentMixin, APIView):
    """The client asks about entries, once a week."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="week_question",
        tags=TAG,
        request=shapes.WeekQuestionSerializer,
        responses={201: shapes.WeekDetailSerializer},
        examples=[
            OpenApiExample("One entry", request_only=True, value={"questions": [{"entry_id": 7, "reason": "We had cancelled this call."}]})
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Answers with the questioned part, whose money is held apart; the other hours go on to approval."""
        given = checked(shapes.WeekQuestionSerializer(data=request.data))
        part = services.week_question(actor=actor_of(request), timesheet_id=pk, questions=[dict(q) for q in given["questions"]])
        return Response(week_data(request.user, part.pk), status=status.HTTP_201_CREATED)


class WeekAnswerView(IdempotentMixin, APIView):
    """The freelancer answers every question of a questioned part."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="week_answer",
        tags=TAG,
        request=shapes.WeekAnswerSerializer,
        responses=shapes.WeekDetailSerializer,
        examples=[
            OpenApiExample(
                "Corrected and stood by",
                request_only=True,
                value={"answers": [{"entry_id": 7, "minutes": 30}, {"entry_id": 8, "text": "See the recording of the call."}]},
            )
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        """What is corrected returns to the client at once; what stands is approved, disputed or, by silence, approved."""
        given = checked(shapes.WeekAnswerSerializer(data=request.data))
        sheet = services.week_answer(actor=actor_of(request), timesheet_id=pk, answers=[dict(a) for a in given["answers"]])
        return Response(week_data(request.user, sheet.pk))


class TimesheetFileView(AnswersWithAFile):
    """Every entry of a contract as CSV (UTF-8); texts that a spreadsheet could run as a formula are quoted."""

    permission_classes = [IsAuthenticated]
    pace = {"GET": "download"}

    @extend_schema(operation_id="contract_timesheet_file", tags=TAG, responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, pk: int) -> HttpResponse:
        contract = selectors.contract_for(request.user, pk)
        header, rows = hours_selectors.timesheet_rows(contract)
        name = f"timesheet-{contract.pk}.csv"
        answer = HttpResponse(csv_text(header, rows), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer
