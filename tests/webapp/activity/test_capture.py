"""What was shown and done is written once, later, whatever crashes in between."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import structlog
from django.db import OperationalError

from marketplace.activity import buffers, capture, tasks
from marketplace.activity.models import FlushedBatch, Impression, RequestLatency, View
from tests.webapp.people import Person


@pytest.fixture(params=["memory", "redis"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Any]:
    """An empty buffer of each kind in the place of the process's own."""
    if request.param == "memory":
        found: Any = buffers.MemoryBuffer()
    else:
        url = os.environ.get("OPENLANCE_REDIS_URL")
        if not url:
            pytest.skip("OPENLANCE_REDIS_URL is not set: the buffer in Redis did not run")
        client = redis.Redis.from_url(url)
        found = buffers.RedisBuffer(client, f"test:{uuid.uuid4().hex}")
    for module in (capture, tasks):
        monkeypatch.setattr(module, "buffer", lambda: found)
    yield found
    if request.param == "redis":
        for key in client.scan_iter(match=f"{found._waiting.removesuffix(':waiting')}:*"):
            client.delete(key)


def shown(n: int = 3) -> str:
    return capture.impressions(
        user_id=7, surface="job_search", ranking="search-1", items=[("job", 100 + i, i, float(i)) for i in range(1, n + 1)]
    )


def test_a_list_shown_becomes_one_row_an_item_with_its_propensity(waiting: Any) -> None:
    batch = shown()
    assert Impression.objects.count() == 0, "nothing is written on the request path"
    assert tasks.flush() == 3
    rows = list(Impression.objects.filter(batch=batch).order_by("position"))
    assert [(r.position, r.item_id, r.user_id, r.ranking) for r in rows] == [(i, 100 + i, 7, "search-1+log2") for i in (1, 2, 3)]
    assert [r.propensity for r in rows] == pytest.approx([1 / math.log2(p + 1) for p in (1, 2, 3)], rel=1e-9)
    assert tasks.flush() == 0


def test_a_crash_before_the_commit_loses_nothing(waiting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown()
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "run_in_transaction", lambda work: (_ for _ in ()).throw(OperationalError(2006, "server has gone away")))
        with pytest.raises(OperationalError):
            tasks.flush()
    assert Impression.objects.count() == 0
    shown(2)
    assert tasks.flush() == 5


def test_a_crash_between_commit_and_acknowledgement_writes_nothing_twice(waiting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown()
    with monkeypatch.context() as patch:
        patch.setattr(waiting, "done", lambda name: (_ for _ in ()).throw(ConnectionError("killed here")))
        with pytest.raises(ConnectionError):
            tasks.flush()
    assert Impression.objects.count() == 3
    assert tasks.flush() == 0
    assert Impression.objects.count() == 3
    assert FlushedBatch.objects.count() == 1
    assert list(waiting.batches()) == []


@pytest.mark.parametrize("wrong", [{"at": "not a time"}, {"item_id": None}])
def test_a_batch_that_can_never_be_written_does_not_stop_the_others(committed_db: None, waiting: Any, wrong: dict[str, Any]) -> None:
    at = "2026-11-02T12:00:00+00:00"
    waiting.push({"kind": "view", "at": at, "user_id": 1, "item_type": "job", "item_id": 1, "batch": "", **wrong})
    assert tasks.flush() == 0
    shown(1)
    assert tasks.flush() == 1


def test_records_wait_in_the_process_while_redis_is_away(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    url = os.environ.get("OPENLANCE_REDIS_URL")
    if not url:
        pytest.skip("OPENLANCE_REDIS_URL is not set: the buffer in Redis did not run")
    away, there = redis.Redis.from_url("redis://127.0.0.1:1/0"), redis.Redis.from_url(url)
    found = buffers.RedisBuffer(away, f"test:{uuid.uuid4().hex}")
    found.push({"kind": "view", "n": 1})
    found._redis = there
    found.push({"kind": "view", "n": 2})
    assert list(found.batches()) == [], "a silent Redis is left alone for a while"
    found._away_until = 0.0
    found.push({"kind": "view", "n": 3})
    [(name, records)] = list(found.batches())
    assert [r["n"] for r in records] == [1, 2, 3]
    found.done(name)
    assert list(found.batches()) == []


def test_a_process_without_redis_keeps_its_newest_records_and_counts_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "MOST_KEPT_BACK", 3)
    found = buffers.RedisBuffer(redis.Redis.from_url("redis://127.0.0.1:1/0"), "test:away")
    with structlog.testing.capture_logs() as logged:
        for n in range(5):
            found.push({"kind": "view", "n": n})
        found._away_until = 0.0
        found.push({"kind": "view", "n": 5})
    assert [json.loads(text)["n"] for text in found._kept_back] == [3, 4, 5]
    assert [(line["event"], line["records"], line["dropped"]) for line in logged] == [
        ("activity_kept_back", 1, 0),
        ("activity_kept_back", 3, 3),
    ]


def test_latencies_of_one_route_add_up_under_its_pattern(waiting: Any, alice: Any) -> None:
    for number in (1, 2, 3):
        assert Person(alice).get(f"jobs/{number}").status_code == 404
    tasks.flush()
    row = RequestLatency.objects.get(route="api/v1/jobs/<int:job_id>")
    assert (row.method, row.requests, row.errors) == ("GET", 3, 0)
    assert sum(row.histogram.values()) == 3
    assert row.max_ms <= row.total_ms


@pytest.mark.parametrize(("ms", "expected"), [(0, "<=5"), (5, "<=5"), (6, "<=10"), (10_000, "<=10000"), (10_001, ">10000")])
def test_a_latency_falls_into_its_bin(ms: int, expected: str) -> None:
    assert tasks.bin_of(ms) == expected


def test_an_opened_post_is_noted_once_however_often_it_is_sent(waiting: Any, bob: Any) -> None:
    batch = str(uuid.uuid4())
    for _ in range(2):
        sent = Person(bob).post("activity/views", {"item_type": "job", "item_id": 5, "batch": batch}, key="view-1")
        assert sent.status_code == 202
    tasks.flush()
    assert View.objects.values_list("user_id", "item_type", "item_id", "batch").get() == (bob.pk, "job", 5, batch)


@pytest.mark.parametrize(
    ("field", "value"), [("item_type", "user"), ("item_id", -1), ("item_id", 2**63), ("item_id", 1.5), ("batch", "x" * 36)]
)
def test_a_wrong_view_names_its_field(waiting: Any, bob: Any, field: str, value: Any) -> None:
    answer = Person(bob).post("activity/views", {"item_type": "job", "item_id": 5, field: value})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
