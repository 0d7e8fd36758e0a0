"""The outbox's history: every fact as the services would have recorded it, numbered in the order of time."""

from __future__ import annotations

import json
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.core.models import Event

from .tables import Columns, Json, MadeTable

COLUMNS = ("id", "aggregate_type", "aggregate_id", "version", "kind", "actor_id", "before", "after", "reason", "occurred_at")
NOTHING = Json("{}")
#: no person's id
SYSTEM = 0


class Journal:
    """Collects facts in any order; within one instant, facts keep the order in which they were told.

    The simulated history has no deliveries: nobody waits for it, and the workers are not flooded with it. Facts are kept in columns, because
    a large market has millions of them.
    """

    def __init__(self) -> None:
        self.at, self.pk, self.actor = array("q"), array("q"), array("q")
        #: numbers of what comes again and again
        self.kind, self.before, self.reason = array("H"), array("H"), array("H")
        self.after: list[str] = []
        self._kinds: dict[tuple[str, str], int] = {}
        self._befores: dict[str, int] = {}
        self._reasons: dict[str, int] = {}
        self._states: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.at)

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
        self._add(
            at, aggregate, pk, kind, actor, json.dumps(before) if before else NOTHING, json.dumps(after) if after else NOTHING, reason
        )

    def _add(self, at: int, aggregate: str, pk: int, kind: str, actor: int | None, before: str, after: str, reason: str) -> None:
        self.at.append(at)
        self.pk.append(pk)
        self.actor.append(actor or SYSTEM)
        self.kind.append(self._kinds.setdefault((aggregate, kind), len(self._kinds)))
        self.before.append(self._befores.setdefault(before, len(self._befores)))
        self.reason.append(self._reasons.setdefault(reason, len(self._reasons)))
        self.after.append(after)

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
        told = json.dumps({"state": after, **extra}) if extra else self._state(after)
        self._add(at, aggregate, pk, f"{machine}.{action}", actor, self._state(before), told, reason)
        return after

    def _state(self, state: str) -> str:
        if state not in self._states:
            self._states[state] = json.dumps({"state": state})
        return self._states[state]

    def table(self, first_id: int) -> MadeTable:
        """All rows with ids from `first_id` and each aggregate's versions from 1. Nothing may be told any more."""
        order = np.argsort(np.frombuffer(self.at, dtype=np.int64), kind="stable")
        versions = self._versions(order)
        kinds, befores, reasons = list(self._kinds), [Json(b) for b in self._befores], list(self._reasons)

        def make(start: int, stop: int) -> Columns:
            places = order[start:stop].tolist()
            kind = [kinds[self.kind[i]] for i in places]
            return [
                range(first_id + start, first_id + stop), [k[0] for k in kind], [self.pk[i] for i in places], versions[start:stop].tolist(),
                [k[1] for k in kind], [self.actor[i] or None for i in places], [befores[self.before[i]] for i in places],
                [Json(self.after[i]) for i in places], [reasons[self.reason[i]] for i in places], [self.at[i] for i in places],
            ]  # fmt: skip

        return MadeTable(Event, COLUMNS, make=make, count=len(self))

    def _versions(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """The version of each fact in the order of time: how many of its aggregate came before, and one."""
        aggregates = {name: n for n, name in enumerate(dict.fromkeys(aggregate for aggregate, _ in self._kinds))}
        of_kind = np.array([aggregates[aggregate] for aggregate, _ in self._kinds], dtype=np.int64)
        key = (of_kind[np.frombuffer(self.kind, dtype=np.uint16)] << 48 | np.frombuffer(self.pk, dtype=np.int64))[order]
        grouped = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[grouped], prepend=-1))
        sizes = np.diff(starts, append=len(key))
        versions = np.empty(len(key), dtype=np.int64)
        versions[grouped] = np.arange(len(key)) - np.repeat(starts, sizes) + 1
        return versions
