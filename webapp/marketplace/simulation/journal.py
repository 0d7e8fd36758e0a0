"""The outbox's history: every fact as the services would have recorded it, numbered in the order of time."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from marketplace.core.models import Event

from .tables import Table

COLUMNS = ("id", "aggregate_type", "aggregate_id", "version", "kind", "actor_id", "before", "after", "reason", "occurred_at")


class Journal:
    """Collects facts in any order; within one instant, facts keep the order in which they were told.

    The simulated history has no deliveries: nobody waits for it, and the workers are not flooded with it.
    """

    def __init__(self) -> None:
        self.facts: list[tuple[Any, ...]] = []

    def tell(
        self,
        at: int,
        aggregate: str,
        pk: int,
        kind: str,
        actor: int | None,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        reason: str = "",
    ) -> None:
        """One event of an object ("jobs.job", 12) at an instant in seconds."""
        self.facts.append((at, len(self.facts), aggregate, pk, kind, actor, before or {}, after or {}, reason))

    def move(
        self,
        at: int,
        aggregate: str,
        pk: int,
        machine: str,
        action: str,
        states: tuple[str, str],
        actor: int | None,
        *,
        reason: str = "",
        **extra: Any,
    ) -> str:
        """The event of one step of a state machine; returns the new state."""
        before, after = states
        self.tell(at, aggregate, pk, f"{machine}.{action}", actor, before={"state": before}, after={"state": after, **extra}, reason=reason)
        return after

    def table(self, first_id: int) -> Table:
        """All rows with ids from `first_id` and each aggregate's versions from 1."""
        table = Table(Event, COLUMNS)
        versions: dict[tuple[str, int], int] = defaultdict(int)
        for n, (at, _, aggregate, pk, kind, actor, before, after, reason) in enumerate(sorted(self.facts, key=lambda f: f[:2])):
            versions[aggregate, pk] += 1
            table.add(first_id + n, aggregate, pk, versions[aggregate, pk], kind, actor, before, after, reason, at)
        return table
