"""What the signed-in person keeps: saved and hidden posts, saved searches, and shortlists of freelancers."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import keyset_page
from marketplace.core.policies import one_of
from marketplace.jobs import selectors, services

from . import post_serializers as shapes
from .views import PAGE, checked, page_of

_NOTE_EXAMPLE = OpenApiExample("With a note for oneself", request_only=True, value={"note": "Fast and friendly; ask again in May."})

MarkedJobPage = page_of(shapes.MarkedJob)
SavedSearchPage = page_of(shapes.SavedSearchShape)
ShortlistPage = page_of(shapes.ShortlistShape)
ShortlistItemPage = page_of(shapes.ShortlistItemShape)


class _Marks(APIView):
    permission_classes = [IsAuthenticated]
    kind = ""

    def page(self, request: Request) -> Response:
        page = keyset_page(request, selectors.marks_of(request.user, self.kind), ("-created_at", "-id"))
        cards = selectors.job_cards([mark.job for mark in page.rows])
        told = [{"job": card, "created_at": mark.created_at} for mark, card in zip(page.rows, cards, strict=True)]
        return Response({"results": shapes.MarkedJob(told, many=True).data, "next": page.next})


class _Mark(IdempotentMixin, APIView):
    permission_classes = [IsAuthenticated]
    kind = ""

    def mark(self, request: Request, job_id: int) -> Response:
        services.job_mark(actor=actor_of(request), job_id=job_id, kind=self.kind)
        return Response(status=204)

    def unmark(self, request: Request, job_id: int) -> Response:
        services.job_unmark(actor=actor_of(request), job_id=job_id, kind=self.kind)
        return Response(status=204)


class SavedJobsView(_Marks):
    """Saved posts that can still be seen, the last saved first."""

    kind = "saved"

    @extend_schema(operation_id="me_saved_jobs", tags=["kept"], parameters=PAGE, responses=MarkedJobPage)
    def get(self, request: Request) -> Response:
        return self.page(request)


class SavedJobView(_Mark):
    """Save a post for later; it is no longer hidden then."""

    kind = "saved"

    @extend_schema(operation_id="job_save", tags=["kept"], request=None, responses={204: None})
    def put(self, request: Request, job_id: int) -> Response:
        return self.mark(request, job_id)

    @extend_schema(operation_id="job_unsave", tags=["kept"], responses={204: None})
    def delete(self, request: Request, job_id: int) -> Response:
        return self.unmark(request, job_id)


class HiddenJobsView(_Marks):
    """Hidden posts, the last hidden first."""

    kind = "hidden"

    @extend_schema(operation_id="me_hidden_jobs", tags=["kept"], parameters=PAGE, responses=MarkedJobPage)
    def get(self, request: Request) -> Response:
        return self.page(request)


class HiddenJobView(_Mark):
    """Leave a post out of one's searches and recommendations; it is no longer saved then."""

    kind = "hidden"

    @extend_schema(operation_id="job_hide", tags=["kept"], request=None, responses={204: None})
    def put(self, request: Request, job_id: int) -> Response:
        return self.mark(request, job_id)

    @extend_schema(operation_id="job_unhide", tags=["kept"], responses={204: None})
    def delete(self, request: Request, job_id: int) -> Response:
        return self.unmark(request, job_id)


class SavedSearchesView(IdempotentMixin, APIView):
    """Searches under a name, with alerts of new posts."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_saved_searches", tags=["kept"], parameters=PAGE, responses=SavedSearchPage)
    def get(self, request: Request) -> Response:
        page = keyset_page(request, selectors.saved_searches_of(request.user), ("-created_at", "-id"))
        return Response({"results": shapes.SavedSearchShape(page.rows, many=True).data, "next": page.next})

    @extend_schema(
        operation_id="saved_search_create",
        tags=["kept"],
        request=shapes.SavedSearchWrite,
        responses={201: shapes.SavedSearchShape},
        examples=[
            OpenApiExample(
                "Python by the hour",
                request_only=True,
                value={"name": "Python by the hour", "parameters": {"query": "python", "pricing": "hourly"}, "pace": "instant"},
            )
        ],
    )
    def post(self, request: Request) -> Response:
        kept = services.saved_search_create(actor=actor_of(request), **checked(shapes.SavedSearchWrite, request.data))
        return Response(shapes.SavedSearchShape(kept).data, status=201)


class SavedSearchView(IdempotentMixin, APIView):
    """One saved search."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="saved_search_read", tags=["kept"], responses=shapes.SavedSearchShape)
    def get(self, request: Request, search_id: int) -> Response:
        return Response(shapes.SavedSearchShape(one_of(selectors.saved_searches_of(request.user), search_id, "saved search")).data)

    @extend_schema(
        operation_id="saved_search_update",
        tags=["kept"],
        request=shapes.SavedSearchWrite(partial=True),
        responses=shapes.SavedSearchShape,
    )
    def patch(self, request: Request, search_id: int) -> Response:
        one_of(selectors.saved_searches_of(request.user), search_id, "saved search")
        given = checked(shapes.SavedSearchWrite, request.data, partial=True)
        return Response(shapes.SavedSearchShape(services.saved_search_update(actor=actor_of(request), search_id=search_id, **given)).data)

    @extend_schema(operation_id="saved_search_delete", tags=["kept"], responses={204: None})
    def delete(self, request: Request, search_id: int) -> Response:
        services.saved_search_delete(actor=actor_of(request), search_id=search_id)
        return Response(status=204)


