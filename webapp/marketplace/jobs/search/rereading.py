"""The nightly pass over both indexes: what of a document ages by itself follows without an event.

A rating's interval widens as its reviews grow old, and amounts in other currencies are compared by the newest rates; neither happens to a
post or a person, so nothing tells the index. Once a night every document is compared with the database, a chunk by id at a time, and only those
that are behind are written. The place lies beside the indexes, on the same disk: a pass that was cut short goes on where it was, one that is
lost begins anew, and one that is repeated writes nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path

import structlog
from django.conf import settings

from marketplace.core import clock

from . import people, posts
from .shelf import CHUNK

log = structlog.get_logger(__name__)

SHELVES = (posts.SHELF, people.SHELF)


@dataclass(frozen=True, slots=True)
class Pass:
    """How far the pass of a night has come: `shelf` counts through SHELVES, past the last one it is done; `after` is the last id looked at."""

    night: str
    shelf: int = 0
    after: int = 0
    behind: int = 0

    @property
    def done(self) -> bool:
        return self.shelf >= len(SHELVES)


def night_of(now: datetime) -> datetime:
    """The newest instant at which a pass was due: SEARCH_REREAD_HOUR o'clock UTC."""
    due = datetime.combine(now.date(), time(settings.SEARCH_REREAD_HOUR), tzinfo=now.tzinfo)
    return due if due <= now else due - timedelta(days=1)


def go_on(chunks: int, size: int = CHUNK) -> int:
    """Look at up to `chunks` further chunks of the pass that is due or under way; returns how many documents were behind. 0 at once when the
    night's pass is done, or somebody else is at it. Nights that were missed are one pass."""
    with _alone() as alone:
        if not alone:
            return 0
        state, night = _read(), night_of(clock.now()).isoformat()
        if state is None or (state.done and state.night < night):
            state = Pass(night)
        here = 0
        while chunks > 0 and not state.done:
            chunks -= 1
            shelf = SHELVES[state.shelf]
            looked_at, behind = shelf.reread(state.after, size)
            here += behind
            state = replace(state, behind=state.behind + behind)
            state = replace(state, shelf=state.shelf + 1, after=0) if looked_at is None else replace(state, after=looked_at)
            _write(state)
            log.info("search_reread", index=shelf.source.name, up_to=looked_at, behind=behind)
            if state.done:
                log.info("search_reread_done", night=state.night, behind=state.behind)
        return here


def _place() -> Path:
    return Path(settings.SEARCH_DIR) / "reread.json"


def _read() -> Pass | None:
    try:
        return Pass(**json.loads(_place().read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None  # a place that nobody can read is a lost one


def _write(state: Pass) -> None:
    fresh = _place().with_suffix(f".{uuid.uuid4().hex}")
    fresh.write_text(json.dumps(asdict(state)))
    os.replace(fresh, _place())  # noqa: PTH105 - atomic over an existing file on every system


@contextlib.contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else is at it, in any process; the lock ends with the process that holds it."""
    Path(settings.SEARCH_DIR).mkdir(parents=True, exist_ok=True)
    with (Path(settings.SEARCH_DIR) / "reread.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
