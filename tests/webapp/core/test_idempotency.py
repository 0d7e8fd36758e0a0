"""The same request twice has one effect and one answer, whatever happens in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from marketplace.accounts.models import User
from marketplace.core import clock
from marketplace.core.api import idempotency
from marketplace.core.errors import Conflict
from marketplace.core.models import IdempotencyRecord
from marketplace.core.tasks import forget_answers
from tests.webapp.people import Person


@pytest.fixture
def sam(staff: Callable[[str], Any]) -> Any:
    """Staff who may move the clock."""
    return staff("admin")


def offset() -> int:
    from marketplace.core.models import BusinessClock

    return BusinessClock.objects.filter(pk=1).values_list("offset_seconds", flat=True).first() or 0


def test_the_same_request_again_gets_the_stored_answer_and_does_nothing(sam: Any) -> None:
    staff = Person(sam)
    first = staff.post("clock/advance", {"seconds": 60}, key="move-1")
    again = staff.post("clock/advance", {"seconds": 60}, key="move-1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert offset() == 60


def test_the_same_key_with_another_body_or_path_is_a_conflict_without_effect(sam: Any) -> None:
    staff = Person(sam)
    staff.post("clock/advance", {"seconds": 60}, key="move-1")
    other = staff.post("clock/advance", {"seconds": 61}, key="move-1")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    elsewhere = staff.post("activity/views", {"item_type": "job", "item_id": 1}, key="move-1")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "idempotency_key_reused")
    assert offset() == 60


def test_two_people_may_use_the_same_key(sam: Any, db: None) -> None:
    other = User.objects.create_user("sue@example.org", display_name="Sue", is_staff=True, is_superuser=True)
    for person in (sam, other):
        assert Person(person).post("clock/advance", {"seconds": 10}, key="same").status_code == 200
    assert offset() == 20


@pytest.mark.parametrize("key", [None, "", "x" * 129, "with space", "tab\tin", "ünïcode"])
def test_a_post_without_a_usable_key_is_refused(sam: Any, key: str | None) -> None:
    headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
    answer = Person(sam).client.post("/api/v1/clock/advance", {"seconds": 5}, format="json", **headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")
    assert offset() == 0


def test_a_refused_request_may_be_corrected_and_resent_with_its_key(sam: Any) -> None:
    staff = Person(sam)
    assert staff.post("clock/advance", {"seconds": -5}, key="fix-me").status_code == 400
    assert staff.post("clock/advance", {"seconds": 5}, key="fix-me").status_code == 200
    assert offset() == 5


def test_while_the_first_is_at_work_the_second_is_told_so(sam: Any) -> None:
    staff = Person(sam)
    answers: list[Any] = []
    real = clock.advance

    def rival_in_the_middle(seconds: int) -> Any:
        if not answers:
            answers.append(staff.post("clock/advance", {"seconds": 60}, key="move-1"))
        return real(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "advance", rival_in_the_middle)
        assert staff.post("clock/advance", {"seconds": 60}, key="move-1").status_code == 200
    assert (answers[0].status_code, answers[0].json()["code"]) == (409, "request_in_progress")
    assert offset() == 60


def claimed(actor: Any, key: str, fingerprint: str, ago: timedelta) -> IdempotencyRecord:
    return IdempotencyRecord.objects.create(
        actor_key=f"user:{actor.pk}", key=key, request_hash=fingerprint, claimed_at=timezone.now() - ago
    )


def test_a_record_left_by_a_crash_is_taken_over_after_a_minute_by_one(sam: Any) -> None:
    record = claimed(sam, "k", "h", timedelta(seconds=59))
    with pytest.raises(Conflict, match="request_in_progress"):
        idempotency.claim(f"user:{sam.pk}", "k", "h")
    IdempotencyRecord.objects.update(claimed_at=timezone.now() - timedelta(seconds=61))
    mine = idempotency.claim(f"user:{sam.pk}", "k", "h")
    assert (mine.pk, mine.response_status) == (record.pk, None)
    with pytest.raises(Conflict, match="request_in_progress"):
        idempotency.claim(f"user:{sam.pk}", "k", "h")


def test_whoever_was_taken_over_from_stores_nothing_more(sam: Any) -> None:
    from rest_framework.response import Response

    slow = claimed(sam, "k", "h", timedelta(seconds=61))
    mine = idempotency.claim(f"user:{sam.pk}", "k", "h")
    idempotency.store(slow, Response({"from": "slow"}))
    idempotency.give_back(slow, 400)
    assert IdempotencyRecord.objects.get().response_status is None
    idempotency.store(mine, Response({"from": "mine"}, status=201))
    assert IdempotencyRecord.objects.values_list("response_status", "response_body").get() == (201, {"from": "mine"})


def test_after_a_fault_the_same_request_may_be_repeated_at_once_and_no_other(sam: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    staff = Person(sam)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "advance", lambda seconds: 1 // 0)
        assert staff.post("clock/advance", {"seconds": 7}, key="k").status_code == 500
    assert staff.post("clock/advance", {"seconds": 8}, key="k").json()["code"] == "idempotency_key_reused"
    assert staff.post("clock/advance", {"seconds": 7}, key="k").status_code == 200
    assert offset() == 7


def test_answers_are_forgotten_after_thirty_days(sam: Any) -> None:
    claimed(sam, "old", "h", timedelta(days=31))
    claimed(sam, "young", "h", timedelta(days=29))
    assert forget_answers() == 1
    assert IdempotencyRecord.objects.get().key == "young"


def test_the_same_request_at_once_from_many_threads_has_one_effect(committed_db: None, sam: Any) -> None:
    start, answers = threading.Barrier(6), []

    def send() -> None:
        start.wait()
        answers.append(Person(sam).post("clock/advance", {"seconds": 60}, key="at-once").status_code)
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set(answers) <= {200, 409}
    assert answers.count(200) >= 1
    assert offset() == 60
    assert IdempotencyRecord.objects.count() == 1


def test_nobody_who_reads_the_table_can_try_passwords_against_it(sam: Any, settings: Any) -> None:
    staff = Person(sam)
    kept = set()
    for secret in ("one", "another"):
        settings.SECRET_KEY = secret
        answer = staff.client.post("/api/v1/clock/advance", {"seconds": 1}, format="json", HTTP_IDEMPOTENCY_KEY=f"k-{secret}")
        assert answer.status_code == 200
        kept.add(IdempotencyRecord.objects.get(key=f"k-{secret}").request_hash)
    assert len(kept) == 2