class ShortlistsView(IdempotentMixin, APIView):
    """A client's shortlists of freelancers."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_shortlists", tags=["kept"], parameters=PAGE, responses=ShortlistPage)
    def get(self, request: Request) -> Response:
        page = keyset_page(request, selectors.shortlists_of(request.user), ("-created_at", "-id"))
        return Response({"results": shapes.ShortlistShape(page.rows, many=True).data, "next": page.next})

    @extend_schema(
        operation_id="shortlist_create",
        tags=["kept"],
        request=shapes.ShortlistWrite,
        responses={201: shapes.ShortlistShape},
        examples=[OpenApiExample("For one kind of work", request_only=True, value={"name": "Warehouses"})],
    )
    def post(self, request: Request) -> Response:
        made = services.shortlist_create(actor=actor_of(request), **checked(shapes.ShortlistWrite, request.data))
        return _shortlist(request, made.pk, status=201)


class ShortlistView(IdempotentMixin, APIView):
    """One shortlist."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="shortlist_read", tags=["kept"], responses=shapes.ShortlistShape)
    def get(self, request: Request, shortlist_id: int) -> Response:
        return _shortlist(request, shortlist_id)

    @extend_schema(operation_id="shortlist_rename", tags=["kept"], request=shapes.ShortlistWrite, responses=shapes.ShortlistShape)
    def patch(self, request: Request, shortlist_id: int) -> Response:
        one_of(selectors.shortlists_of(request.user), shortlist_id, "shortlist")
        services.shortlist_rename(actor=actor_of(request), shortlist_id=shortlist_id, **checked(shapes.ShortlistWrite, request.data))
        return _shortlist(request, shortlist_id)

    @extend_schema(operation_id="shortlist_delete", tags=["kept"], responses={204: None})
    def delete(self, request: Request, shortlist_id: int) -> Response:
        services.shortlist_delete(actor=actor_of(request), shortlist_id=shortlist_id)
        return Response(status=204)


def _shortlist(request: Request, shortlist_id: int, status: int = 200) -> Response:
    found = one_of(selectors.shortlists_of(request.user), shortlist_id, "shortlist")
    return Response(shapes.ShortlistShape(found).data, status=status)


class ShortlistItemsView(APIView):
    """Who is on a shortlist, the last put on first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="shortlist_items", tags=["kept"], parameters=PAGE, responses=ShortlistItemPage)
    def get(self, request: Request, shortlist_id: int) -> Response:
        page = keyset_page(request, selectors.shortlist_items_of(request.user, shortlist_id), ("-added_at", "-id"))
        told = selectors.shortlist_items_told(page.rows)
        return Response({"results": shapes.ShortlistItemShape(told, many=True).data, "next": page.next})


class ShortlistItemView(IdempotentMixin, APIView):
    """A freelancer on a shortlist, with a note for oneself."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="shortlist_put",
        tags=["kept"],
        request=shapes.ShortlistNote,
        responses=shapes.ShortlistItemShape,
        examples=[_NOTE_EXAMPLE],
    )
    def put(self, request: Request, shortlist_id: int, freelancer_id: int) -> Response:
        one_of(selectors.shortlists_of(request.user), shortlist_id, "shortlist")
        given = checked(shapes.ShortlistNote, request.data)
        item = services.shortlist_put(actor=actor_of(request), shortlist_id=shortlist_id, freelancer_id=freelancer_id, **given)
        return Response(shapes.ShortlistItemShape(selectors.shortlist_items_told([item])[0]).data)

    @extend_schema(operation_id="shortlist_take_off", tags=["kept"], responses={204: None})
    def delete(self, request: Request, shortlist_id: int, freelancer_id: int) -> Response:
        services.shortlist_take_off(actor=actor_of(request), shortlist_id=shortlist_id, freelancer_id=freelancer_id)
        return Response(status=204)
