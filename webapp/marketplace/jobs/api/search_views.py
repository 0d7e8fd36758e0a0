"""The search over open posts and the search for freelancers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from marketplace.activity import capture
from marketplace.core.api.pagination import decode_cursor, encode_cursor
from marketplace.core.errors import InvalidInput
from marketplace.jobs import search, selectors
from marketplace.jobs.search import facts, people, posts
from marketplace.jobs.search.engine import REMEMBERED

from . import search_serializers as shapes


class JobSearchMixin:
    """GET of the route of posts."""

    @extend_schema(
        operation_id="jobs_search",
        tags=["jobs"],
        parameters=[shapes.JobSearch],
        responses=shapes.JobSearchResult,
    )
    def get(self, request: Request) -> Response:
        asked = _checked(shapes.JobSearch, request)
        filters = job_filters(request.user, asked)
        place = _place(asked["cursor"])
        found = posts.find(
            request.user, asked["query"], filters, sort=asked["sort"], after=place, limit=asked["limit"], facets=asked["facets"]
        )
        cards = [selectors.job_card(hit.job, hit.skills) for hit in found.hits]
        return _answer(request, asked, found, filters.told(), "job", [hit.job.pk for hit in found.hits], cards, posts.RANKING)


class FreelancersView(APIView):
    """The search for freelancers, for everybody signed in."""

    permission_classes = [IsAuthenticated]
    pace = {"GET": "search"}

    @extend_schema(
        operation_id="freelancers_search",
        tags=["jobs"],
        parameters=[shapes.FreelancerSearch],
        responses=shapes.FreelancerSearchResult,
    )
    def get(self, request: Request) -> Response:
        asked = _checked(shapes.FreelancerSearch, request)
        filters = freelancer_filters(request.user, asked)
        place = _place(asked["cursor"])
        found = people.find(
            request.user, asked["query"], filters, sort=asked["sort"], after=place, limit=asked["limit"], facets=asked["facets"]
        )
        cards = [freelancer_card(hit) for hit in found.hits]
        return _answer(request, asked, found, filters.told(), "freelancer", [hit.user.pk for hit in found.hits], cards, people.RANKING)


def _checked(shape: type[shapes._Search], request: Request) -> dict[str, Any]:
    """The query string, validated. The shapes keep nothing between two of them, so one instance serves all (building it costs the most)."""
    found: dict[str, Any] = _instance(shape).run_validation(request.query_params.dict())
    return found


@cache
def _instance(shape: type[shapes._Search]) -> shapes._Search:
    return shape(data={})


def job_filters(viewer: Any, asked: dict[str, Any]) -> posts.Filters:
    """The filters of a checked JobSearch, as this viewer means them. Raises ValidationError for a category or skill that does not exist."""
    plain = ("skills_mode", "pricing", "level", "currency", "country", "location", "payment_verified", "worked_before")
    numbers = ("budget_min", "budget_max", "posted_within_days", "overlap_hours", "proposals_max", "hire_rate_min", "rating_min")
    given: dict[str, Any] = {**_common(viewer, asked), **{n: asked[n] for n in plain}, **{n: asked.get(n) for n in numbers}}
    return posts.Filters(
        **given,
        clients=tuple(facts.clients_of(viewer.pk)) if asked["worked_before"] and viewer.is_authenticated else (),
    )


def freelancer_filters(viewer: Any, asked: dict[str, Any]) -> people.Filters:
    """The filters of a checked FreelancerSearch, as this viewer means them. Raises ValidationError like job_filters."""
    plain = ("skills_mode", "level", "currency", "country", "language", "availability", "worked_before")
    numbers = ("rate_min", "rate_max", "overlap_hours", "rating_min", "years_min", "hires_min", "hours_min")
    given: dict[str, Any] = {**_common(viewer, asked), **{n: asked[n] for n in plain}, **{n: asked.get(n) for n in numbers}}
    return people.Filters(
        **given,
        users=tuple(facts.hired_by(viewer.pk)) if asked["worked_before"] and viewer.is_authenticated else (),
    )


def _common(viewer: Any, asked: dict[str, Any]) -> dict[str, Any]:
    category, slugs = asked["category"], tuple(sorted({s for s in (part.strip() for part in asked["skills"].split(",")) if s}))
    if category and not facts.categories_known([category]):
        raise ValidationError({"category": ["Choose one of the categories."]})
    if unknown := sorted(set(slugs) - facts.skills_known(slugs)):
        raise ValidationError({"skills": [f"Unknown: {', '.join(unknown)}."]})
    zone = asked["time_zone"] or getattr(viewer, "time_zone", "") or "UTC"
    return {"category": category, "skills": tuple(facts.skills_meant(slugs)), "time_zone": zone}


def _place(cursor: str) -> search.Place | None:
    if not cursor:
        return None
    as_of, shown, value, tie, *pks = decode_cursor(cursor, 4 + REMEMBERED)
    whole = all(type(n) is int and 0 <= n < 2**62 for n in (as_of, shown, *pks)) and type(tie) is int and abs(tie) < 2**62
    if not whole or type(value) not in (int, float) or not math.isfinite(value) or abs(value) >= 2**62:
        raise InvalidInput("cursor_invalid", "This page address is not valid. Start again from the first page.", {"cursor": ["Not ours."]})
    return search.Place(as_of, shown, float(value), tie, tuple(pk for pk in pks if pk) or (0,))


def _answer(
    request: Request,
    asked: dict[str, Any],
    found: posts.Found | people.Found,
    told: dict[str, Any],
    noun: str,
    ids: list[int],
    cards: list[dict[str, Any]],
    ranking: str,
) -> Response:
    """The page, captured as shown. Its values are plain JSON already: the shapes describe them, and cost nothing here."""
    surface = f"{noun}_search"
    hits: Sequence[posts.Hit | people.Hit] = found.hits
    shown: dict[str, Any] = {
        "user_id": request.user.pk,
        "surface": surface,
        "ranking": f"{ranking}:{asked['sort']}",
        "items": [(noun, pk, hit.position, hit.score) for pk, hit in zip(ids, hits, strict=True)],
    }
    if asked["cursor"]:
        batch = capture.impressions(**shown)
    else:
        batch = capture.search(**shown, query=asked["query"], filters={**told, "sort": asked["sort"]}, hits=found.total)
    following = None
    if (p := found.after) is not None:
        cursor = encode_cursor([p.as_of, p.shown, p.value, p.tie, *p.pks, *([0] * (REMEMBERED - len(p.pks)))])
        following = replace_query_param(request.get_full_path(), "cursor", cursor)
    more = [{"position": h.position, "score": h.score, "reasons": h.reasons, "estimate": h.estimate} for h in hits]
    body = {
        "results": [{**_plain(card), **extra} for card, extra in zip(cards, more, strict=True)],
        "next": following,
        "total": found.total,
        "loosened": found.loosened,
        "ranking": ranking,
        "batch": batch,
        "facets": _facets(found.facets),
    }
    return Response(body)


def _plain(card: dict[str, Any]) -> dict[str, Any]:
    """The card with its instants written as the serializers' fields write them."""
    return {k: v.isoformat().replace("+00:00", "Z") if isinstance(v, datetime) else v for k, v in card.items()}


