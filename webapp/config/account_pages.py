"""allauth's page names, led to the web app: the OpenID provider and e-mails refer to them, the pages themselves are the web app's."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

#: allauth's name → where in the web app that is
PAGES = {
    "account_login": "/sign-in",
    "account_reauthenticate": "/sign-in",
    "account_logout": "/sign-out",
    "account_signup": "/sign-up",
    "account_inactive": "/sign-in",
    "account_email": "/settings",
    "account_email_verification_sent": "/verify-email",
    "account_confirm_login_code": "/sign-in",
    "account_change_password": "/settings",
    "account_set_password": "/settings",
    "account_reset_password": "/password-reset",
    "account_reset_password_done": "/password-reset",
    "mfa_authenticate": "/sign-in",
    "mfa_reauthenticate": "/sign-in",
    "mfa_index": "/settings",
    "socialaccount_connections": "/settings",
    "socialaccount_login_cancelled": "/sign-in",
    "socialaccount_login_error": "/sign-in",
    "socialaccount_signup": "/sign-up",
}


def _to(page: str, again: bool) -> Callable[[HttpRequest], HttpResponse]:
    @never_cache
    @require_safe
    def redirect(request: HttpRequest) -> HttpResponse:
        wanted = request.GET.get("next", "")
        query = {"reauthenticate": "1"} if again else {}
        if wanted and url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
            query["next"] = wanted
        return HttpResponseRedirect(page + (f"?{urlencode(query)}" if query else ""))

    return redirect


urlpatterns: list[URLPattern] = [
    path(name.replace("_", "-"), _to(page, name.endswith("reauthenticate")), name=name) for name, page in PAGES.items()
]
