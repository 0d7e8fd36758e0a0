"""The pages that staff reach with the browser's session alone: Django's admin and the OpenID provider of the dashboards."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from . import second_factor

GUARDED = ("/admin/", "/identity/")
LEADS_TO = f"/settings?{second_factor.CODE}=1"


class SecondFactorMiddleware:
    """Leads staff who have to set up a second factor to where they do it. The API has the same rule at its own door."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(GUARDED) and request.user.is_authenticated and second_factor.is_lacking(request.user):
            return HttpResponseRedirect(LEADS_TO)
        return self.get_response(request)
