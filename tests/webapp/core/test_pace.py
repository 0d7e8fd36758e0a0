"""How often one caller may ask: the next request too many is refused, says when to come again, and does nothing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import redis
from django.conf import settings as configured
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern, get_resolver, resolve
from rest_framework.test import APIRequestFactory
from structlog.testing import capture_logs

from config.settings import base
from marketplace.accounts.models import DataExport, User
from marketplace.core.api.throttles import PaceThrottle, window
from marketplace.core.models import StoredFile
from tests.webapp.people import Person
from tests.webapp.signing import Caller

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def own_cache(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PaceThrottle, "_cache_away_until", 0.0)
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


def test_an_address_that_a_household_of_ipv6_can_choose_counts_as_one(db: Any, settings: Any) -> None:
    settings.API_PACE = {"address": (1, DAY)}
    told = [Caller().get("jobs", REMOTE_ADDR=a).status_code for a in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")]
    assert told == [200, 429, 200]
    assert [Caller().get("jobs", REMOTE_ADDR=a).status_code for a in ("203.0.113.4", "::ffff:203.0.113.4")] == [200, 429]


def test_a_window_passes_by_the_clock(alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.API_PACE = {"read": (1, 60)}
    person, begins = Person(alice), 1_800_000_000.0
    for seconds, status, wait in (
        (0.0, 200, None),
        (0.0, 429, "60"),
        (58.5, 429, "2"),
        (59.9, 429, "1"),
        (60.0, 200, None),
        (119.9, 429, "1"),
    ):
        monkeypatch.setattr(PaceThrottle, "timer", staticmethod(lambda at=begins + seconds: at))
        answer = person.get("me")
        assert (answer.status_code, answer.headers.get("Retry-After")) == (status, wait), seconds


def test_all_processes_count_in_one_cache(alice: User, settings: Any) -> None:
    if not configured.CELERY_BROKER_URL.startswith("redis"):
        pytest.skip("no Redis here")
    prefix = uuid.uuid4().hex
    settings.CACHES = {"default": {**base.CACHES["default"], "LOCATION": configured.CELERY_BROKER_URL, "KEY_PREFIX": prefix}}
    settings.API_PACE = {"read": (2, DAY)}
    person = Person(alice)
    assert person.get("me").status_code == 200
    with redis.Redis.from_url(configured.CELERY_BROKER_URL) as other:
        (key,) = other.keys(f"{prefix}:*")
        assert key.decode().startswith(f"{prefix}:1:pace:read:{alice.pk}:") and 0 < other.ttl(key) <= 2 * DAY
        other.incr(key)
        assert person.get("me").status_code == 429, "what another process counted"
        other.delete(key)
    assert person.get("me").status_code == 200


def test_without_the_cache_nobody_is_kept_out(alice: User, settings: Any) -> None:
    settings.API_PACE = {"read": (1, DAY)}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}
    person = Person(alice)
    with capture_logs() as said:
        assert [person.get("me").status_code for _ in range(3)] == [200, 200, 200]
    assert [(line["event"], line["log_level"]) for line in said if line["event"].startswith("pace")] == [("pace_not_counted", "warning")]


# ---- what costs much or is easily abused ------------------------------------------------------------------------------------------


def declared() -> dict[tuple[str, str], str]:
    """(method, name of the route) → the kind that its view counts beside the general one."""
    found: dict[tuple[str, str], str] = {}

    def walk(patterns: Any) -> None:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                view = getattr(pattern.callback, "cls", None)
                found.update({(method, str(pattern.name)): kind for method, kind in getattr(view, "pace", {}).items()})
            else:
                walk(pattern.url_patterns)

    walk(get_resolver().url_patterns)
    return found


def test_every_kind_that_a_view_names_has_a_limit_and_the_acts_that_are_abused_have_one() -> None:
    kinds = declared()
    assert {*kinds.values(), "read", "write", "address"} == set(base.API_PACE)
    assert {
        ("GET", "jobs"): "search",
        ("GET", "freelancers"): "search",
        ("POST", "files"): "upload",
        ("POST", "me-exports"): "export",
        ("POST", "job-proposals"): "proposal",
        ("POST", "job-invitations"): "invitation",
        ("POST", "reports"): "report",
        ("POST", "letter-decision"): "letter",
    }.items() <= kinds.items()


def test_an_act_of_its_own_kind_is_refused_before_the_general_limit_and_does_nothing(alice: User, bob: User, settings: Any) -> None:
    settings.API_PACE = {"export": (1, DAY), "write": (50, DAY)}
    person = Person(alice)
    first = person.post("me/exports")
    assert first.status_code == 201, first.content
    refused = person.post("me/exports")
    assert (refused.status_code, refused.json()["code"], refused.json()["fields"]) == (429, "throttled", {})
    assert 1 <= int(refused.headers["Retry-After"]) <= DAY
    assert DataExport.objects.filter(user=alice).count() == 1
    assert person.get("me/exports").status_code == 200 and person.patch("me", {"display_name": "A"}).status_code == 200
    assert Person(bob).post("me/exports").status_code == 201


def test_an_upload_too_many_is_not_kept(alice: User, settings: Any) -> None:
    settings.API_PACE = {"upload": (1, DAY)}
    client = Person(alice).client
    told = []
    for name in ("a.txt", "b.txt"):
        sent = {"file": SimpleUploadedFile(name, b"text", "text/plain")}
        told.append(client.post("/api/v1/files", sent, format="multipart", HTTP_IDEMPOTENCY_KEY=name).status_code)
    assert told == [201, 429]
    assert list(StoredFile.objects.values_list("name", flat=True)) == ["a.txt"]


def test_searches_count_whoever_searches_and_also_when_only_the_head_is_asked_for(alice: User, settings: Any) -> None:
    settings.API_PACE = {"search": (2, DAY)}
    person = Person(alice)
    assert [person.get("jobs").status_code, person.client.head("/api/v1/jobs").status_code, person.get("jobs").status_code] == [
        200,
        200,
        429,
    ]
    assert person.get("freelancers").status_code == 429, "one kind, one count"
    assert [Caller().get("jobs").status_code for _ in range(3)] == [200, 200, 429]


def test_whether_a_server_lives_may_be_asked_at_any_rate(db: Any, settings: Any) -> None:
    settings.API_PACE = {"address": (1, DAY)}
    assert 429 not in [Caller().get("health").status_code for _ in range(3)]


# ---- the arithmetic ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("now", "found"), [(0.0, (0, 60.0)), (59.5, (0, 0.5)), (60.0, (1, 60.0)), (61.0, (1, 59.0))])
def test_windows_begin_at_their_multiples(now: float, found: tuple[int, float]) -> None:
    assert window(now, 60) == found


def test_callers_without_an_address_count_together(db: Any, settings: Any) -> None:
    settings.API_PACE = {"address": (1, DAY)}
    without = {"REMOTE_ADDR": ""}
    assert [Caller().get("jobs", **without).status_code for _ in range(2)] == [200, 429]
    nameless = APIRequestFactory().get("/api/v1/jobs")
    del nameless.META["REMOTE_ADDR"]
    assert resolve("/api/v1/jobs").func(nameless).status_code == 429
