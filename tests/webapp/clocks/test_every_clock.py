"""Every clock of the house at its edge: not a second before its instant, at it, and never again; in front of summer time, winter time and a leap day.

A sweep that joins the schedule of beat without a row in the table fails here.
"""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

import marketplace
from tests.webapp.clocks import around_work, work
from tests.webapp.clocks.table import AUTUMNS, LEAP_DAY, SECOND, SPRINGS, Clock, Edge, House, changed, edges_of, now, world

pytestmark = pytest.mark.django_db
CLOCKS = [*work.CLOCKS, *around_work.CLOCKS]
CASES = [pytest.param(row, edge, id=f"{row.name}-{edge.name}") for i, row in enumerate(CLOCKS) for edge in edges_of(row.lasts, i)]
#: one sweep alone runs in each case: holds whose end is another sweep's stay beyond their limit, which is 11
INVARIANTS = [*range(1, 11), 12]
#: sweeps of the schedule that wait for no time of their own, with what they go by
WITHOUT_A_CLOCK = {
    "marketplace.jobs.tasks.move_merged_skills": "goes on while something points at a merged skill",
    "marketplace.jobs.tasks.reread_search": "keeps its time beside the index, where no table shows it: test_rereading proves its edge",
    "marketplace.payments.tasks.ledger_check": "reads, and changes nothing",
    "marketplace.payments.tasks.poll_events": "reads on from where it last read",
    "marketplace.payments.tasks.issue_documents": "goes on while an entry lacks its document",
}
#: what such a sweep calls, by the name under which `each_due` logs it
ACTS_WITHOUT_A_CLOCK = {"issue_documents"}


@pytest.mark.parametrize(("row", "edge"), CASES)
def test_not_a_second_before_at_its_instant_and_never_again(house: House, row: Clock, edge: Edge) -> None:
    sweep = import_string(row.task)
    house.open(row.start(edge), edge)
    armed = row.arrange(house)
    since = armed.since or now()
    due = row.due(since, edge)
    assert since <= edge.at < due, "the edge lies within the clock's time"
    assert armed.due in (due, None)

    seen = world()

    def nothing_happens(why: str) -> None:
        said = sweep()
        assert row.done is None or said == 0, why
        if armed.act is not None:
            armed.act()
        assert changed(seen, world()) == [], why

    house.go(due - SECOND)
    nothing_happens("a second before")
    assert armed.shows() == armed.was
    house.go(due)
    said = sweep()
    assert row.done is None or said == row.done
    before, seen = seen, world()
    assert (armed.shows(), bool(changed(before, seen))) == (armed.becomes, True)
    nothing_happens("delivered twice")
    house.wait(row.later)
    nothing_happens("swept again later")
    assert armed.shows() == armed.becomes


def test_the_edges_are_where_the_zones_change_their_clocks() -> None:
    for edge in (*SPRINGS, *AUTUMNS):
        zone = ZoneInfo(edge.zone)
        before, after = ((edge.at - s).astimezone(zone).utcoffset() for s in (SECOND, timedelta(0)))
        assert before is not None and after is not None and before - after == edge.longer, edge.name
    assert (LEAP_DAY.at.month, LEAP_DAY.at.day) == (2, 29)


def test_every_sweep_of_the_schedule_is_in_the_table() -> None:
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    in_table = {row.task for row in CLOCKS}
    assert scheduled - in_table - set(WITHOUT_A_CLOCK) == set(), "give the sweep a row for each thing that it does when a time is over"
    assert (in_table | set(WITHOUT_A_CLOCK)) - scheduled == set(), "this sweep is not scheduled any more"
    assert in_table & set(WITHOUT_A_CLOCK) == set()


def test_every_act_that_a_sweep_calls_is_in_the_table() -> None:
    """A sweep may do several things: `each_due` logs each under a name of its own."""
    called = set()
    for source in Path(marketplace.__file__).parent.glob("*/tasks.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "each_due":
                called.add(ast.literal_eval(node.args[2]))
    assert called == {row.what for row in CLOCKS if row.what} | ACTS_WITHOUT_A_CLOCK
