"""What people are told: once, and never of their own act."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from marketplace.contracts import services as work
from marketplace.contracts.models import Contract, Milestone
from marketplace.core.models import Event
from marketplace.core.tasks import drain
from marketplace.notifications import services
from marketplace.notifications.models import InboxItem


def _told(user: Any) -> list[str]:
    return list(InboxItem.objects.filter(user=user).order_by("id").values_list("kind", flat=True))


def test_each_side_hears_what_the_other_did(alice: Any, bob: Any, submitted: Milestone) -> None:
    drain()
    work.milestone_approve(actor=alice, milestone_id=submitted.pk)
    drain()
    assert {"proposal.submit", "contract.accept", "milestone.submit"} <= set(_told(alice))
    assert {"contract.offer", "milestone.fund", "milestone.approve", "milestone.release"} <= set(_told(bob))
    assert not {"contract.offer", "milestone.fund", "milestone.approve"} & set(_told(alice))
    assert not {"proposal.submit", "milestone.submit"} & set(_told(bob))


def test_an_event_told_twice_is_one_item(bob: Any, offer: Contract) -> None:
    event = Event.objects.get(kind="contract.offer")
    assert (services.tell(event=event), services.tell(event=event)) == (1, 0)
    assert _told(bob) == ["contract.offer"]


def test_the_table_itself_refuses_a_second_item_of_one_event(bob: Any, offer: Contract) -> None:
    event = Event.objects.get(kind="contract.offer")
    services.tell(event=event)
    item = InboxItem.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        InboxItem.objects.create(user=bob, event_id=item.event_id, kind=item.kind, text=item.text, created_at=item.created_at)


def test_the_inbox_is_ones_own_and_reading_stands(alice: Any, bob: Any, charlie: Any, offer: Contract) -> None:
    drain()
    http = Client()
    http.force_login(bob)
    page = http.get("/api/v1/me/inbox").json()
    (item,) = page["results"]
    assert (item["kind"], item["text"], item["link"]) == ("contract.offer", "You have an offer for “A web shop”.", f"/contracts/{offer.pk}")
    path = f"/api/v1/me/inbox/{item['id']}/read"
    first = http.post(path, {}, content_type="application/json", headers={"Idempotency-Key": "r1"}).json()
    second = http.post(path, {}, content_type="application/json", headers={"Idempotency-Key": "r2"}).json()
    assert first["read_at"] is not None
    assert first["read_at"] == second["read_at"]
    http.force_login(charlie)
    assert http.get("/api/v1/me/inbox").json()["results"] == []
    assert http.post(path, {}, content_type="application/json", headers={"Idempotency-Key": "r3"}).status_code == 404
