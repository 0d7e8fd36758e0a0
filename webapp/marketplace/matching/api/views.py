"""Recommended jobs."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core.api.pagination import limit_of
from marketplace.matching import services, suggestions

from .serializers import RecommendationsSerializer, SkillSuggestionsSerializer

EXAMPLE = {
    "model_version": "3@20261124T101500-a1b2",
    "publish_id": "20261124T101500-a1b2",
    "fallback": False,
    "note": "",
    "batch": "6f1c1f0e-9d2c-4f5e-8a59-6f6d8b3f0c11",
    "results": [
        {
            "job": {
                "id": 812, "title": "Django developer for a booking system", "category": "software", "category_name": "Software development",
                "pricing": "fixed", "currency": "USD", "budget_min_minor": 120000, "budget_max_minor": 200000, "experience_level": "expert",
                "client_country": "DE", "proposal_count": 4, "opened_at": "2026-11-23T08:00:00Z", "expires_at": "2026-12-23T08:00:00Z",
            },
            "skills": [{"slug": "django", "name": "Django"}],
            "position": 1, "score": 0.41, "placed_by": "score",
            "parts": [{"name": "base", "value": -1.2, "text": "an average freelancer and an average job"}, {"name": "skill_cover", "value": 1.61, "text": "how much of the job your skills cover"}],
        }
    ],
}  # fmt: skip


class RecommendedJobsView(APIView):
    """Jobs for the signed-in freelancer, best first, each with the parts that its score is the sum of."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="recommended_jobs",
        tags=["matching"],
        parameters=[OpenApiParameter("limit", int, description="1 to 100; default 20.")],
        responses=RecommendationsSerializer,
        examples=[OpenApiExample("One job", EXAMPLE, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        found = services.recommended_jobs(actor=request.user, limit=limit_of(request, default=20))  # type: ignore[arg-type]
        return Response(RecommendationsSerializer(found).data)


SUGGESTED = {
    "model_version": "skills-2@20261124T101500-a1b2",
    "note": "",
    "results": [{"skill": "postgresql", "name": "PostgreSQL", "score": 0.62, "reason": "often claimed beside Django"}],
}
NONE_YET = {"model_version": "none", "note": "no model suggests skills yet", "results": []}


class SkillSuggestionsView(APIView):
    """Skills that the signed-in freelancer may have and does not claim; empty, with a note, while no model provides any."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="skill_suggestions",
        tags=["matching"],
        parameters=[OpenApiParameter("limit", int, description="1 to 100, of which at most 50 are given; default 10.")],
        responses=SkillSuggestionsSerializer,
        examples=[OpenApiExample("One skill", SUGGESTED, response_only=True), OpenApiExample("No model", NONE_YET, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        found = suggestions.skill_suggestions(actor=request.user, limit=limit_of(request, default=10))  # type: ignore[arg-type]
        results = [{"skill": term.slug, "name": term.name, "score": s.score, "reason": s.reason} for term, s in found.skills]
        return Response({"model_version": found.model_version, "note": found.note, "results": results})
