"""What every proof of identity must pass before a view is asked: default deny, in one place.

A program's token and an impersonation open what accounts.scopes lists, staff without a second factor next to nothing. All refusals are 403
in the API's own shape.
"""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from . import impersonation, scopes, second_factor, sessions
from .models import ApiToken, User

PREFIX = "api/v1/"
#: what staff without a second factor may still read: their own account, from which the web app sees what is missing
OWN_ACCOUNT = "me"


def by_session(request: Request, user: User, session_key: str | None) -> User:
    """Whoever the request acts as: the session's own person, or the one whom staff impersonate in it. Raises PermissionDenied."""
    sessions.mark_seen(session_key)
    request._request.session_key = session_key  # type: ignore[attr-defined]
    method, route, name = _asked(request)
    if second_factor.is_lacking(user) and not (method in scopes.SAFE and (name == OWN_ACCOUNT or _is_public(request))):
        raise PermissionDenied(second_factor.MESSAGE, code=second_factor.CODE)
    wanted = request.headers.get(impersonation.HEADER)
    if wanted is None:
        return user
    running = impersonation.running(user, wanted, session_key)
    if running is None:
        raise PermissionDenied("This impersonation is over, or was not started in this session.", code="impersonation_over")
    impersonation.trace(request._request, running)
    scope = scopes.scope_of(method, route, name)
    if scope not in ("read", "write"):
        message = "Nobody moves money or changes security settings as somebody else. Leave the header out to act as yourself."
        raise PermissionDenied(message, code="impersonation_forbidden")
    if scope == "write" and name not in scopes.HELP:
        message = "Nobody speaks, promises or judges as somebody else. Leave the header out to act as yourself."
        raise PermissionDenied(message, code="impersonation_personal")
    return running.user


def by_token(request: Request, token: ApiToken) -> User:
    """The token's owner, when its scopes open this very route and method. Raises PermissionDenied."""
    if token.user.is_staff:
        raise PermissionDenied("Staff act in a session with a second factor, not with a token.", code="token_staff")
    needed = scopes.scope_of(*_asked(request))
    if needed is None:
        raise PermissionDenied("No token opens this address. Sign in to use it.", code="token_closed")
    if needed not in token.scopes:
        raise PermissionDenied(f"This token lacks the scope “{needed}”.", code="token_scope")
    return token.user


def _asked(request: Request) -> tuple[str, str, str | None]:
    """Method, route below /api/v1/ and name of the route."""
    match = request._request.resolver_match
    route = match.route if match is not None else ""
    return request.method or "", route.removeprefix(PREFIX), match.url_name if match is not None else None


def _is_public(request: Request) -> bool:
    view: Any = (request.parser_context or {}).get("view")
    return view is not None and AllowAny in view.permission_classes
