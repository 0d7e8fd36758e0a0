"""Delivery of outbox events: claim by compare-and-set, run the handler in its own transaction, retry with back-off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog
from celery import shared_task
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from . import bulk, clock, events, files
from .models import Delivery, IdempotencyRecord
from .transactions import run_in_transaction

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 8
BATCH = 200
ANSWERS_KEPT_FOR = timedelta(days=30)


def each_due(ids: Iterable[int], act: Callable[[int], int], what: str) -> int:
    """A beat's sweep: `act` on each id on its own; returns the sum of what they say they did.

    One that fails is logged with its trace and `what` it was, and does not stop the others; the next sweep finds it again. So `act` decides
    under lock and is safe to repeat.
    """
    done = 0
    for i in ids:
        try:
            done += act(i)
        except Exception:  # whatever one row's fault is, the clocks of all others go on
            log.exception("due_act_failed", act=what, id=i)
    return done


def due_delivery_ids(limit: int = BATCH) -> list[int]:
    """Deliveries whose time has come: pending ones, and claims whose lease ran out because their worker died."""
    states = [Delivery.State.PENDING, Delivery.State.CLAIMED]
    due = Delivery.objects.filter(state__in=states, next_try_at__lte=clock.now())
    return list(due.order_by("next_try_at", "id").values_list("id", flat=True)[:limit])


def _claim(delivery_id: int) -> Delivery | None:
    seen = Delivery.objects.select_related("event").get(pk=delivery_id)
    if seen.state in (Delivery.State.DONE, Delivery.State.DEAD):
        return None
    now = clock.now()
    won = Delivery.objects.filter(pk=delivery_id, state=seen.state, attempts=seen.attempts, next_try_at__lte=now).update(
        state=Delivery.State.CLAIMED, attempts=F("attempts") + 1, next_try_at=now + LEASE
    )
    if won != 1:
        return None
    seen.refresh_from_db()
    return seen


def deliver_one(delivery_id: int) -> bool:
    """Run one delivery. The handler's effects and the mark `done` commit together; a failure is stored and retried later.

    Returns True when the handler ran to its end here. Two workers with the same id: one of them does nothing.
    """
    # in a transaction of its own, because two workers that claim at once may meet in a deadlock, after which the loser looks again
    delivery = run_in_transaction(lambda: _claim(delivery_id))
    if delivery is None:
        return False
    handler = events.handler_named(delivery.event.kind, delivery.handler)

    def work() -> bool:
        locked = Delivery.objects.select_for_update().get(pk=delivery_id)
        if locked.state != Delivery.State.CLAIMED or locked.attempts != delivery.attempts:
            return False
        if handler is None:
            raise LookupError(f"no handler {delivery.handler!r} for {delivery.event.kind!r} in this process")
        handler(delivery.event)
        Delivery.objects.filter(pk=delivery_id).update(state=Delivery.State.DONE, done_at=clock.now(), last_error="")
        return True

    try:
        return run_in_transaction(work)
    except Exception as e:  # whatever a handler raises is stored with the delivery and retried; it must not stop the sweep
        _failed(delivery, e)
        return False


def _failed(delivery: Delivery, error: Exception) -> None:
    dead = delivery.attempts >= MAX_ATTEMPTS
    wait = timedelta(seconds=min(3600, 2**delivery.attempts))
    with transaction.atomic():
        Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.CLAIMED, attempts=delivery.attempts).update(
            state=Delivery.State.DEAD if dead else Delivery.State.PENDING,
            next_try_at=clock.now() + wait,
            last_error=f"{type(error).__name__}: {error}"[:1000],
        )
    log.warning("delivery_failed", delivery=delivery.pk, handler=delivery.handler, attempts=delivery.attempts, dead=dead)


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def deliver_events() -> int:
    """Deliver everything that is due; called by wake-ups and every few seconds by beat. Returns how many ran."""
    return drain()


def drain(max_rounds: int = 50) -> int:
    """Deliver until nothing is due (bounded); what handlers record is delivered too. Used by the task, commands and tests."""
    done = 0
    for _ in range(max_rounds):
        ran = [deliver_one(i) for i in due_delivery_ids()]
        done += sum(ran)
        if not any(ran):
            break
    return done


@shared_task(ignore_result=True, time_limit=300)
def forget_uploads() -> int:
    """Delete uploads that nothing was sent with for long; returns how many."""
    return files.forget_waiting()


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def forget_answers(batch: int = 5000) -> int:
    """Delete stored answers as old as ANSWERS_KEPT_FOR, at most `batch` at a time; returns how many."""
    old = list(IdempotencyRecord.objects.filter(claimed_at__lte=timezone.now() - ANSWERS_KEPT_FOR).values_list("pk", flat=True)[:batch])
    return IdempotencyRecord.objects.filter(pk__in=old).delete()[0]


@shared_task(acks_late=True, ignore_result=True, time_limit=3600)
def work_bulk_acts() -> int:
    """Go on with every open act of staff on many objects; called when one is put and by beat. Returns how many objects were tried."""
    done = 0
    for act_id in bulk.open_ids():
        try:
            done += bulk.work_off(act_id)
        except Exception:  # what could not even be noted must not stop the others; it goes on from its place when its claim has run out
            log.exception("bulk_act_failed", act=act_id)
    return done
