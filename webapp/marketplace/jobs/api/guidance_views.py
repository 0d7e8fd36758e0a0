"""What data says to whoever posts a job: who fits it, and what like jobs cost."""

from __future__ import annotations

from dataclasses import asdict

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.activity import capture
from marketplace.core.api.pagination import limit_of
from marketplace.jobs import guidance, selectors
from marketplace.jobs.search import people

from . import search_serializers as shapes
from .search_views import freelancer_card


class SuggestedFreelancersView(APIView):
    """Freelancers who fit a post by skills and budget, best first, with the reasons; without those who have bid already. For its client."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="job_suggested_freelancers",
        tags=["jobs"],
        parameters=[OpenApiParameter("limit", int, description="1 to 100; default 10.")],
        responses=shapes.SuggestedFreelancers,
    )
    def get(self, request: Request, job_id: int) -> Response:
        found = guidance.suggested_freelancers(actor=actor_of(request), job_id=job_id, limit=limit_of(request, default=10))
        shown = [("freelancer", hit.user.pk, hit.position, hit.score) for hit in found.hits]
        batch = capture.impressions(user_id=request.user.pk, surface="job_suggestions", ranking=people.RANKING, items=shown)
        more = [{"position": h.position, "score": h.score, "reasons": h.reasons, "estimate": h.estimate} for h in found.hits]
        results = [{**freelancer_card(hit), **extra} for hit, extra in zip(found.hits, more, strict=True)]
        return Response(shapes.SuggestedFreelancers({"ranking": people.RANKING, "batch": batch, "results": results}).data)


class PriceGuideView(APIView):
    """What like posts of the last two years were agreed at, and how many bids they drew in their first week."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="price_guide",
        tags=["jobs"],
        parameters=[shapes.PriceGuideQuery],
        responses=shapes.PriceGuide,
    )
    def get(self, request: Request) -> Response:
        query = shapes.PriceGuideQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        category = selectors.terms(kind="category", slugs=[asked["category"]])
        if not category:
            raise ValidationError({"category": ["Choose one of the categories."]})
        slugs = sorted({s for s in (part.strip() for part in asked["skills"].split(",")) if s})
        skills = selectors.terms(kind="skill", slugs=slugs)
        if unknown := sorted(set(slugs) - {s.slug for s in skills}):
            raise ValidationError({"skills": [f"Unknown: {', '.join(unknown)}."]})
        found = guidance.price_guide(
            category_id=category[0].id, skill_ids=[s.id for s in skills], pricing=asked["pricing"], currency=asked["currency"]
        )
        return Response(shapes.PriceGuide(asdict(found)).data)
