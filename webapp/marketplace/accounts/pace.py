"""Doing something at most once a minute for each key, counted in each process: for marks such as "last seen" that need no more."""

from __future__ import annotations

import hashlib
import time

EVERY_SECONDS = 60.0
_MOST = 20_000
_done: dict[str, float] = {}


def due(kind: str, key: str) -> bool:
    """True the first time for this key, and again a minute later."""
    mark = kind + hashlib.sha256(key.encode()).hexdigest()[:32]
    now = time.monotonic()
    if now - _done.get(mark, -EVERY_SECONDS) < EVERY_SECONDS:
        return False
    if len(_done) >= _MOST:
        _done.clear()
    _done[mark] = now
    return True


def forget() -> None:
    """Start over: for tests."""
    _done.clear()
