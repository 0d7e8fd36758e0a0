"""Rows written in bulk: the same by either way, whatever the text, and never half of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from marketplace.core.models import Event
from marketplace.simulation import tables
from marketplace.simulation.journal import COLUMNS
from marketplace.simulation.tables import Json, MadeTable, Table, iso

pytestmark = pytest.mark.django_db
AT = 1_790_000_000
TEXTS = (
    "", "plain", "a\ttab", "two\nlines", "\r\n of others", "back\\slash", "\\N", "NULL", 'say "so"', "it's", "%s and 100 %", "山田 🙂 ẞ", "\x1a\x08", "a,b;c",
)  # fmt: skip


@pytest.fixture(scope="module")
def loading(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A connection that may read local files, as the command's; a market that was made before left one."""
    with django_db_blocker.unblock(), tables.bulk_loading():
        yield


def facts(first: int) -> list[tuple[Any, ...]]:
    """Events whose columns hold each text, as text and inside JSON, and a missing actor every other time."""
    return [
        (
            first + n,
            "test.loaded",
            1,
            first + n,
            "test.tell",
            None if n % 2 else 7,
            {"is": text},
            Json('{"as": [1, 2.5, null]}'),
            text,
            AT + n,
        )
        for n, text in enumerate(TEXTS)
    ]


def read(first: int) -> list[tuple[Any, ...]]:
    found = Event.objects.filter(id__gte=first, id__lt=first + len(TEXTS)).order_by("id")
    return [(e.actor_id, e.before, e.after, e.reason, e.occurred_at) for e in found]


def test_either_way_writes_the_same_rows(loading: None, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, inserted = 10**9, 2 * 10**9
    assert tables.may_load() == (connection.vendor == "mysql")
    assert Table(Event, COLUMNS, facts(loaded)).write() == len(TEXTS)
    monkeypatch.setattr(tables, "may_load", lambda: False)
    assert Table(Event, COLUMNS, facts(inserted)).write() == len(TEXTS)
    assert read(loaded) == read(inserted)
    assert [row[3] for row in read(loaded)] == list(TEXTS)
    assert [row[1]["is"] for row in read(loaded)] == list(TEXTS)


@pytest.mark.parametrize("fault", ["id twice", "text too long", "JSON broken"])
def test_a_row_that_the_database_does_not_take_stops_the_whole(loading: None, fault: str) -> None:
    """A local file turns such rows into warnings: they must not be skipped or cut in silence."""
    first = 10**9
    rows = facts(first)
    id_, kind, pk, version, name, actor, before, after, _, at = rows[-1]
    rows[-1] = {
        "id twice": (first, kind, pk, version, name, actor, before, after, "", at),
        "text too long": (id_, kind, pk, version, name, actor, before, after, "x" * 501, at),
        "JSON broken": (id_, kind, pk, version, name, actor, Json("{"), after, "", at),
    }[fault]
    with pytest.raises(ValueError, match="were sent and") if tables.may_load() else pytest.raises(Exception), transaction.atomic():
        Table(Event, COLUMNS, rows).write()
    assert read(first) == []


def test_a_table_made_block_by_block_asks_for_each_row_once_and_in_order(loading: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LOADED", 5)
    monkeypatch.setattr(tables, "INSERTED", 5)
    rows, asked, heard = facts(10**9), [], []

    def make(start: int, stop: int) -> Any:
        asked.append((start, stop))
        return list(zip(*rows[start:stop], strict=True))

    assert MadeTable(Event, COLUMNS, make=make, count=len(rows)).write(heard.append) == len(rows)
    assert asked == [(0, 5), (5, 10), (10, 14)] and heard == [5, 10, 14]
    assert [row[3] for row in read(10**9)] == list(TEXTS)


def test_instants_are_written_as_django_writes_them() -> None:
    for seconds in (0, 86_399, 86_400, AT, 951_782_400 + 3_661):
        assert iso(seconds) == tables.instant(seconds).isoformat()
        assert tables.instant_text(seconds) == tables.instant(seconds).strftime("%Y-%m-%d %H:%M:%S")
