"""The pages on which the API is read and tried by hand. They load nothing from elsewhere and run no script that is written into a page."""

from __future__ import annotations

import functools
from typing import Any

from django.views.decorators.csrf import ensure_csrf_cookie
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.request import Request
from rest_framework.response import Response

# Swagger UI writes style attributes and keeps its icons in the style sheet as `data:` images.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


class DocsView(SpectacularSwaggerView):
    """Open to everybody, also to those whom the API refuses until they have set something up: the page is where they can do it."""

    template_name = "api_docs.html"
    authentication_classes: Any = ()
    page = "api"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)
        response.data["page"] = self.page
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response["Referrer-Policy"] = "same-origin"
        return response


api = ensure_csrf_cookie(DocsView.as_view(url_name="schema"))
signing_in = ensure_csrf_cookie(DocsView.as_view(url="/_allauth/openapi.json", title="Signing in to Openlance", page="sign-in"))


@functools.cache
def _document() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


class _Generator(SchemaGenerator):
    """The document, made once a process: it is the same for everybody and depends on the code alone."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        return _document()


document = SpectacularAPIView.as_view(generator_class=_Generator)
