"""Who gets what from every route under /api/v1. A route that is not in the table (tests/webapp/matrix) fails, and so does one that is gone.

The house holds one contract of alice's (client) with bob (freelancer): job, proposal, funded milestone handed in, dispute. charlie is a
stranger; of each staff group there is one. 400 and 409 mean that the person got past the door, but the input or the state stopped them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from marketplace.accounts.api_tokens import token_create
from marketplace.contracts import services as work
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.payments import services as pay
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
from tests.webapp.hours_cast import weekly_numbers
from tests.webapp.matrix.table import BODIES, GROUPS, TABLE
from tests.webapp.people import Person

#: webhooks carry the provider's own unique id and signature instead of an Idempotency-Key
NOT_KEYED = {"webhooks/<slug:provider>/<slug:path_token>"}


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


def _stored() -> str:
    return default_storage.save("a", ContentFile(b"a"))


def around_the_post(alice: Any, bob: Any, job: Any) -> dict[str, int]:
    """An invitation that bob's bid has answered, a search of bob's, a shortlist of alice's with bob on it."""
    from marketplace.jobs import services
    from marketplace.jobs.models import Invitation

    listed = services.shortlist_create(actor=alice, name="Good ones").pk
    services.shortlist_put(actor=alice, shortlist_id=listed, freelancer_id=bob.pk)
    return {
        "invitations": Invitation.objects.create(
            job=job, freelancer=bob, state="accepted", created_at=job.created_at, sent_at=job.created_at, answered_at=job.created_at
        ).pk,
        "saved-jobs": job.pk,
        "hidden-jobs": job.pk,
        "saved-searches": services.saved_search_create(actor=bob, name="Python", parameters={}).pk,
        "shortlists": listed,
        "items": bob.pk,
    }


def _session_of(user: Any) -> int:
    session = SessionStore()
    session["nothing"] = 1
    session.save()
    return UserSession.objects.create(user=user, session_key=session.session_key, ip="127.0.0.1", user_agent="x").pk


def beside_the_work(alice: Any, contract: Any) -> dict[str, int]:  # noqa: F811
    """On the second milestone, which is funded: money that alice asked back, a later date that she offers, a task."""
    second = contract.milestones.get(position=2)
    work.milestone_fund(actor=alice, milestone_id=second.pk, provider="sandbox", method={"token": "tok_visa"}, idempotency_key="fund-2")
    later = second.due_at + timedelta(days=1)
    return {
        "refund-requests": work.refund_request_open(actor=alice, milestone_id=second.pk, reason="Other plans.").pk,
        "work-requests": work.extension_ask(actor=alice, milestone_id=second.pk, due_at=later, reason="Take your time.").pk,
        "tasks": work.work_task_add(actor=alice, milestone_id=second.pk, title="Draw the cart").pk,
    }


