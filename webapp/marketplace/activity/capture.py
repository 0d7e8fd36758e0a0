"""What people were shown and did, captured off the request path: a call costs one push to a buffer, `tasks.flush` writes the rows.

Position model `log2`: the probability that the item at position p is looked at is 1 / log2(p + 1), the discount of DCG (Järvelin and
Kekäläinen, 2002), so 1.0 at the top. Its name is part of every impression's `ranking`, because training must divide by the same model.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from marketplace.core import clock

from .buffers import buffer

POSITION_MODEL = "log2"

#: kind → writes records of that kind and returns the number of rows; apps above register theirs in AppConfig.ready
writers: dict[str, Callable[[list[dict[str, Any]]], int]] = {}


def propensity(position: int) -> float:
    """Probability that this position (from 1) is looked at, by the position model `log2`."""
    return 1 / math.log2(position + 1)


def impressions(
    *,
    user_id: int | None,
    surface: str,
    ranking: str,
    items: Iterable[tuple[str, int, int, float | None]],
    batch: str | None = None,
) -> str:
    """One list shown: `items` are (item_type, item_id, position from 1, score). Returns the batch that ties the list together."""
    batch = batch or str(uuid.uuid4())
    if shown := _shown(user_id, surface, ranking, items, batch):
        buffer().push(shown)
    return batch


def search(
    *,
    user_id: int | None,
    surface: str,
    query: str,
    filters: dict[str, Any],
    hits: int,
    ranking: str,
    items: Iterable[tuple[str, int, int, float | None]],
) -> str:
    """One search, how many hits it had in all, and its first page as `impressions` takes it; the query's first 200 characters are kept.

    Returns the page's batch. Costs one push.
    """
    batch = str(uuid.uuid4())
    asked = _record("search", user_id=user_id, surface=surface[:32], query=query[:200], filters=filters, hits=hits)
    shown = _shown(user_id, surface, ranking, items, batch)
    buffer().push(*([asked, shown] if shown else [asked]))
    return batch


def _shown(
    user_id: int | None, surface: str, ranking: str, items: Iterable[tuple[str, int, int, float | None]], batch: str
) -> dict[str, Any] | None:
    """The record of a list shown; None for an empty one."""
    rows = [[item_type, item_id, position, score] for item_type, item_id, position, score in items]
    told = {"batch": batch, "user_id": user_id, "surface": surface[:32], "ranking": f"{ranking[:56]}+{POSITION_MODEL}"}
    return _record("impressions", items=rows, **told) if rows else None


def view(*, user_id: int | None, item_type: str, item_id: int, batch: str = "") -> None:
    """One object opened, from the list `batch` if it came from one."""
    _push("view", user_id=user_id, item_type=item_type[:16], item_id=item_id, batch=batch[:36])


def record(kind: str, **values: Any) -> None:
    """A record of a kind that an app above has registered a writer for; `at` is added, values are plain JSON."""
    if kind not in writers:
        raise LookupError(f"no writer for {kind!r}: register one in activity.capture.writers")
    _push(kind, **values)


def request(*, route: str, method: str, failed: bool, milliseconds: float, minute: str, worker: str) -> None:
    """One request that was answered; `minute` is the wall clock's, ISO 8601."""
    ms = round(milliseconds)
    buffer().push(
        {"kind": "request", "route": route[:120], "method": method[:7], "failed": failed, "ms": ms, "minute": minute, "worker": worker[:40]}
    )


def _push(kind: str, **values: Any) -> None:
    buffer().push(_record(kind, **values))


def _record(kind: str, **values: Any) -> dict[str, Any]:
    return {"kind": kind, "at": clock.now().isoformat(), **values}
