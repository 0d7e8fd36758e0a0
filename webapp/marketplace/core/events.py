"""The outbox: every fact is one row, written in the transaction that made it true.

`record` writes the event and a delivery for each handler that knows the kind. Deliveries are run by core.tasks:
`on_commit` only wakes the workers, the beat's sweep finds whatever a crash left behind. Handlers must be idempotent.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction

from . import clock
from .models import Delivery, Event

Handler = Callable[[Event], None]
_COLUMNS = ("aggregate_type", "aggregate_id", "version", "kind", "actor_id", "before", "after", "reason", "occurred_at")
_INSERT = {
    vendor: f"INSERT INTO core_event ({', '.join(f'{mark}{c}{mark}' for c in _COLUMNS)}) VALUES ({', '.join(['%s'] * len(_COLUMNS))})"
    for vendor, mark in (("mysql", "`"), ("sqlite", '"'))
}
_FIELDS = ("id", *_COLUMNS)
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


def waiting(name: str, limit: int) -> list[Event]:
    """The oldest events that the handler `name` has still to see: a handler that costs as much for many as for one may do them together,
    as long as doing each again changes nothing."""
    rows = Delivery.objects.filter(handler=name, state__in=(Delivery.State.PENDING, Delivery.State.CLAIMED))
    return [d.event for d in rows.select_related("event").order_by("next_try_at", "id")[:limit]]


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
    db = connections[DEFAULT_DB_ALIAS]
    if not db.in_atomic_block:
        raise transaction.TransactionManagementError("an event is recorded inside the transaction that makes it true")
    event = _insert(db, aggregate_name(aggregate), aggregate.pk, kind, actor_id, dict(before or {}), dict(after or {}), reason)
    names = sorted(_handlers.get(kind, {}))
    if names:
        Delivery.objects.bulk_create([Delivery(event=event, handler=n, next_try_at=event.occurred_at) for n in names])
        # one wake-up a transaction, however many events it records; a savepoint that is rolled back takes its own away
        if not any(entry[1] is _wake for entry in db.run_on_commit):
            transaction.on_commit(_wake, robust=True)
    return event


def _insert(
    db: Any, name: str, pk: int, kind: str, actor_id: int | None, before: dict[str, Any], after: dict[str, Any], reason: str
) -> Event:
    """Allot the version and write the row. Written out, because every change of state in the house pays for it."""
    now = clock.now()
    with db.cursor() as cursor:
        cursor.execute("SELECT MAX(version) FROM core_event WHERE aggregate_type = %s AND aggregate_id = %s", (name, pk))
        version = (cursor.fetchone()[0] or 0) + 1
        at = db.ops.adapt_datetimefield_value(now)
        cursor.execute(_INSERT[db.vendor], (name, pk, version, kind, actor_id, _json(before), _json(after), reason, at))
        return Event.from_db(db.alias, _FIELDS, (cursor.lastrowid, name, pk, version, kind, actor_id, before, after, reason, now))


def _json(told: dict[str, Any]) -> str:
    return json.dumps(told) if told else "{}"


def _wake() -> None:
    from .tasks import deliver_events

    deliver_events.delay()
