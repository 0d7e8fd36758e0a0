"""How often one caller may ask: so that a program gone wild, or a scraper, leaves the house to the others.

Sign-in, sign-up and codes have limits of their own in allauth, counted also by what was tried; here everything under /api/v1 is counted, by person
or, for anonymous callers, by address.
"""

from __future__ import annotations

import time
from typing import Any

import redis
import structlog
from django.conf import settings
from django.core.cache import cache
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

log = structlog.get_logger()


def window(now: float, seconds: int) -> tuple[int, float]:
    """The window in which this instant (seconds since 1970) lies, and the seconds until the next one begins."""
    number = int(now // seconds)
    return number, (number + 1) * seconds - now


class PaceThrottle(BaseThrottle):
    """At most so many requests a window, by the setting API_PACE: kind → (requests, seconds). `read` and `write` count for each person, `address`
    for each anonymous address; a kind that is not in the setting has no limit. When the cache is away nobody is kept out."""

    def allow_request(self, request: Request, view: Any) -> bool:
        person = request.user.pk
        kind = "address" if person is None else "read" if request.method in SAFE_METHODS else "write"
        limit = settings.API_PACE.get(kind)
        if limit is None:
            return True
        most, seconds = limit
        number, self._wait = window(time.time(), seconds)
        key = f"pace:{kind}:{self.get_ident(request) if person is None else person}:{number}"
        try:
            return _counted(key, 2 * seconds) <= most
        except (redis.RedisError, OSError) as e:
            log.warning("pace_not_counted", error=type(e).__name__)
            return True

    def wait(self) -> float:
        return max(1.0, self._wait)


def _counted(key: str, keep: int) -> int:
    try:
        return int(cache.incr(key))
    except ValueError:  # the first of its window
        return 1 if cache.add(key, 1, keep) else int(cache.incr(key))
