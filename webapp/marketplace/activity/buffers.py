"""Where captured records wait between a request and the database.

Redis: records are pushed to one list. A flush renames it to a batch of its own, writes the batch, and only then deletes it: whatever a
crash interrupts is found again by its name. Memory: the same promises within one process, for tests.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

import redis
import structlog
from django.conf import settings
from django.db import connections

log = structlog.get_logger(__name__)

#: how many records a process keeps back while Redis is away; one has some hundred bytes to a few kilobytes
MOST_KEPT_BACK = 20_000
#: how long a process leaves a silent Redis alone, so that requests do not each wait for its time-out
AWAY_SECONDS = 5.0
SENT_AT_ONCE = 1_000

Record = dict[str, Any]


class Buffer(Protocol):
    """Holds records until `done` is called for the batch they are in."""

    def push(self, *records: Record) -> None: ...
    def batches(self) -> Iterator[tuple[str, list[Record]]]: ...
    def done(self, name: str) -> None: ...
    def set_aside(self, name: str) -> None: ...
    def __len__(self) -> int: ...


class MemoryBuffer:
    """Records of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Record] = []
        self._batches: dict[str, list[Record]] = {}

    def push(self, *records: Record) -> None:
        with self._lock:
            self._waiting += [json.loads(json.dumps(record)) for record in records]

    def batches(self) -> Iterator[tuple[str, list[Record]]]:
        with self._lock:
            if self._waiting:
                self._batches[uuid.uuid4().hex] = self._waiting
                self._waiting = []
            found = list(self._batches.items())
        yield from found

    def done(self, name: str) -> None:
        with self._lock:
            self._batches.pop(name, None)

    def set_aside(self, name: str) -> None:
        self.done(name)

    def __len__(self) -> int:
        return len(self._waiting)


class RedisBuffer:
    """Records of all processes of one installation.

    While Redis does not answer, a process keeps its newest MOST_KEPT_BACK records and sends them later, each once; older ones give way
    and are counted in the warning. What a process keeps back ends with it.
    """

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._redis = client
        self._waiting = f"{prefix}:waiting"
        self._batch = f"{prefix}:batch:"
        self._aside = f"{prefix}:aside:"
        self._lock = threading.Lock()
        self._kept_back: deque[str] = deque()
        self._dropped = 0
        self._away_until = 0.0

    def push(self, *records: Record) -> None:
        texts = [json.dumps(record) for record in records]
        if time.monotonic() < self._away_until:
            self._keep_back(texts)
            return
        try:
            self._catch_up()
            self._redis.rpush(self._waiting, *texts)
        except redis.RedisError as e:
            self._away_until = time.monotonic() + AWAY_SECONDS
            self._keep_back(texts)
            log.warning("activity_kept_back", error=str(e), records=len(self._kept_back), dropped=self._dropped)

    def _keep_back(self, texts: list[str]) -> None:
        with self._lock:
            self._kept_back.extend(texts)
            while len(self._kept_back) > MOST_KEPT_BACK:
                self._kept_back.popleft()
                self._dropped += 1

    def _catch_up(self) -> None:
        """Send what was kept back. Each thread takes records of its own, and puts them back in their place when Redis is away again."""
        while self._kept_back:
            with self._lock:
                taken = [self._kept_back.popleft() for _ in range(min(SENT_AT_ONCE, len(self._kept_back)))]
            if not taken:
                return
            try:
                self._redis.rpush(self._waiting, *taken)
            except redis.RedisError:
                with self._lock:
                    self._kept_back.extendleft(reversed(taken))
                raise

    def batches(self) -> Iterator[tuple[str, list[Record]]]:
        fresh = self._batch + uuid.uuid4().hex
        try:
            self._redis.rename(self._waiting, fresh)
        except redis.ResponseError:
            pass  # nothing waits
        for key in sorted(self._redis.scan_iter(match=f"{self._batch}*", count=1000)):
            records = [json.loads(r) for r in self._redis.lrange(key, 0, -1)]
            yield key.decode().removeprefix(self._batch), records

    def done(self, name: str) -> None:
        self._redis.delete(self._batch + name)

    def set_aside(self, name: str) -> None:
        """Keep a batch that can never be written, out of the way of the others."""
        self._redis.rename(self._batch + name, self._aside + name)

    def __len__(self) -> int:
        return int(self._redis.llen(self._waiting))


@lru_cache(maxsize=1)
def buffer() -> Buffer:
    """This process's way to the waiting records, by settings.ACTIVITY_BUFFER ("redis" or "memory")."""
    if settings.ACTIVITY_BUFFER == "memory":
        return MemoryBuffer()
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    return RedisBuffer(client, f"openlance:{connections['default'].settings_dict['NAME']}:activity")
