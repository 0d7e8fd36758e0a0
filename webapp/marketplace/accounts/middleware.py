"""The pages that staff reach with the browser's session alone: Django's admin and the OpenID provider of the dashboards; and passkeys that are none."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

from . import second_factor

GUARDED = ("/admin/", "/identity/")
LEADS_TO = f"/settings?{second_factor.CODE}=1"
SIGN_IN = "/_allauth/"
_NOT_A_PASSKEY = {
    "message": "This is no passkey that can be read. Ask for new options and try again.",
    "code": "incorrect_code",
    "param": "credential",
}


class SecondFactorMiddleware:
    """Leads staff who have to set up a second factor to where they do it. The API has the same rule at its own door."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(GUARDED) and request.user.is_authenticated and second_factor.is_lacking(request.user):
            return HttpResponseRedirect(LEADS_TO)
        return self.get_response(request)


class UnreadablePasskeyMiddleware:
    """400 in allauth's shape for a credential at which the passkey library stumbles: allauth catches some of its errors and lets others pass."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not request.path.startswith(SIGN_IN) or "webauthn" not in request.path or not _raised_by("fido2", exception.__traceback__):
            return None
        return JsonResponse({"status": 400, "errors": [_NOT_A_PASSKEY]}, status=400)


def _raised_by(package: str, trace: TracebackType | None) -> bool:
    """Whether the exception passed through the package: what it calls may have raised it."""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == package:
            return True
        trace = trace.tb_next
    return False
