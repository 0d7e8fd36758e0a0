"""The outbox: every fact is one row, written in the transaction that made it true.

`record` writes the event and a delivery for each handler that knows the kind. Deliveries are run by core.tasks:
`on_commit` only wakes the workers, the beat's sweep finds whatever a crash left behind. Handlers must be idempotent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection, models, transaction

from . import clock
from .models import Delivery, Event

Handler = Callable[[Event], None]
_handlers: dict[str, dict[str, Handler]] = defaultdict(dict)


def handler(kind: str, *, name: str) -> Callable[[Handler], Handler]:
    """Register a handler of events of `kind` under a stable `name` ("contracts.milestone_fund").

    The name is stored with the delivery: renaming a handler needs a migration of open deliveries.
    """

    def register(fn: Handler) -> Handler:
        known = _handlers[kind].get(name)
        if known is not None and known is not fn:
            raise RuntimeError(f"two handlers named {name!r} for {kind!r}")
        _handlers[kind][name] = fn
        return fn

    return register


def handler_named(kind: str, name: str) -> Handler | None:
    """The registered handler, or None when this process does not know it."""
    return _handlers.get(kind, {}).get(name)


def aggregate_name(obj: models.Model) -> str:
    return obj._meta.label_lower


def record(
    *,
    aggregate: models.Model,
    kind: str,
    actor_id: int | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Event:
    """Write one event and its deliveries in the caller's transaction.

    The caller holds the aggregate's lock (or has just inserted it): the version is the next number of the aggregate,
    and a unique key refuses a rival's. Raises TransactionManagementError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("an event is recorded inside the transaction that makes it true")
    label = aggregate_name(aggregate)
    last = (
        Event.objects.filter(aggregate_type=label, aggregate_id=aggregate.pk).order_by("-version").values_list("version", flat=True).first()
    )
    now = clock.now()
    event = Event.objects.create(
        aggregate_type=label,
        aggregate_id=aggregate.pk,
        version=(last or 0) + 1,
        kind=kind,
        actor_id=actor_id,
        before=dict(before or {}),
        after=dict(after or {}),
        reason=reason,
        occurred_at=now,
    )
    names = sorted(_handlers.get(kind, {}))
    if names:
        Delivery.objects.bulk_create([Delivery(event=event, handler=n, next_try_at=now) for n in names])
        transaction.on_commit(_wake, robust=True)
    return event


def _wake() -> None:
    from .tasks import deliver_events

    deliver_events.delay()
