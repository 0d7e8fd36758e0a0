"""How often one caller may ask: so that a program gone wild, or a scraper, leaves the house to the others.

Sign-in, sign-up and codes have limits of their own in allauth, counted also by what was tried; here everything under /api/v1 is counted, by person
or, for anonymous callers, by address, and what costs much or is easily abused once more.
"""

from __future__ import annotations

import ipaddress
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

#: after the cache failed, how long this process goes on without asking it again: a Redis that hangs would make everybody wait for its time-out
WITHOUT_CACHE_SECONDS = 5.0
#: what a provider of IPv6 gives to one household: whoever has one address of it has them all
_HOUSEHOLD = 64


def window(now: float, seconds: int) -> tuple[int, float]:
    """The window in which this instant (seconds since 1970) lies, and the seconds until the next one begins."""
    number = int(now // seconds)
    return number, (number + 1) * seconds - now


class PaceThrottle(BaseThrottle):
    """At most so many requests a window, by the setting API_PACE: kind → (requests, seconds); a kind that is not in the setting has no limit.

    `read` and `write` count for each person, `address` for each anonymous address. A view names a kind of its own for a method by
    `pace = {"POST": "upload"}`: that is counted beside them, for each person or anonymous address. By the wall clock, in the cache that all
    processes share; when it is away nobody is kept out.
    """

    timer = staticmethod(time.time)
    _cache_away_until = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        person = request.user.pk
        caller = _household(self.get_ident(request)) if person is None else str(person)
        general = "address" if person is None else "read" if request.method in SAFE_METHODS else "write"
        own = getattr(view, "pace", {}).get("GET" if request.method == "HEAD" else request.method)
        self._wait = 0.0
        within = [self._within(kind, caller) for kind in (general, own) if kind in settings.API_PACE]
        return all(within)

    def wait(self) -> float:
        return max(1.0, self._wait)

    def _within(self, kind: str, caller: str) -> bool:
        most, seconds = settings.API_PACE[kind]
        number, left = window(self.timer(), seconds)
        if _counted(f"pace:{kind}:{caller}:{number}", 2 * seconds) <= most:
            return True
        self._wait = max(self._wait, left)
        return False


def _household(address: str | None) -> str:
    """Who shares the address; callers without one, as through a Unix socket, count together."""
    if not address:
        return "nowhere"
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), _HOUSEHOLD), strict=False))


def _counted(key: str, keep: int) -> int:
    """How often this key was counted, this time included; 0 while the cache is away."""
    if time.monotonic() < PaceThrottle._cache_away_until:
        return 0
    try:
        try:
            return int(cache.incr(key))
        except ValueError:  # the first of its window
            return 1 if cache.add(key, 1, keep) else int(cache.incr(key))
    except (redis.RedisError, OSError) as e:
        PaceThrottle._cache_away_until = time.monotonic() + WITHOUT_CACHE_SECONDS
        log.warning("pace_not_counted", error=type(e).__name__, seconds=WITHOUT_CACHE_SECONDS)
        return 0
