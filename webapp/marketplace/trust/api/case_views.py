"""Reports, cases, decisions and appeals over HTTP."""

from __future__ import annotations

from typing import Any

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
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.schema import Error
from marketplace.core.errors import InvalidInput

from .. import case_reading, services
from ..models import Case, Report, SecondRating
from . import case_serializers as shapes

TAG = ["moderation"]
WAITS_FOR = ("claim", "mine", "second", "appeal")


def _checked(serializer: Serializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


class ReportsView(IdempotentMixin, APIView):
    """Say that a job, proposal, message, profile, review or reply breaks the rules."""

    permission_classes = [IsAuthenticated]
    pace = {"POST": "report"}

    @extend_schema(
        operation_id="report_file",
        tags=TAG,
        request=shapes.ReportInSerializer,
        responses={201: shapes.ReportSerializer},
        examples=[
            OpenApiExample(
                "A post that wants money",
                request_only=True,
                value={"subject_type": "job", "subject_id": 7, "reason_code": "paid_to_apply", "text": "They ask for a deposit."},
            )
        ],
    )
    def post(self, request: Request) -> Response:
        report = services.report_file(actor=actor_of(request), **_checked(shapes.ReportInSerializer(data=request.data)))
        return Response(shapes.ReportSerializer(report).data, status=status.HTTP_201_CREATED)


class MyReportsView(ListAPIView):
    """What you reported, newest first, and what came of it."""

    permission_classes = [IsAuthenticated]
    serializer_class = shapes.ReportSerializer
    pagination_class = KeysetPagination
    queryset = Report.objects.none()

    def get_queryset(self) -> Any:
        return case_reading.reports_by(self.request.user)

    @extend_schema(operation_id="me_reports", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class MyDecisionsView(ListAPIView):
    """What moderators decided on your content, newest first."""

    permission_classes = [IsAuthenticated]
    serializer_class = shapes.DecisionSerializer
    pagination_class = KeysetPagination
    queryset = Case.objects.none()

    def get_queryset(self) -> Any:
        return case_reading.decisions_on(self.request.user)

    @extend_schema(operation_id="me_decisions", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


APPEAL_EXAMPLE = OpenApiExample(
    "A time, not a number", request_only=True, value={"reason": "0900 - 1200 eastern is when we meet. It is no phone number."}
)


class DecisionAppealView(IdempotentMixin, APIView):
    """Ask for another look at a decision on your content, by somebody who took no part in it."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="decision_appeal",
        tags=TAG,
        request=shapes.CaseAppealSerializer,
        responses=shapes.DecisionSerializer,
        examples=[APPEAL_EXAMPLE],
    )
    def post(self, request: Request, pk: int) -> Response:
        case = services.case_appeal(actor=actor_of(request), case_id=pk, **_checked(shapes.CaseAppealSerializer(data=request.data)))
        return Response(shapes.DecisionSerializer(case).data)


class LetterDecisionView(IdempotentMixin, APIView):
    """A decision by the link of its letter, without signing in: a suspended person can read and appeal too."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    pace = {"GET": "letter", "POST": "letter"}

    @extend_schema(operation_id="letter_decision", tags=TAG, auth=[], responses={200: shapes.DecisionSerializer, 404: Error})
    def get(self, request: Request, token: str) -> Response:
        return Response(shapes.DecisionSerializer(case_reading.decision_of_token(token)).data)

    @extend_schema(
        operation_id="letter_decision_appeal",
        tags=TAG,
        auth=[],
        request=shapes.CaseAppealSerializer,
        responses={200: shapes.DecisionSerializer, 404: Error},
        examples=[APPEAL_EXAMPLE],
    )
    def post(self, request: Request, token: str) -> Response:
        case = services.case_appeal_by_token(token=token, **_checked(shapes.CaseAppealSerializer(data=request.data)))
        return Response(shapes.DecisionSerializer(case).data)


class CasesView(ListAPIView):
    """The moderators' queue, the most urgent first; your own content and what you reported are left out."""

    permission_classes = [IsAuthenticated]
    serializer_class = shapes.CaseSerializer
    pagination_class = KeysetPagination
    queryset = Case.objects.none()
    keyset = ("decide_by", "id")

    def get_queryset(self) -> Any:
        waits_for = self.request.query_params.get("waits_for", "")
        if waits_for and waits_for not in WAITS_FOR:
            message = f"Use one of: {', '.join(WAITS_FOR)}."
            raise InvalidInput("invalid", "Please correct the marked fields and send it again.", {"waits_for": [message]})
        return case_reading.queue(self.request.user, waits_for=waits_for, now=clock.now())

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "viewer": self.request.user}

    @extend_schema(
        operation_id="staff_cases",
        tags=TAG,
        parameters=[OpenApiParameter("waits_for", str, enum=WAITS_FOR, description="Only what waits for this; absent: everything open.")],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class _CaseAct(IdempotentMixin, APIView):
    permission_classes = [IsAuthenticated]

    def told(self, request: Request, case: Case) -> Response:
        whole = case_reading.cases_for(request.user).get(pk=case.pk)
        return Response(shapes.CaseWholeSerializer(whole, context={"viewer": request.user}).data)


class CaseView(_CaseAct):
    """One case with the thing itself, the reports and what the rules found."""

    @extend_schema(operation_id="staff_case", tags=TAG, responses=shapes.CaseWholeSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return self.told(request, case_reading.case_for(request.user, pk))


class CaseClaimView(_CaseAct):
    """Take a case for half an hour; claiming again prolongs it."""

    @extend_schema(operation_id="staff_case_claim", tags=TAG, request=None, responses=shapes.CaseWholeSerializer)
    def post(self, request: Request, pk: int) -> Response:
        return self.told(request, services.case_claim(actor=actor_of(request), case_id=pk))


class CaseReleaseView(_CaseAct):
    """Give a claimed case back."""

    @extend_schema(operation_id="staff_case_release", tags=TAG, request=None, responses=shapes.CaseWholeSerializer)
    def post(self, request: Request, pk: int) -> Response:
        return self.told(request, services.case_release(actor=actor_of(request), case_id=pk))


class CaseDecideView(_CaseAct):
    """Decide a claimed case. Suspensions, and removals that hit an account with much money, then wait for a second person."""

    @extend_schema(
        operation_id="staff_case_decide",
        tags=TAG,
        request=shapes.CaseDecideSerializer,
        responses=shapes.CaseWholeSerializer,
        examples=[
            OpenApiExample(
                "Remove a post",
                request_only=True,
                value={
                    "act": "remove",
                    "reason_code": "paid_to_apply",
                    "reason": "The post asks freelancers for a deposit. Nobody pays to work here.",
                    "evidence": ["“Send a deposit of 20 USD before we start.”"],
                },
            ),
            OpenApiExample("Let it be", request_only=True, value={"act": "allow", "reason_code": "no_breach"}),
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.CaseDecideSerializer(data=request.data))
        return self.told(request, services.case_decide(actor=actor_of(request), case_id=pk, **given))


class CaseApproveView(_CaseAct):
    """The second person agrees: what was proposed is done now."""

    @extend_schema(operation_id="staff_case_approve", tags=TAG, request=None, responses=shapes.CaseWholeSerializer)
    def post(self, request: Request, pk: int) -> Response:
        return self.told(request, services.case_approve(actor=actor_of(request), case_id=pk))


class CaseSendBackView(_CaseAct):
    """The second person does not agree: the case is undecided again."""

    @extend_schema(operation_id="staff_case_send_back", tags=TAG, request=shapes.CaseReasonSerializer, responses=shapes.CaseWholeSerializer)
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.CaseReasonSerializer(data=request.data))
        return self.told(request, services.case_send_back(actor=actor_of(request), case_id=pk, **given))


class CaseDecideAppealView(_CaseAct):
    """Somebody who took no part upholds the decision, or overturns and undoes it."""

    @extend_schema(
        operation_id="staff_case_decide_appeal",
        tags=TAG,
        request=shapes.AppealDecideSerializer,
        responses=shapes.CaseWholeSerializer,
        examples=[OpenApiExample("It was a time", request_only=True, value={"overturn": True, "reason": "0900 - 1200 is a time of day."})],
    )
    def post(self, request: Request, pk: int) -> Response:
        given = _checked(shapes.AppealDecideSerializer(data=request.data))
        return self.told(request, services.appeal_decide(actor=actor_of(request), case_id=pk, **given))


class SecondRatingsView(ListAPIView):
    """Decided cases that wait for a blind second judgement by you or another moderator."""

    permission_classes = [IsAuthenticated]
    serializer_class = shapes.BlindCaseSerializer
    pagination_class = KeysetPagination
    queryset = SecondRating.objects.none()
    keyset = ("case_id",)

    def get_queryset(self) -> Any:
        return case_reading.ratings_waiting(self.request.user)

    @extend_schema(operation_id="staff_second_ratings", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class CaseRateView(IdempotentMixin, APIView):
    """Judge a case as if it were undecided; nothing is done to anybody."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="staff_case_rate", tags=TAG, request=shapes.CaseRateSerializer, responses={201: shapes.SecondRatingSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        rating = services.case_rate(actor=actor_of(request), case_id=pk, **_checked(shapes.CaseRateSerializer(data=request.data)))
        return Response(shapes.SecondRatingSerializer(rating).data, status=status.HTTP_201_CREATED)


class AgreementView(APIView):
    """How far moderators agree: share and Cohen's kappa over cases that two people judged."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="staff_moderation_agreement", tags=TAG, responses=shapes.AgreementFiguresSerializer)
    def get(self, request: Request) -> Response:
        return Response(shapes.AgreementFiguresSerializer(case_reading.agreement_figures(request.user)).data)