def around_the_money(alice: Any, bob: Any, at: Any) -> dict[str, int]:
    """A refund to alice's card, a place to which bob is paid, a notification; no payout, for which money would have to be earned."""
    from marketplace.core.money import Money
    from marketplace.payments import refunds, services
    from marketplace.payments.models import FeeProposal, HandRate, PaymentRefund, WebhookEvent

    paid_in = {"purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}, "idempotency_key": "matrix"}
    payment = services.payment_start(actor_id=alice.pk, amount=Money(5_000, "USD"), **paid_in)
    heard = {"provider": "sandbox", "event_id": "matrix", "kind": "k", "object_ref": "nothing", "body": {}, "received_at": at}
    back = {"provider": "sandbox", "amount_minor": 1_000, "currency": "USD", "idempotency_key": "matrix", "created_at": at}
    with transaction.atomic():
        refund = PaymentRefund.objects.create(payment=payment, **back)
        refunds._post(refund, "request", alice.pk, "payer_request")
    return {
        "refunds": refund.pk,
        "payouts": 10**9,
        "debts": 10**9,
        "payout-methods": services.payout_method_add(actor=bob, provider="sandbox", method={"token": "bank_ok"}).pk,
        "webhooks": WebhookEvent.objects.create(**heard).pk,
        "fee-schedules": FeeProposal.objects.create(
            version="p",
            active_from=at,
            terms={"freelancer_fee_bps": 1, "tax_bps": 0, "tiers": {}, "minimum": {}},
            state="refused",
            reason="r",
            asked_by=alice,
            asked_at=at,
            decided_by=alice,
            decided_at=at,
        ).pk,
        "hand-rates": HandRate.objects.create(
            currency="KES", per_usd=130, state="set", reason="r", asked_by=alice, asked_at=at, decided_by=alice, decided_at=at
        ).pk,
    }


@pytest.fixture
def house(dispute: Any, alice: Any, bob: Any) -> dict[str, int]:  # noqa: F811
    """The number to put into a route, by the noun before it."""
    from marketplace.accounts.models import DataExport, Impersonation, ProfileEntry
    from marketplace.contracts.models import CounterOffer
    from marketplace.core.models import BulkAct, StoredFile
    from marketplace.notifications.models import InboxItem
    from marketplace.payments.models import Account, Difference, Document, Entry, Payment, ProcessorFile
    from marketplace.trust.models import Case, Review

    milestone = dispute.milestone
    review = Review.objects.create(
        contract=milestone.contract,
        author=alice,
        subject=bob,
        author_side="client",
        rating=5,
        written_at=dispute.opened_at,
        opened_at=dispute.opened_at,
    )
    about = {"subject_type": "job", "subject_id": milestone.contract.job_id, "about": alice, "opened_at": dispute.opened_at}
    flagged = Case.objects.create(**about, decide_by=dispute.decide_by)
    decided = Case.objects.create(**about, state="actioned", act="warn", reason_code="spam", appeal_until=dispute.decide_by)
    asked = beside_the_work(alice, milestone.contract)
    drain()
    entries = {
        section: ProfileEntry.objects.create(
            freelancer=bob.freelancer_profile,
            section=section,
            position=1,
            title="One",
            organisation="Acme",
            started_on=date(2020, 1, 1),
            created_at=dispute.opened_at,
        ).pk
        for section in ProfileEntry.Section.values
    }
    around = around_the_post(alice, bob, milestone.contract.job)
    counter = CounterOffer.objects.create(
        contract=milestone.contract,
        state="lapsed",
        milestones=[],
        total_minor=1,
        quote=milestone.contract.offer.quote,
        made_at=dispute.opened_at,
    )
    return {
        **around,
        **entries,
        "clients": alice.pk,
        "counter-offers": counter.pk,
        "exports": DataExport.objects.create(
            user=bob,
            state="ready",
            requested_at=dispute.opened_at,
            due_at=dispute.opened_at,
            expires_at=dispute.opened_at + timedelta(days=7),
            stored_as=_stored(),
        ).pk,
        "freelancers": bob.pk,
        "users": bob.pk,
        "people": bob.pk,
        "groups": Group.objects.get(name="support").pk,
        "tokens": token_create(actor=bob, name="Time tracker", scopes=["read"])[0].pk,
        "sessions": _session_of(bob),
        "impersonations": Impersonation.objects.create(
            staff=alice, user=bob, reason="x", session_digest="", started_at=dispute.opened_at, expires_at=dispute.opened_at
        ).pk,
        "jobs": milestone.contract.job_id,
        "proposals": milestone.contract.proposal_id,
        "contracts": milestone.contract_id,
        "milestones": milestone.pk,
        "disputes": dispute.pk,
        "reviews": review.pk,
        "cases": flagged.pk,
        "decisions": decided.pk,
        "documents": Document.objects.filter(recipient=alice, about="deposit").earliest("pk").pk,
        "differences": Difference.objects.create(
            provider="sandbox",
            currency="USD",
            item="line:x",
            aspect="amount",
            live_key="sandbox:USD:line:x:amount",
            kind="missing_with_us",
            effect_minor=1,
            since=dispute.opened_at,
            opened_at=dispute.opened_at,
        ).pk,
        "processor-files": ProcessorFile.objects.create(
            provider="mpesa", name="a.csv", sha256="0" * 64, size=1, uploaded_by=alice, uploaded_at=dispute.opened_at
        ).pk,
        "ledger-entries": Entry.objects.filter(kind="hold").earliest("pk").pk,
        "ledger-accounts": Account.objects.get(user=alice, kind="wallet").pk,
        "payment-methods": pay.method_save(actor=alice, provider="sandbox", details={"token": "tok_visa"}, idempotency_key="card").pk,
        "exchange-quotes": pay.exchange_quote(actor=alice, buy=Money(100, "USD"), sell_currency="EUR").pk,
        "payments": Payment.objects.filter(payer=alice).earliest("pk").pk,
        "files": StoredFile.objects.create(
            owner_id=bob.pk,
            name="a",
            content_type="text/plain",
            size=1,
            sha256="0" * 64,
            stored_as=_stored(),
            uploaded_at=dispute.opened_at,
        ).pk,
        "bulk-acts": BulkAct.objects.create(
            name="payout_refuse", actor_id=alice.pk, object_ids=[1], reason="r", created_at=dispute.opened_at
        ).pk,
        "inbox": InboxItem.objects.filter(user=alice).values_list("pk", flat=True).first() or 1,
        **weekly_numbers(alice, bob),
        **around_the_money(alice, bob, dispute.opened_at),
        **asked,
    }


def address(route: str, numbers: dict[str, int]) -> str:
    filled = re.sub(r"([\w-]+)/<int:\w+>", lambda m: f"{m[1]}/{numbers[m[1]]}", route)
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


def test_everybody_gets_what_the_table_says(house: dict[str, int], alice: Any, bob: Any, charlie: Any, staff: Any) -> None:
    people = [Person(), *(Person(u) for u in (charlie, alice, bob, *(staff(g) for g in GROUPS)))]
    events = Event.objects.count()
    found = {operation: statuses(operation, house, people) for operation in operations()}
    assert found == TABLE
    assert Event.objects.count() == events


def everything() -> dict[str, Any]:
    """Every row of every table that is the house's, by table, and every letter that was sent."""
    models = [m for m in apps.get_models() if m._meta.managed]
    return {"letters": len(mail.outbox), **{m._meta.label: sorted(map(repr, m._default_manager.values_list())) for m in models}}


def test_whoever_is_denied_changes_and_sends_nothing(house: dict[str, int], alice: Any, bob: Any, charlie: Any, staff: Any) -> None:
    """Without the roll-back: what is refused to anybody has left no trace in any row, and no letter."""
    people = [Person(), *(Person(u) for u in (charlie, alice, bob, *(staff(g) for g in GROUPS)))]
    drain()
    before = everything()
    for (method, route), expected in TABLE.items():
        for i, (person, status) in enumerate(zip(people, expected, strict=True)):
            if method != "GET" and status in (401, 403, 404):
                sent = {"data": BODIES.get(route, {}), "format": "json", "HTTP_IDEMPOTENCY_KEY": f"{i}{method}{route}"[:120]}
                assert getattr(person.client, method.lower())(address(route, house), **sent).status_code == status, (route, i)
    drain()
    after = everything()
    assert {label for label in before if before[label] != after[label]} == set()
