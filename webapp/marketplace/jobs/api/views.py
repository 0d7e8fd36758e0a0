"""Posts: the catalogue, the search, and what their clients do with them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import PAGE_PARAMETERS, keyset_page
from marketplace.jobs import selectors, services
from marketplace.jobs.models import Category

from . import serializers as shapes
from .search_views import JobSearchMixin

PAGE = [OpenApiParameter(p["name"], p["schema"], "query", description=p["description"]) for p in PAGE_PARAMETERS]


def page_of(child: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """The shape of a keyset page of `child`."""
    fields = {"results": child(many=True), "next": serializers.CharField(allow_null=True, help_text="Path and query of the next page.")}
    return type(f"{child.__name__}Page", (serializers.Serializer,), fields)


def checked(shape: type[serializers.Serializer], data: Any, **options: Any) -> dict[str, Any]:
    """The validated input. Raises ValidationError."""
    given = shape(data=data, **options)
    given.is_valid(raise_exception=True)
    found: dict[str, Any] = given.validated_data
    return found


class CategoriesView(APIView):
    """The fields of work."""

    permission_classes = [AllowAny]

    @extend_schema(operation_id="categories", tags=["jobs"], responses=shapes.CategorySerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(shapes.CategorySerializer(Category.objects.order_by("name"), many=True).data)


class SkillsView(APIView):
    """Skills by name or alias, the likeliest first."""

    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="skills",
        tags=["jobs"],
        parameters=[OpenApiParameter("query", str, description="What was typed so far.")],
        responses=shapes.SkillInCategory(many=True),
    )
    def get(self, request: Request) -> Response:
        found = selectors.skills_matching(request.query_params.get("query", ""))
        return Response(shapes.SkillInCategory(found, many=True).data)


class JobsView(JobSearchMixin, IdempotentMixin, APIView):
    """The search over open posts, and writing a new one."""

    pace = {"GET": "search"}

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method == "GET" else IsAuthenticated()]

    @extend_schema(
        operation_id="job_create",
        tags=["jobs"],
        request=shapes.JobWrite,
        responses={201: shapes.JobDetail},
        examples=[
            OpenApiExample(
                "A fixed-price post",
                request_only=True,
                value={
                    "title": "Data pipeline for a shop",
                    "description": "Load orders from three sources into one warehouse, every hour.",
                    "category": "data",
                    "skills": ["python", "sql"],
                    "pricing": "fixed",
                    "currency": "USD",
                    "budget_min_minor": 150000,
                    "budget_max_minor": 250000,
                    "questions": [
                        {"text": "Which loader would you use?"},
                        {"text": "Have you worked with this shop's API?", "kind": "yes_no"},
                        {"text": "Where do you want the warehouse?", "kind": "choice", "required": False, "choices": ["Yours", "Ours"]},
                    ],
                },
            )
        ],
    )
    def post(self, request: Request) -> Response:
        job = services.job_create(actor=actor_of(request), **checked(shapes.JobWrite, request.data))
        return job_answer(request, job.pk, status=201)


def job_answer(request: Request, job_id: int, status: int = 200) -> Response:
    """The whole post as the asker sees it. Raises NotFound."""
    job = selectors.job_for(request.user, job_id)
    return Response(shapes.JobDetail(selectors.job_detail(request.user, job)).data, status=status)


class JobView(IdempotentMixin, APIView):
    """One post."""

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method == "GET" else IsAuthenticated()]

    @extend_schema(operation_id="job_read", tags=["jobs"], responses=shapes.JobDetail)
    def get(self, request: Request, job_id: int) -> Response:
        return job_answer(request, job_id)

    @extend_schema(operation_id="job_update", tags=["jobs"], request=shapes.JobTerms(partial=True), responses=shapes.JobDetail)
    def patch(self, request: Request, job_id: int) -> Response:
        selectors.job_for(request.user, job_id)
        services.job_update(actor=actor_of(request), job_id=job_id, **checked(shapes.JobTerms, request.data, partial=True))
        return job_answer(request, job_id)


class JobPublishView(IdempotentMixin, APIView):
    """Draft → open, or in review when it has to be looked at first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="job_publish", tags=["jobs"], request=shapes.ConfirmDuplicate, responses=shapes.JobDetail)
    def post(self, request: Request, job_id: int) -> Response:
        selectors.job_for(request.user, job_id)
        services.job_publish(actor=actor_of(request), job_id=job_id, **checked(shapes.ConfirmDuplicate, request.data))
        return job_answer(request, job_id)


class JobCloseView(IdempotentMixin, APIView):
    """End the post without hiring; waiting bids are archived with the reason."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="job_close", tags=["jobs"], request=shapes.Reason, responses=shapes.JobDetail)
    def post(self, request: Request, job_id: int) -> Response:
        selectors.job_for(request.user, job_id)
        services.job_close(actor=actor_of(request), job_id=job_id, **checked(shapes.Reason, request.data))
        return job_answer(request, job_id)


class JobRenewView(IdempotentMixin, APIView):
    """Open an expired post again."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="job_renew", tags=["jobs"], request=shapes.ConfirmDuplicate, responses=shapes.JobDetail)
    def post(self, request: Request, job_id: int) -> Response:
        selectors.job_for(request.user, job_id)
        services.job_renew(actor=actor_of(request), job_id=job_id, **checked(shapes.ConfirmDuplicate, request.data))
        return job_answer(request, job_id)


class MyJobsView(APIView):
    """The signed-in client's own posts, newest first, and how many there are in each state."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_jobs", tags=["jobs"], parameters=PAGE, responses=shapes.MyJobs)
    def get(self, request: Request) -> Response:
        page = keyset_page(request, selectors.jobs_of(request.user), ("-created_at", "-id"))
        cards = selectors.job_cards(page.rows)
        body = {"results": cards, "next": page.next, "counts": selectors.job_counts(request.user)}
        return Response(shapes.MyJobs(body).data)
