"""The low watermark: how far a table may be taken as read, when rows are stamped before they are committed.

A row's stamp is the start of the statement that wrote it, and the row shows only after its transaction commits. So after a
snapshot nothing older than the oldest statement or transaction that was still at work may be taken as complete.

Order of looking matters: the clock first, then the running statements, then the open transactions, then (elsewhere) the
snapshot. A statement waiting for a table lock is no transaction yet; seen in that order it shows as one or the other.
Its transaction is then younger than its stamp, which is why a look remembers the look before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

#: Covers clocks that step, and the 0.1 s for which InnoDB may show an older list of transactions.
SKEW = timedelta(seconds=2)
#: A mark held back longer than this is worth a warning.
STUCK = timedelta(minutes=5)
_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


def mark(text: str) -> datetime:
    """A mark as stored: UTC without zone, microseconds."""
    return datetime.strptime(text, _FORMAT)  # noqa: DTZ007 — the databases' UTC clocks carry no zone


def text(at: datetime) -> str:
    """A mark for storing and for SQL."""
    return at.strftime(_FORMAT)


@dataclass(frozen=True)
class Look:
    """What was at work in the database at `t0` (the database's UTC clock)."""

    t0: datetime
    #: connection → start of the statement it is running
    statements: dict[str, datetime] = field(default_factory=dict)
    #: transaction → (its connection, when the engine began it)
    transactions: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    #: How long a statement may have waited for a table lock before its transaction began.
    lock_wait: timedelta = timedelta(days=1)

    @property
    def oldest(self) -> datetime:
        """Since when something has been at work."""
        return min([self.t0, *self.statements.values(), *(began for _, began in self.transactions.values())])


@dataclass(frozen=True)
class Remembered:
    """What the next look needs of this one."""

    t0: datetime
    statements: dict[str, datetime]
    bounds: dict[str, datetime]

    def dump(self) -> dict[str, Any]:
        marks = {"statements": self.statements, "bounds": self.bounds}
        return {"t0": text(self.t0), **{name: {key: text(at) for key, at in found.items()} for name, found in marks.items()}}

    @classmethod
    def load(cls, stored: dict[str, Any] | None) -> Remembered | None:
        if stored is None:
            return None
        return cls(mark(stored["t0"]), *({key: mark(at) for key, at in stored[name].items()} for name in ("statements", "bounds")))


def high_mark(look: Look, before: Remembered | None) -> tuple[datetime, Remembered]:
    """The mark H below which everything ever stamped is committed or rolled back, and what to remember.

    A statement's stamp is its start. A transaction's first stamp is bounded by what the look before knew: the transaction
    itself, or the statement its connection was running then, or else it began after that look. Without a look before, it
    may have waited for a table lock as long as the server lets it.
    """
    bounds = {}
    for name, (connection, began) in look.transactions.items():
        if before is None:
            first = began - look.lock_wait
        elif name in before.bounds:
            first = before.bounds[name]
        elif connection in before.statements:
            first = before.statements[connection]
        else:
            first = before.t0
        bounds[name] = min(began, first)
    high = min([look.t0, *look.statements.values(), *bounds.values()]) - SKEW
    return high, Remembered(look.t0, dict(look.statements), bounds)
