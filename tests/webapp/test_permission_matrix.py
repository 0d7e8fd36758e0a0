"""Who gets what from every route under /api/v1. A route that is not in the table fails, and so does one that is gone.

The house holds one contract of alice's (client) with bob (freelancer): job, proposal, funded milestone handed in, dispute. charlie is a
stranger, sam is staff. 400 and 409 mean that the person got past the door, but the input or the state stopped them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.models import Event
from marketplace.core.tasks import drain
from tests.webapp.contracts_cast import (  # noqa: F401 (fixtures)
    books_balance,
    contract,
    dispute,
    fund,
    funded,
    offer,
    planned,
    proposal,
    submitted,
)
from tests.webapp.people import Person

WHO = ("anonymous", "charlie", "alice", "bob", "sam")
#: webhooks carry the provider's own unique id and signature instead of an Idempotency-Key
NOT_KEYED = {"webhooks/<slug:provider>/<slug:path_token>"}

#: bodies that get past the check of shapes, so that the door itself answers; an empty object for the others
BODIES: dict[str, dict[str, Any]] = {
    "clock/advance": {"seconds": 1},
    "activity/views": {"item_type": "job", "item_id": 1},
    "me/freelancer-profile": {"title": "Somebody"},
    "jobs/<int:job_id>/quote": {"amount_minor": 1000, "currency": "USD"},
    "jobs/<int:job_id>/proposals": {"cover_letter": "Again.", "amount_minor": 1000, "currency": "USD"},
    "proposals/<int:proposal_id>/decline": {"reason": "No."},
    "contracts/<int:pk>/pause": {"reason": "Holidays."},
    "contracts/<int:pk>/review": {"rating": 5, "text": "Good work, on time."},
    "milestones/<int:pk>/submit": {"note": "Here it is."},
    "milestones/<int:pk>/request-changes": {"text": "Please change the colour."},
    "milestones/<int:pk>/dispute": {"claim": "It is not what we agreed on."},
    "disputes/<int:pk>/settle": {"to_freelancer_minor": 0, "to_client_minor": 40_000, "reason": "Nothing was delivered."},
    "milestones/<int:pk>/fund": {"provider": "sandbox", "method": {"token": "tok_visa"}},
}

# fmt: off
#: (method, route): status for anonymous, charlie (stranger), alice (client), bob (freelancer), sam (staff)
TABLE: dict[tuple[str, str], tuple[int, int, int, int, int]] = {
    ("GET", "schema"): (200, 200, 200, 200, 200),
    ("GET", "health"): (200, 200, 200, 200, 200),
    ("GET", "clock"): (200, 200, 200, 200, 200),
    ("POST", "clock/advance"): (401, 403, 403, 403, 200),
    ("POST", "activity/views"): (401, 202, 202, 202, 202),
    ("GET", "me"): (401, 200, 200, 200, 200),
    ("PATCH", "me"): (401, 200, 200, 200, 200),
    ("PUT", "me/client-profile"): (401, 200, 200, 200, 200),
    ("PUT", "me/freelancer-profile"): (401, 200, 200, 200, 200),
    ("GET", "freelancers/<int:user_id>"): (401, 200, 200, 200, 200),
    ("GET", "me/balances"): (401, 200, 200, 200, 200),
    ("GET", "me/transactions"): (401, 200, 200, 200, 200),
    ("GET", "me/payouts"): (401, 200, 200, 200, 200),
    ("POST", "me/payouts"): (401, 400, 400, 400, 400),
    ("GET", "payments/<int:payment_id>"): (401, 404, 200, 404, 404),
    ("GET", "fee-schedule"): (200, 200, 200, 200, 200),
    ("POST", "webhooks/<slug:provider>/<slug:path_token>"): (404, 404, 404, 404, 404),
    ("GET", "categories"): (200, 200, 200, 200, 200),
    ("GET", "skills"): (200, 200, 200, 200, 200),
    ("GET", "jobs"): (200, 200, 200, 200, 200),
    ("POST", "jobs"): (401, 400, 400, 400, 400),
    ("GET", "jobs/<int:job_id>"): (404, 404, 200, 200, 200),
    ("PATCH", "jobs/<int:job_id>"): (401, 404, 409, 403, 403),
    ("POST", "jobs/<int:job_id>/publish"): (401, 404, 409, 403, 403),
    ("POST", "jobs/<int:job_id>/close"): (401, 404, 409, 403, 403),
    ("POST", "jobs/<int:job_id>/renew"): (401, 404, 409, 403, 403),
    ("POST", "jobs/<int:job_id>/invitations"): (401, 404, 400, 400, 400),
    ("POST", "jobs/<int:job_id>/quote"): (401, 404, 403, 200, 403),
    ("GET", "jobs/<int:job_id>/proposals"): (401, 404, 200, 200, 200),
    ("POST", "jobs/<int:job_id>/proposals"): (401, 404, 403, 409, 403),
    ("GET", "me/jobs"): (401, 200, 200, 200, 200),
    ("GET", "me/proposals"): (401, 200, 200, 200, 200),
    ("GET", "proposals/<int:proposal_id>"): (401, 404, 200, 200, 200),
    ("PATCH", "proposals/<int:proposal_id>"): (401, 404, 403, 409, 403),
    ("POST", "proposals/<int:proposal_id>/shortlist"): (401, 404, 409, 409, 409),
    ("POST", "proposals/<int:proposal_id>/decline"): (401, 404, 409, 409, 409),
    ("POST", "proposals/<int:proposal_id>/withdraw"): (401, 404, 409, 409, 409),
    ("POST", "proposals/<int:pk>/offer"): (401, 404, 409, 403, 403),
    ("GET", "me/contracts"): (401, 200, 200, 200, 200),
    ("GET", "contracts/<int:pk>"): (401, 404, 200, 200, 200),
    ("GET", "contracts/<int:pk>/timeline"): (401, 404, 200, 200, 200),
    ("POST", "contracts/<int:pk>/accept"): (401, 404, 409, 409, 409),
    ("POST", "contracts/<int:pk>/decline"): (401, 404, 409, 409, 409),
    ("POST", "contracts/<int:pk>/cancel"): (401, 404, 409, 409, 409),
    ("POST", "contracts/<int:pk>/pause"): (401, 404, 403, 403, 200),
    ("POST", "contracts/<int:pk>/resume"): (401, 404, 403, 403, 409),
    ("POST", "milestones/<int:pk>/fund"): (401, 404, 409, 403, 403),
    ("POST", "milestones/<int:pk>/start"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/submit"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/request-changes"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/approve"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/refund"): (401, 404, 403, 409, 403),
    ("GET", "me/recommended-jobs"): (401, 200, 403, 200, 403),
    ("POST", "milestones/<int:pk>/dispute"): (401, 404, 409, 409, 409),
    ("GET", "disputes/<int:pk>"): (401, 404, 200, 200, 200),
    ("POST", "disputes/<int:pk>/withdraw"): (401, 404, 200, 403, 403),
    ("POST", "disputes/<int:pk>/settle"): (401, 404, 403, 403, 200),
    ("POST", "contracts/<int:pk>/review"): (401, 404, 409, 409, 403),
    ("GET", "contracts/<int:pk>/reviews"): (401, 404, 200, 200, 200),
    ("GET", "users/<int:pk>/reputation"): (401, 200, 200, 200, 200),
    ("GET", "me/inbox"): (401, 200, 200, 200, 200),
    ("POST", "me/inbox/<int:pk>/read"): (401, 404, 200, 404, 404),
}
# fmt: on


def routes() -> Iterator[tuple[str, Any]]:
    """Every route under /api/v1 with its view class."""

    def walk(patterns: list[Any], before: str) -> Iterator[tuple[str, Any]]:
        for p in patterns:
            path = before + str(p.pattern)
            if isinstance(p, URLResolver):
                yield from walk(p.url_patterns, path)
            elif isinstance(p, URLPattern) and path.startswith("api/v1/"):
                yield path.removeprefix("api/v1/"), getattr(p.callback, "view_class", None) or p.callback.cls

    yield from walk(get_resolver().url_patterns, "")


def operations() -> list[tuple[str, str]]:
    return [(m.upper(), path) for path, view in routes() for m in ("get", "post", "put", "patch", "delete") if hasattr(view, m)]


@pytest.fixture
def house(dispute: Any, alice: Any, bob: Any) -> dict[str, int]:  # noqa: F811
    """The number to put into a route, by the noun before it."""
    from marketplace.notifications.models import InboxItem
    from marketplace.payments.models import Payment

    drain()
    milestone = dispute.milestone
    return {
        "freelancers": bob.pk,
        "users": bob.pk,
        "jobs": milestone.contract.job_id,
        "proposals": milestone.contract.proposal_id,
        "contracts": milestone.contract_id,
        "milestones": milestone.pk,
        "disputes": dispute.pk,
        "payments": Payment.objects.get(payer=alice).pk,
        "inbox": InboxItem.objects.filter(user=alice).values_list("pk", flat=True).first() or 1,
    }


def address(route: str, numbers: dict[str, int]) -> str:
    filled = re.sub(r"(\w+)/<int:\w+>", lambda m: f"{m[1]}/{numbers[m[1]]}", route)
    return "/api/v1/" + re.sub(r"<slug:\w+>", "nothing", filled)


def test_every_route_is_in_the_table_and_every_row_is_a_route() -> None:
    assert set(operations()) == set(TABLE)


def test_every_post_can_be_repeated_safely() -> None:
    posts = {path: view for path, view in routes() if hasattr(view, "post")}
    assert {path for path, view in posts.items() if not issubclass(view, IdempotentMixin)} == NOT_KEYED


def statuses(operation: tuple[str, str], numbers: dict[str, int], people: list[Person]) -> tuple[int, ...]:
    method, route = operation
    found = []
    for i, person in enumerate(people):
        with transaction.atomic():
            body = {} if method == "GET" else {"data": BODIES.get(route, {}), "format": "json", "HTTP_IDEMPOTENCY_KEY": f"matrix-{i}"}
            answer = getattr(person.client, method.lower())(address(route, numbers), **body)
            found.append(answer.status_code)
            transaction.set_rollback(True)
    return tuple(found)


def test_everybody_gets_what_the_table_says(house: dict[str, int], alice: Any, bob: Any, charlie: Any, sam: Any) -> None:
    people = [Person(), *(Person(u) for u in (charlie, alice, bob, sam))]
    events = Event.objects.count()
    found = {operation: statuses(operation, house, people) for operation in operations()}
    assert found == TABLE
    assert Event.objects.count() == events


def test_whoever_is_denied_changes_nothing(house: dict[str, int], charlie: Any) -> None:
    """Without the roll-back: what is refused to a stranger and to nobody has left no trace."""
    events = Event.objects.count()
    for (method, route), expected in TABLE.items():
        for person, status in ((Person(), expected[0]), (Person(charlie), expected[1])):
            if method != "GET" and status in (401, 403, 404):
                sent = {"data": BODIES.get(route, {}), "format": "json", "HTTP_IDEMPOTENCY_KEY": f"{method}{route}"[:120]}
                assert getattr(person.client, method.lower())(address(route, house), **sent).status_code == status, route
    assert Event.objects.count() == events
