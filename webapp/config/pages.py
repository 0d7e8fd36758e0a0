"""The web app's one HTML page; the built files beside it are served by WhiteNoise under /static/app/."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

NOT_BUILT = "<!doctype html><title>Openlance</title><p>The web app is not built yet. Run <code>make demo</code>, or <code>make web</code> and reload."

# The page runs and loads nothing that this server did not send; `data:` images are the controls' icons in the style sheet.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


@require_safe
@ensure_csrf_cookie
def web_app(request: HttpRequest, page: str = "") -> HttpResponse:
    """The single page that answers every address of the web app; 503 with what to do when it was never built."""
    index = settings.FRONTEND_DIST / "index.html"
    if not index.is_file():
        return HttpResponse(NOT_BUILT, status=503)
    response = HttpResponse(index.read_bytes())
    response["Cache-Control"] = "no-cache"
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response["Referrer-Policy"] = "same-origin"
    response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
    return response
