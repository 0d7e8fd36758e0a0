"""The pages that staff reach with the browser's session alone: Django's admin and the OpenID provider of the dashboards; and what
allauth's routes are sent and cannot read."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import TracebackType
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

from . import second_factor

GUARDED = ("/admin/", "/identity/")
LEADS_TO = f"/settings?{second_factor.CODE}=1"
SIGN_IN = "/_allauth/"
_NOT_AN_OBJECT = {"message": "Send one JSON object, in UTF-8 and not nested deeply.", "code": "invalid"}
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


class UnreadableSignInMiddleware:
    """400 in allauth's shape, with a message, for what its routes stumble at: a body that is no JSON object (nested too deeply, or with a number
    of thousands of digits, it was a 500; else a 400 without a word), and a credential of which the passkey library makes nothing: allauth
    catches some of that library's errors and lets others pass."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        reads_json = request.path.startswith(SIGN_IN) and getattr(getattr(view, "view_class", None), "handle_json_input", False)
        if not reads_json or request.method == "GET" or not request.body or _is_object(request.body):
            return None
        return _refused(_NOT_AN_OBJECT)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not request.path.startswith(SIGN_IN) or "webauthn" not in request.path or not _raised_by("fido2", exception.__traceback__):
            return None
        return _refused(_NOT_A_PASSKEY)


def _refused(error: dict[str, str]) -> HttpResponse:
    return JsonResponse({"status": 400, "errors": [error]}, status=400)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _raised_by(package: str, trace: TracebackType | None) -> bool:
    """Whether the exception passed through the package: what it calls may have raised it."""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == package:
            return True
        trace = trace.tb_next
    return False
