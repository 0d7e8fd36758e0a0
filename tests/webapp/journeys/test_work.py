"""A fixed-price contract as client and freelancer live through it, over HTTP: files, changes, a part, the rest, a bonus, a calendar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import icalendar
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace.contracts import tasks
from marketplace.contracts.models import Contract, Milestone
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.payments.models import Entry
from marketplace.payments.selectors import balances_of
from marketplace.payments.services import payment_start
from tests.webapp.people import Person


def upload(person: Person, name: str, content: bytes) -> int:
    answer = person.client.post(
        "/api/v1/files", {"file": SimpleUploadedFile(name, content)}, format="multipart", HTTP_IDEMPOTENCY_KEY=f"file-{name}"
    )
    assert answer.status_code == 201, answer.content
    return int(answer.json()["id"])


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return answer.json()


def inbox(person: Person) -> list[str]:
    drain()
    return [item["text"] for item in person.get("me/inbox").json()["results"]]


def test_from_the_first_file_to_the_bonus(
    alice: Any, bob: Any, charlie: Any, sam: Any, contract: Contract, fund: Callable[..., Milestone], days: Callable[[float], Any]
) -> None:
    client, freelancer, stranger, support = Person(alice), Person(bob), Person(charlie), Person(sam)
    first, second = contract.milestones.order_by("position")
    fund(first)
    fund(second, key="fund-2")

    # the board, a word on progress with a file, a later date
    card = ok(client.post(f"milestones/{first.pk}/tasks", {"title": "Draw the cart", "assignee": "freelancer"}), 201)
    moved = freelancer.client.patch(f"/api/v1/tasks/{card['id']}", {"column": "doing"}, format="json", HTTP_IDEMPOTENCY_KEY="card-doing")
    assert ok(moved)["column"] == "doing"
    ok(client.post(f"milestones/{first.pk}/progress-request", {"text": "How far are you?"}), 201)
    sketch = upload(freelancer, "sketch.png", b"lines")
    told = ok(freelancer.post(f"milestones/{first.pk}/progress", {"text": "The cart stands.", "percent": 40, "file_ids": [sketch]}), 201)
    assert [f["id"] for f in told["files"]] == [sketch]
    assert ok(client.get(f"contracts/{contract.pk}/work-requests"))["results"][0]["state"] == "accepted"
    asked = ok(freelancer.post(f"milestones/{second.pk}/extension", {"due_at": "2199-01-01T00:00:00Z", "reason": "Much later."}), 400)
    assert list(asked["fields"]) == ["due_at"]

    # handed in with a file, changed against the list, handed in again
    shop = upload(freelancer, "shop.zip", b"pages")
    ok(freelancer.post(f"milestones/{first.pk}/submit", {"note": "First version.", "file_ids": [shop]}))
    for person, status in ((client, 200), (freelancer, 200), (support, 200), (stranger, 404), (Person(), 401)):
        assert person.get(f"files/{shop}").status_code == status
    wrong = {"text": "Not yet.", "items": [{"item": 2, "text": "There is no such point."}]}
    assert "items.0.item" in ok(client.post(f"milestones/{first.pk}/request-changes", wrong), 400)["fields"]
    changes = {"text": "Nearly.", "items": [{"item": 1, "text": "The menu is cut off at 360 px."}]}
    page = ok(client.post(f"milestones/{first.pk}/request-changes", changes))
    assert (page["submissions"][0]["unmet"], page["submissions"][0]["item_notes"]) == ([1], changes["items"])
    ok(freelancer.post(f"milestones/{first.pk}/submit", {"note": "Second version."}))

    # a part is paid, the rest goes on to the next milestone when the freelancer agrees
    part = {"amount_minor": 30_000, "rest": "next", "reason": "The menu comes with the build."}
    page = ok(client.post(f"milestones/{first.pk}/approve-part", part))
    request = page["refund_request"]
    assert (page["state"], page["held"]["minor"], request["to"], request["amount"]["minor"]) == ("submitted", 10_000, "next", 10_000)
    assert [c["clock"] for c in page["clocks"]] == ["part_clearing", "refund_answer"]
    ahead = [i for i in ok(freelancer.get(f"contracts/{contract.pk}/timeline"))["items"] if i["kind"] == "clock"]
    moves = [i["if_nobody_acts"] for i in ahead if "moves to the next" in (i["if_nobody_acts"] or "")]
    assert len(moves) == 1 and moves[0].startswith("100.00 USD of “Design” moves to the next milestone, “Build”")
    assert any("silence moves it" in text for text in inbox(freelancer))
    ok(freelancer.post(f"refund-requests/{request['id']}/accept"))
    both = ok(client.get(f"contracts/{contract.pk}"))["milestones"]
    assert [(m["state"], m["amount_minor"], m["held"]["minor"]) for m in both] == [("released", 30_000, 0), ("funded", 70_000, 70_000)]

    # the client wants out; the freelancer says no by handing in, and is paid
    ok(client.post(f"contracts/{contract.pk}/cancel", {"reason": "We stop."}), 409)
    ok(client.post(f"contracts/{contract.pk}/cancel", {"reason": "We stop.", "ask_refund": True}))
    ok(freelancer.post(f"milestones/{second.pk}/submit", {"note": "All of it."}))
    states = [r["state"] for r in ok(client.get(f"contracts/{contract.pk}/refund-requests"))["results"]]
    assert states == ["refused", "accepted"]
    assert any("was refused" in text for text in inbox(client))

    # the calendar tells when silence approves; then it does
    ok(freelancer.post("me/calendar-feed"), 201)
    address = ok(freelancer.get("me/calendar-feed"))["url"].removeprefix(settings.BASE_URL)
    found = icalendar.Calendar.from_ical(Person().client.get(address).content)
    assert "Silence approves: A web shop" in [str(e["summary"]) for e in found.walk("VEVENT")]
    days(13.5)
    assert tasks.remind_due() == 1
    assert any("Tomorrow silence approves" in text for text in inbox(client))
    days(0.51)
    assert tasks.auto_approve_due() == 1
    assert ok(client.get(f"contracts/{contract.pk}"))["state"] == "completed"

    # a bonus from the wallet
    payment_start(
        actor_id=alice.pk,
        amount=Money(5_000, "USD"),
        purpose="wallet",
        purpose_id=None,
        method={"token": "tok_visa"},
        idempotency_key="top-up",
    )
    bonus = ok(client.post(f"contracts/{contract.pk}/bonus", {"amount_minor": 5_000, "note": "Well done."}), 201)
    assert Entry.objects.get(kind="bonus").subject_id == bonus["id"]
    days(5.01)
    assert tasks.clear_due() == 3, "the part, the build and the bonus"
    assert [b.available.minor for b in balances_of(bob.pk)] == [27_000 + 63_000 + 4_500]
    assert ok(client.get(f"contracts/{contract.pk}/bonus"))["results"][0]["cleared_at"] is not None
