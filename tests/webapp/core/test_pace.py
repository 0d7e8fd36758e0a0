"""How often one caller may ask: the next request too many is refused, says when to come again, and does nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache

from marketplace.accounts.models import User
from marketplace.core.api.throttles import window
from tests.webapp.people import Person
from tests.webapp.signing import Caller

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def own_cache(settings: Any, request: pytest.FixtureRequest) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "pace"}}
    cache.clear()


def test_the_write_too_many_changes_nothing_and_says_when_to_come_again(alice: User, bob: User, settings: Any) -> None:
    settings.API_PACE = {"write": (2, DAY)}
    person = Person(alice)
    assert [person.patch("me", {"display_name": name}).status_code for name in ("A", "B", "C")] == [200, 200, 429]
    refused = person.patch("me", {"display_name": "D"})
    assert refused.json()["code"] == "throttled" and refused.json()["message"]
    assert 1 <= int(refused.headers["Retry-After"]) <= DAY
    alice.refresh_from_db()
    assert alice.display_name == "B"
    assert person.get("me").status_code == 200, "reading has a limit of its own"
    assert Person(bob).patch("me", {"display_name": "Bobby"}).status_code == 200, "each person counts apart"


def test_anonymous_callers_count_by_the_address_that_they_cannot_choose(db: Any, settings: Any) -> None:
    settings.API_PACE = {"address": (2, DAY)}
    told = [Caller().get("jobs", HTTP_X_FORWARDED_FOR=f"203.0.113.{i}").status_code for i in range(3)]
    assert told == [200, 200, 429]
    assert Caller().get("jobs", REMOTE_ADDR="198.51.100.7").status_code == 200


def test_behind_a_proxy_of_ours_its_word_counts(db: Any, settings: Any) -> None:
    settings.API_PACE = {"address": (1, DAY)}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    assert Caller().get("jobs", HTTP_X_FORWARDED_FOR="192.0.2.1, 203.0.113.1").status_code == 200
    assert Caller().get("jobs", HTTP_X_FORWARDED_FOR="192.0.2.9, 203.0.113.1").status_code == 429
    assert Caller().get("jobs", HTTP_X_FORWARDED_FOR="192.0.2.1, 203.0.113.2").status_code == 200


def test_without_the_cache_nobody_is_kept_out(alice: User, settings: Any) -> None:
    settings.API_PACE = {"read": (1, DAY)}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}
    person = Person(alice)
    assert [person.get("me").status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(("now", "found"), [(0.0, (0, 60.0)), (59.5, (0, 0.5)), (60.0, (1, 60.0)), (61.0, (1, 59.0))])
def test_windows_begin_at_their_multiples(now: float, found: tuple[int, float]) -> None:
    assert window(now, 60) == found
