"""The outbox's promise: a recorded fact reaches each of its handlers once, whoever races, fails or is slow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.models import Delivery, Event
from marketplace.core.tasks import LEASE, MAX_ATTEMPTS, deliver_one, drain

pytestmark = pytest.mark.parity
KIND = "test.fact"
Tell = Callable[..., list[Delivery]]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch, alice: Any) -> Tell:
    """tell(handler, …) → the deliveries of one fact that these handlers know, in their order."""

    def record(*handlers: Callable[[Event], Any]) -> list[Delivery]:
        monkeypatch.setitem(events._handlers, KIND, {f"test.handler_{n}": fn for n, fn in enumerate(handlers)})
        with transaction.atomic():
            event = events.record(aggregate=alice, kind=KIND, actor_id=None)
        return list(Delivery.objects.filter(event=event).order_by("handler"))

    return record


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch, db: None) -> Callable[[timedelta], None]:
    """Business time that moves only when the returned function is called."""
    time = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: time[0])

    def forward(by: timedelta) -> None:
        time[0] += by

    return forward


def test_a_fact_whose_transaction_is_undone_is_told_to_nobody(alice: Any, tell: Tell) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        tell(lambda event: None)
        raise ZeroDivisionError
    assert (Event.objects.filter(kind=KIND).count(), Delivery.objects.count()) == (0, 0)


def test_a_delivery_that_a_rival_finishes_between_the_look_and_the_claim_does_not_run_again(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    [delivery] = tell(lambda event: ran.append(event.pk))
    now = clock.now

    def rival_first() -> datetime:
        """Asked for by the claim after it has looked and before it writes."""
        monkeypatch.setattr(clock, "now", now)
        assert deliver_one(delivery.pk) is True
        return now()

    monkeypatch.setattr(clock, "now", rival_first)
    assert deliver_one(delivery.pk) is False
    delivery.refresh_from_db()
    assert (ran, delivery.state, delivery.attempts) == ([delivery.event_id], "done", 1)


def test_a_claimed_delivery_is_nobody_elses_until_its_lease_ends(tell: Tell, standing_clock: Callable[[timedelta], None]) -> None:
    answers: list[bool] = []

    def slow(event: Event) -> None:
        if not answers:
            standing_clock(LEASE - timedelta(microseconds=1))
            answers.append(deliver_one(delivery.pk))
            standing_clock(timedelta(microseconds=1))
            answers.append(deliver_one(delivery.pk))

    [delivery] = tell(slow)
    deliver_one(delivery.pk)
    delivery.refresh_from_db()
    assert answers == [False, True]
    assert (delivery.state, delivery.attempts) == ("done", 2)


def test_the_effect_and_the_mark_done_are_committed_together(committed_db: None, tell: Tell) -> None:
    when_committed: list[str] = []
    [delivery] = tell(lambda event: transaction.on_commit(lambda: when_committed.append(Delivery.objects.get().state)))
    assert deliver_one(delivery.pk) is True
    assert when_committed == ["done"]
    assert deliver_one(delivery.pk) is False


def test_a_failing_handler_leaves_nothing_is_retried_later_and_given_up_in_the_end(
    committed_db: None, alice: Any, tell: Tell, standing_clock: Callable[[timedelta], None]
) -> None:
    def fail_half_way(event: Event) -> None:
        User.objects.filter(pk=alice.pk).update(display_name="Half done")
        raise RuntimeError("no luck")

    [delivery] = tell(fail_half_way)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        wait = timedelta(seconds=2**attempt)
        assert deliver_one(delivery.pk) is False
        delivery.refresh_from_db()
        assert (delivery.attempts, delivery.last_error) == (attempt, "RuntimeError: no luck")
        assert delivery.state == ("dead" if attempt == MAX_ATTEMPTS else "pending")
        assert User.objects.get(pk=alice.pk).display_name == "Alice"
        standing_clock(wait - timedelta(microseconds=1))
        assert drain() == 0
        delivery.refresh_from_db()
        assert delivery.attempts == attempt, "it was tried before its time"
        standing_clock(timedelta(microseconds=1))
    assert drain() == 0
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("dead", MAX_ATTEMPTS)


def test_one_failing_handler_stops_neither_the_others_nor_the_sweep(committed_db: None, tell: Tell) -> None:
    ran: list[str] = []

    def broken(event: Event) -> None:
        raise RuntimeError("no luck")

    tell(lambda event: ran.append("first"), broken, lambda event: ran.append("third"))
    assert drain() == 2
    assert ran == ["first", "third"]
    assert list(Delivery.objects.order_by("handler").values_list("state", flat=True)) == ["done", "pending", "done"]


def test_a_delivery_whose_handler_this_process_does_not_know_is_kept(
    committed_db: None, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    [delivery] = tell(lambda event: None)
    monkeypatch.setitem(events._handlers, KIND, {})
    assert deliver_one(delivery.pk) is False
    delivery.refresh_from_db()
    assert delivery.state == "pending"
    assert "no handler 'test.handler_0' for 'test.fact'" in delivery.last_error


def test_a_name_stands_for_one_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(events._handlers, KIND, {})

    def one(event: Event) -> None: ...

    events.handler(KIND, name="test.name")(one)
    assert events.handler(KIND, name="test.name")(one) is one
    with pytest.raises(RuntimeError, match=r"two handlers named 'test\.name'"):
        events.handler(KIND, name="test.name")(lambda event: None)
