"""The indexes on disk: what a killed writer leaves, what changes during a rebuild, what a burst of events costs, and what is asked of facts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from marketplace.core import clock
from marketplace.core.models import Delivery
from marketplace.core.tasks import LEASE, deliver_one, drain, due_delivery_ids
from marketplace.jobs import search, selectors, services
from marketplace.jobs.models import Job
from marketplace.jobs.search import engine, people, posts
from tests.webapp.people import Person


@pytest.fixture(autouse=True)
def own_index(settings: Any, tmp_path: Path) -> None:
    settings.SEARCH_DIR = tmp_path / "search"


def folder(settings: Any) -> Path:
    shelf = Path(settings.SEARCH_DIR) / "jobs"
    return shelf / (shelf / "CURRENT").read_text()


def titles() -> list[str]:
    return sorted(r["title"] for r in Person().get("jobs").json()["results"])


KILLED_WHILE_WRITING = """
import os, signal, sys, tantivy
index = tantivy.Index.open(sys.argv[1])
writer = index.writer(15_000_000, 1)
writer.delete_all_documents()
writer.add_document(tantivy.Document(id=[1]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_before_its_commit_loses_nothing(post: Any, settings: Any) -> None:
    post(title="Python first")
    search.rebuild()
    post(title="Python second")
    Delivery.objects.filter(handler="jobs.search").update(
        state=Delivery.State.CLAIMED, attempts=1, next_try_at=clock.now() + LEASE
    )  # as the killed worker had claimed it
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(folder(settings))], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    drain()
    assert titles() == ["Python first"], "the last commit still stands"
    clock.advance(int(LEASE.total_seconds()) + 1)
    drain()
    assert titles() == ["Python first", "Python second"], "the claim's lease has ended, and somebody else did it"


def test_what_changes_during_a_rebuild_is_in_the_new_index(post: Any, alice: Any) -> None:
    renamed, closed = post(title="Python old name"), post(title="Python to close")
    search.rebuild()
    done = []

    def meanwhile(count: int) -> None:
        """After the rows were read, before the switch."""
        if not done:
            done.append(count)
            services.job_update(actor=alice, job_id=renamed.pk, title="Python new name")
            services.job_close(actor=alice, job_id=closed.pk)
            post(title="Python arrival")
            drain()
            assert titles() == ["Python arrival", "Python new name"], "readers keep the old index, which follows as always"

    posts.SHELF.rebuild(meanwhile)
    assert done == [2]
    assert titles() == ["Python arrival", "Python new name"]
    assert Person().get("jobs", query="old").json()["total"] == 0
    assert Person().get("jobs", query="close").json()["total"] == 0


def test_a_build_that_dies_leaves_the_old_index_and_no_obstacle(post: Any) -> None:
    post(title="Python one")
    search.rebuild()
    post(title="Python two")

    def die(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        posts.SHELF.rebuild(die)
    drain()
    assert titles() == ["Python one", "Python two"]
    posts.SHELF.rebuild()
    assert titles() == ["Python one", "Python two"]


def test_a_burst_of_events_is_one_commit_and_a_repetition_none(post: Any, settings: Any) -> None:
    post(title="Python one")
    search.rebuild()
    drain()
    ids = [post(title=f"Python number {i}").pk for i in range(5)]
    mine = [d for d in due_delivery_ids() if Delivery.objects.get(pk=d).handler == "jobs.search"]

    def commits() -> int:
        return int(json.loads((folder(settings) / "meta.json").read_text())["opstamp"])

    assert not posts.SHELF.is_current(ids)
    assert deliver_one(mine[0])
    assert posts.SHELF.is_current(ids), "the first delivery has done what the others wait for"
    once = commits()
    drain()
    posts.SHELF.sync(ids)
    assert commits() == once
    assert not Delivery.objects.filter(handler="jobs.search").exclude(state=Delivery.State.DONE).exists()


def test_an_index_of_another_version_counts_as_absent(post: Any, settings: Any) -> None:
    post(title="Python one")
    search.rebuild()
    shelf = Path(settings.SEARCH_DIR) / "jobs"
    old = folder(settings)
    old.rename(shelf / "0-of-an-older-release")
    (shelf / "CURRENT").write_text("0-of-an-older-release")
    assert titles() == ["Python one"]
    assert folder(settings).name.startswith(f"{posts.SHELF.source.version}-")


def test_a_hit_shows_the_card_that_every_list_shows(post: Any, bob: Any) -> None:
    job = post(title="Python card", skills=["sql", "python"], experience_level="expert", duration_days=9, location_country="KE")
    hit = Person(bob).get("jobs", query="card").json()["results"][0]
    row = Job.objects.select_related("category", "client").get(pk=job.pk)
    card = json.loads(json.dumps(selectors.job_cards([row])[0], default=lambda at: at.isoformat().replace("+00:00", "Z")))
    assert {name: hit[name] for name in card} == card
    assert set(hit) - set(card) == {"position", "score", "reasons", "estimate"}


@pytest.mark.parametrize(
    ("zone", "other", "day", "hours"),
    [
        ("Europe/Berlin", "Africa/Nairobi", date(2026, 1, 15), 6.0),
        ("Europe/Berlin", "Africa/Nairobi", date(2026, 7, 15), 7.0),
        ("Europe/Berlin", "America/New_York", date(2026, 3, 7), 2.0),
        ("Europe/Berlin", "America/New_York", date(2026, 3, 15), 3.0),  # only one of the two has summer time yet
        ("Pacific/Auckland", "Pacific/Honolulu", date(2026, 1, 15), 7.0),  # 23 hours apart are one
        ("Asia/Kolkata", "Asia/Kathmandu", date(2026, 1, 15), 7.75),
        ("Asia/Tokyo", "Europe/London", date(2026, 1, 15), 0.0),
    ],
)
def test_hours_in_common_know_summer_time_and_the_date_line(zone: str, other: str, day: date, hours: float) -> None:
    assert engine.overlap_hours(zone, other, day) == engine.overlap_hours(other, zone, day) == hours


def test_both_shelves_are_rebuilt_by_the_one_command(post: Any, bob: Any, alice: Any) -> None:
    post(title="Python one")
    assert search.rebuild() == 2
    assert people.SHELF.is_current([bob.pk, alice.pk])
    assert [r["display_name"] for r in Person(alice).get("freelancers").json()["results"]] == ["Bob"]
