"""Writing what was captured, in batches."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import shared_task
from django.db import DatabaseError, IntegrityError, OperationalError
from django.utils import timezone

from marketplace.core.transactions import run_in_transaction

from .buffers import Record, buffer
from .capture import propensity, writers
from .models import FlushedBatch, Impression, RequestLatency, Search, View

log = structlog.get_logger(__name__)

#: upper bounds of the latency histogram in milliseconds; the last bin has none
BINS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000)
ROWS_A_STATEMENT = 1000
MARKS_KEPT_FOR = timedelta(days=2)


@shared_task(acks_late=True, ignore_result=True, time_limit=120)
def flush() -> int:
    """Write every waiting record once, however often a batch is met; returns the number of rows written.

    A batch that the database refuses for its content is set aside and logged; one that meets an outage waits for the next flush.
    """
    waiting, written = buffer(), 0
    for name, records in waiting.batches():
        if FlushedBatch.objects.filter(name=name).exists():
            waiting.done(name)  # written by a flush that died before it could say so
            continue
        try:
            written += run_in_transaction(lambda name=name, records=records: _write(name, records))  # type: ignore[misc]
        except OperationalError:
            raise
        except (DatabaseError, KeyError, TypeError, ValueError) as e:
            if isinstance(e, IntegrityError) and FlushedBatch.objects.filter(name=name).exists():
                waiting.done(name)  # another flush wrote it meanwhile
                continue
            log.error("activity_batch_set_aside", batch=name, records=len(records), error=f"{type(e).__name__}: {e}"[:500])
            waiting.set_aside(name)
            continue
        waiting.done(name)
    FlushedBatch.objects.filter(flushed_at__lte=timezone.now() - MARKS_KEPT_FOR).delete()
    return written


def _write(name: str, records: list[Record]) -> int:
    FlushedBatch.objects.create(name=name, records=len(records))
    by_kind: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_kind[record["kind"]].append(record)
    impressions = [row for r in by_kind["impressions"] for row in _impressions(r)]
    searches = [Search(searched_at=_at(r), **_fields(r, "user_id", "surface", "query", "filters", "hits")) for r in by_kind["search"]]
    views = [View(viewed_at=_at(r), **_fields(r, "user_id", "item_type", "item_id", "batch")) for r in by_kind["view"]]
    latencies = _latencies(by_kind["request"])
    Impression.objects.bulk_create(impressions, batch_size=ROWS_A_STATEMENT)
    Search.objects.bulk_create(searches, batch_size=ROWS_A_STATEMENT)
    View.objects.bulk_create(views, batch_size=ROWS_A_STATEMENT)
    RequestLatency.objects.bulk_create(latencies, batch_size=ROWS_A_STATEMENT)
    others = sum(write(by_kind[kind]) for kind, write in sorted(writers.items()) if by_kind[kind])
    return len(impressions) + len(searches) + len(views) + len(latencies) + others


def _at(record: Record) -> datetime:
    return datetime.fromisoformat(record["at"])


def _fields(record: Record, *names: str) -> dict[str, Any]:
    return {name: record[name] for name in names}


def _impressions(record: Record) -> list[Impression]:
    shown = _fields(record, "batch", "user_id", "surface", "ranking")
    return [
        Impression(
            item_type=item_type,
            item_id=item_id,
            position=position,
            propensity=propensity(position),
            score=score,
            shown_at=_at(record),
            **shown,
        )
        for item_type, item_id, position, score in record["items"]
    ]


def bin_of(ms: int) -> str:
    """The histogram bin of a latency: "<=5" … "<=10000", ">10000"."""
    return next((f"<={b}" for b in BINS if ms <= b), f">{BINS[-1]}")


def _latencies(records: list[Record]) -> list[RequestLatency]:
    found: dict[tuple[str, str, str, str], RequestLatency] = {}
    for r in records:
        key = (r["route"], r["method"], r["minute"], r["worker"])
        if key not in found:
            minute = datetime.fromisoformat(r["minute"])
            found[key] = RequestLatency(
                route=key[0], method=key[1], minute=minute, worker=key[3], requests=0, errors=0, total_ms=0, max_ms=0, histogram={}
            )
        row = found[key]
        row.requests += 1
        row.errors += r["failed"]
        row.total_ms += r["ms"]
        row.max_ms = max(row.max_ms, r["ms"])
        row.histogram[bin_of(r["ms"])] = row.histogram.get(bin_of(r["ms"]), 0) + 1
    return list(found.values())
