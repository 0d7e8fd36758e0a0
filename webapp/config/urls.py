"""All routes. Each app's API lives under /api/v1; every other path is the web app's page."""

from allauth.account.decorators import secure_admin_login
from allauth.urls import build_provider_urlpatterns
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from . import docs, pages
from .pages import web_app

# The admin has no sign-in of its own: rate limits, codes and second factors of the one sign-in hold there too. Nothing is posted to it, since
# Django's form takes another's password from whoever is signed in, without the second factor. Nor does it change passwords: ours ends sessions.
admin.site.login = secure_admin_login(require_safe(admin.site.login))  # type: ignore[method-assign]
admin.site.password_change = RedirectView.as_view(url="/settings")  # type: ignore[method-assign, assignment]

api_v1: list[URLPattern | URLResolver] = [
    path("schema", docs.document, name="schema"),
    path("", include("marketplace.core.api.urls")),
    path("", include("marketplace.activity.api.urls")),
    path("", include("marketplace.accounts.api.urls")),
    path("", include("marketplace.payments.api.urls")),
    path("", include("marketplace.jobs.api.urls")),
    path("", include("marketplace.contracts.api.urls")),
    path("", include("marketplace.messaging.api.urls")),
    path("", include("marketplace.matching.api.urls")),
    path("", include("marketplace.disputes.api.urls")),
    path("", include("marketplace.trust.api.urls")),
    path("", include("marketplace.notifications.api.urls")),
]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/docs", docs.api, name="api-docs"),
    path("api/docs/sign-in", docs.signing_in, name="sign-in-docs"),
    path("api/v1/", include(api_v1)),
    path("_allauth/", include("allauth.headless.urls")),
    path("unsubscribe/<str:token>", pages.unsubscribe, name="unsubscribe"),
    path("sandbox/challenges/<slug:ref>", pages.sandbox_challenge, name="sandbox-challenge"),
    path("accounts/", include("config.account_pages")),
    path("accounts/", include(build_provider_urlpatterns())),  # where providers send people back to
    path("", include("allauth.idp.urls")),
    re_path(r"^(?!api/|static/|_allauth/|admin/|identity/|\.well-known/)(?P<page>.*)$", web_app, name="web-app"),
]

handler400, handler404, handler500 = pages.bad_request, pages.not_found, pages.server_error