def _facets(counts: dict[str, list[tuple[str, int]]]) -> dict[str, list[dict[str, Any]]]:
    names: dict[str, dict[str, str]] = {}
    if "category" in counts:
        names["category"] = facts.categories_known([v for v, _ in counts["category"]])
    if "skill" in counts:
        names["skill"] = facts.skill_names([v for v, _ in counts["skill"]])
    return {
        facet: [
            {"value": v, "name": names.get(facet, {}).get(v) or (v if facet == "country" else v.capitalize()), "count": n} for v, n in rows
        ]
        for facet, rows in counts.items()
    }


def freelancer_card(hit: people.Hit) -> dict[str, Any]:
    user, profile = hit.user, hit.user.freelancer_profile
    plain = ("hourly_rate_minor", "currency", "experience_level", "years_experience", "availability", "hours_per_week")
    return {
        "id": user.pk,
        "display_name": user.display_name,
        "country": user.country,
        "title": profile.title,
        "summary": selectors.summary_of(profile.overview),
        "category": {"slug": hit.category[0], "name": hit.category[1]} if hit.category else None,
        "skills": [{"slug": slug, "name": name} for slug, name in hit.skills],
        **{name: getattr(profile, name) for name in plain},
        "rating": hit.rating or None,
        "hires": hit.hires,
    }
