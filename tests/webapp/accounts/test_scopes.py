"""The one table of what programs and impersonations may do: whatever is not in it is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from marketplace.accounts import scopes
from marketplace.accounts.models import ImpersonatedRequest
from marketplace.core.models import Event
from tests.webapp.signing import program, set_up_totp, sign_in

UNSAFE = ("post", "put", "patch", "delete")


def routes(patterns: list[Any], before: str = "") -> list[tuple[str, str | None, Any]]:
    """(route below api/v1/, its name, its view) of every route of the API."""
    found = []
    for p in patterns:
        path = before + str(p.pattern)
        if isinstance(p, URLResolver):
            found += routes(p.url_patterns, path)
        elif isinstance(p, URLPattern) and path.startswith("api/v1/"):
            found.append((path.removeprefix("api/v1/"), p.name, getattr(p.callback, "view_class", None) or p.callback.cls))  # type: ignore[attr-defined]
    return found


def test_the_table_names_only_routes_that_are_there_each_once() -> None:
    changing = {name for _, name, view in routes(get_resolver().url_patterns) if any(hasattr(view, m) for m in UNSAFE)}
    assert changing >= scopes.WRITE | scopes.MONEY
    assert not scopes.WRITE & scopes.MONEY


def test_what_the_table_does_not_name_is_closed_to_every_token(alice: Any) -> None:
    made = sign_in(alice).post("me/tokens", {"name": "All of it", "scopes": list(scopes.SCOPES)}).json()
    holder = program(made["token"])
    closed = 0
    for route, name, view in routes(get_resolver().url_patterns):
        for method in UNSAFE:
            if hasattr(view, method) and name not in scopes.WRITE | scopes.MONEY and view.authentication_classes:
                address = re.sub(r"<int:\w+>", "1", re.sub(r"<slug:\w+>", "nothing", route))
                answer = holder.call(method, address)
                assert (answer.status_code, answer.json()["code"]) == (403, "token_closed"), (method, route)
                closed += 1
    assert closed >= 20


def test_nobody_speaks_in_the_name_of_somebody_else(alice: Any, staff: Any) -> None:
    """Reviews, messages, reports, proposals, posts that go public, what a dispute's side says: closed, also when such a route is new."""
    assert scopes.HELP <= scopes.WRITE
    desk = sign_in(staff("support"))
    set_up_totp(desk)
    started = desk.post("staff/impersonations", {"user_id": alice.pk, "reason": "Ticket 481."}).json()
    acting, before, closed = desk.acting(started["id"]), Event.objects.count(), set()
    for route, name, view in routes(get_resolver().url_patterns):
        for method in UNSAFE:
            if hasattr(view, method) and name in scopes.WRITE - scopes.HELP:
                answer = acting.call(method, re.sub(r"<int:\w+>", "1", route))
                assert (answer.status_code, answer.json()["code"]) == (403, "impersonation_personal"), (method, route)
                closed.add(name)
    assert closed == scopes.WRITE - scopes.HELP and Event.objects.count() == before
    assert closed >= {"contract-review", "review-reply", "reports", "job-proposals", "proposal", "job-publish", "dispute-evidence"}
    assert closed >= {"milestone-dispute", "dispute-appeal", "milestones-submit", "contracts-accept", "work-requests-decline"}
    assert acting.patch("me", {"display_name": "Alice A."}).status_code == 200
    assert acting.get("me/contracts").status_code == 200
    kept = ImpersonatedRequest.objects.filter(status=403).values_list("path", flat=True)
    assert "/api/v1/reports" in kept, "what was refused is traced too"


@pytest.mark.parametrize(
    ("asked", "scope"),
    [
        (("GET", "jobs", "jobs"), "read"),
        (("HEAD", "jobs", "jobs"), "read"),
        (("POST", "jobs", "jobs"), "write"),
        (("POST", "me/payouts", "payouts"), "money"),
        (("PATCH", "contracts/<int:pk>/hours", "contracts-hours"), "money"),
        (("POST", "contracts/<int:pk>/cap-changes", "contracts-cap-changes"), "money"),
        (("POST", "cap-changes/<int:pk>/accept", "cap-changes-accept"), "money"),
        (("POST", "something/new", "something-new"), None),
        (("POST", "nameless", None), None),
        (("GET", "me/tokens", "me-tokens"), None),
        (("GET", "me/tokens/<int:token_id>", "me-token"), None),
        (("GET", "me/tokens-of-others", "x"), "read"),
        (("GET", "staff/groups", "staff-groups"), None),
    ],
    ids=["read", "head", "write", "money", "auto-funding", "cap", "cap-accepted", "new", "nameless", "tokens", "token", "alike", "staff"],
)
def test_the_scope_of_a_request(asked: tuple[str, str, str | None], scope: str | None) -> None:
    assert scopes.scope_of(*asked) == scope
