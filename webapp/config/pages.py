"""The web app's one HTML page; the built files beside it are served by WhiteNoise under /static/app/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.core.errors import Conflict, NotFound
from marketplace.notifications import services
from marketplace.notifications.letters import read_token
from marketplace.payments import services as payments

NOT_BUILT = "<!doctype html><title>Openlance</title><p>The web app is not built yet. Run <code>make demo</code>, or <code>make web</code> and reload."

# The page runs and loads nothing that this server did not send; `data:` images are the controls' icons in the style sheet. The one exception
# is the form of a gateway that takes cards in the page: its own addresses, and only where this installation has it.
_SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def content_security_policy() -> str:
    """What the web app's page may load."""
    forms = payments.card_form_sources()
    lines = (" ".join((name, *filter(None, (own, *forms.get(name, ()))))) for name, own in _SOURCES.items() if own or name in forms)
    return "; ".join(lines)


@require_safe
@ensure_csrf_cookie
def web_app(request: HttpRequest, page: str = "") -> HttpResponse:
    """The single page that answers every address of the web app; 503 with what to do when it was never built."""
    index = settings.FRONTEND_DIST / "index.html"
    if not index.is_file():
        return HttpResponse(NOT_BUILT, status=503)
    response = HttpResponse(index.read_bytes())
    response["Cache-Control"] = "no-cache"
    response["Content-Security-Policy"] = content_security_policy()
    response["Referrer-Policy"] = "same-origin"
    response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
    return response


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Behind the link at a letter's foot. Looking changes nothing (mail programs look ahead); the button, and a mail program's one click
    (RFC 8058), turn the topic off without a sign-in: the signed link is the authority, so there is nothing for a forged request to use.
    """
    topic = services.unsubscribe(token=token) if request.method == "POST" else None
    known = read_token(token)
    answer = render(request, "unsubscribe.html", {"topic": known and known[1], "done": topic}, status=200 if known else 404)
    answer["Content-Security-Policy"] = "default-src 'none'; form-action 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sandbox_challenge(request: HttpRequest, ref: str) -> HttpResponse:
    """The page of a test card's bank, where the payer says yes or no. The address is the authority, as a bank's is; there is none without the
    sandbox. The same answer twice is one answer."""
    status, asked = 200, None
    try:
        asked = payments.sandbox_challenge(ref=ref)
        if request.method == "POST":
            asked = payments.sandbox_answer(ref=ref, agrees=request.POST.get("answer") == "yes")
    except Conflict:
        status = 409
    except NotFound:
        status = 404
    answer = render(request, "sandbox_challenge.html", {"asked": asked}, status=status)
    answer["Content-Security-Policy"] = "default-src 'none'; form-action 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def _api_or_page(code: str, message: str, status: int, page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """An error view: under /api/ the API's own error shape, elsewhere Django's page."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.path.startswith("/api/"):
            return JsonResponse({"code": code, "message": message, "fields": {}}, status=status)
        return page(request, *args, **kwargs)

    return answer


bad_request = _api_or_page("bad_request", "The request cannot be read. Check its address, headers and body.", 400, defaults.bad_request)
not_found = _api_or_page("not_found", "There is no such address. See /api/docs.", 404, defaults.page_not_found)
server_error = _api_or_page(
    "server_error", "Something went wrong on our side. Try again with the same Idempotency-Key.", 500, defaults.server_error
)
