"""Lists cost a constant number of queries and use their index; two bids at once are one."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import FreelancerProfile
from marketplace.jobs import selectors
from marketplace.jobs.models import Job, Proposal
from tests.webapp.jobs.test_journey import BID
from tests.webapp.people import Person


def freelancers(n: int) -> list[Any]:
    people = []
    for i in range(n):
        user = get_user_model().objects.create_user(f"f{i}-{uuid.uuid4().hex[:6]}@example.org", "x", display_name=f"F{i}")
        FreelancerProfile.objects.create(user=user, title="Somebody")
        people.append(user)
    return people


def queries(person: Person, path: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert person.get(path).status_code == 200
    return len(seen)


def test_lists_cost_the_same_with_one_row_and_with_many(post: Any, bid: Any, alice: Any, bob: Any) -> None:
    job = post()
    bid(job)
    paths = [(Person(alice), f"jobs/{job.pk}/proposals"), (Person(alice), "me/jobs"), (Person(bob), "me/proposals")]
    few = [queries(*p) for p in paths]
    for person in freelancers(6):
        bid(job, freelancer=person)
    for _ in range(6):
        bid(post())
    assert [queries(*p) for p in paths] == few


def test_keyset_pages_walk_a_list_once_even_when_rows_are_equal_in_time(post: Any, alice: Any, time_machine: Any) -> None:
    time_machine.move_to("2026-11-24 12:00:00+00:00", tick=False)
    made = [post(state="draft").pk for _ in range(7)]
    seen: list[int] = []
    address = "/api/v1/me/jobs?limit=3"
    while address:
        page = Person(alice).get(address).json()
        seen += [r["id"] for r in page["results"]]
        address = page["next"]
    assert seen == made[::-1]


@pytest.mark.parametrize("cursor", ["%00", "abc", "W10", "WyJ4IiwgMV0", "WzEsMV0", "W251bGwsMV0", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwgMV0"])
def test_a_made_up_cursor_is_refused(alice: Any, cursor: str) -> None:
    answer = Person(alice).get(f"/api/v1/me/jobs?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


def test_lists_use_their_index(post: Any, bid: Any, alice: Any, bob: Any) -> None:
    if connection.vendor != "mysql":
        pytest.skip("EXPLAIN is asserted on MariaDB")
    bid(post())
    for rows, order, index in (
        (selectors.jobs_of(alice), ("-created_at", "-id"), "job_by_client"),
        (selectors.proposals_of(freelancer_id=bob.pk), ("-submitted_at", "-id"), "proposal_by_freelancer"),
    ):
        with connection.cursor() as cursor:
            sql, params = rows.select_related(None).order_by(*order)[:26].query.sql_with_params()
            cursor.execute("EXPLAIN " + sql, params)
            columns = [c[0] for c in cursor.description]
            plan = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        assert plan[0]["key"] == index, plan
        assert "filesort" not in plan[0]["Extra"], plan


@pytest.fixture
def row_locks(committed_db: None) -> None:
    """Real commits on a server with row locks."""
    if connection.vendor != "mysql":
        pytest.skip("races run on MariaDB: threads cannot share the tests' SQLite in memory")


def test_two_bids_of_one_freelancer_at_once_are_one(row_locks: None, post: Any, bob: Any) -> None:
    job = post()
    start, answers = threading.Barrier(4), []

    def send() -> None:
        start.wait()
        answers.append(Person(bob).post(f"jobs/{job.pk}/proposals", BID).status_code)
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(answers) == [201, 409, 409, 409]
    assert Proposal.objects.count() == 1
    assert Job.objects.get(pk=job.pk).proposal_count == 1


def test_bids_of_different_freelancers_at_once_all_count(row_locks: None, post: Any) -> None:
    job, people = post(), freelancers(4)
    start, answers = threading.Barrier(4), []

    def send(person: Any) -> None:
        start.wait()
        answers.append(Person(person).post(f"jobs/{job.pk}/proposals", BID).status_code)
        connections.close_all()

    threads = [threading.Thread(target=send, args=(p,)) for p in people]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert answers == [201] * 4
    assert Job.objects.get(pk=job.pk).proposal_count == 4
