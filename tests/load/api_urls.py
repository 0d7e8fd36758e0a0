"""All routes of the product, and `bare`: what REST framework, sign-in included, costs to answer with one row."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.urls import handler400, handler404, handler500
from config.urls import urlpatterns as product
from marketplace.jobs.models import Category

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]


class BareView(APIView):
    """One row by its key, as a dictionary; authentication and permissions are the house's defaults."""

    def get(self, request: Request) -> Response:
        return Response(Category.objects.values("id", "slug", "name").get(pk=1))


urlpatterns = [path("bare", BareView.as_view()), *product]
