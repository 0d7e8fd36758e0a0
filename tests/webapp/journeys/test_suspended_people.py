"""While somebody is suspended, nobody finds, lists, recommends, bids on or hires what is theirs; when it is lifted, all is as it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from marketplace.accounts.models import FreelancerProfile
from marketplace.accounts.services import user_restore, user_suspend
from marketplace.core import clock
from marketplace.core.errors import Conflict
from marketplace.core.models import Event
from marketplace.core.tasks import drain
from marketplace.jobs import search, services
from marketplace.jobs.models import Job
from marketplace.jobs.tasks import expire_due
from tests.webapp.journeys.posts_cast import *  # noqa: F403  (fixtures)
from tests.webapp.journeys.posts_cast import BID
from tests.webapp.people import Person

DAY = timedelta(days=1)


def days(number: float) -> None:
    clock.advance(int(number * 24 * 3600))


@pytest.fixture
def boss(staff: Callable[[str], Any]) -> Any:
    return staff("admin")


@pytest.fixture
def suspend(boss: Any) -> Callable[[Any], Any]:
    return lambda user: user_suspend(actor=boss, user_id=user.pk, reason="Under review.")


@pytest.fixture
def lift(boss: Any) -> Callable[[Any], Any]:
    return lambda user: user_restore(actor=boss, user_id=user.pk, reason="Nothing was found.")


def found(person: Person) -> list[int]:
    return [hit["id"] for hit in person.get("jobs", query="warehouse").json()["results"]]


def people_found(person: Person) -> list[int]:
    return [hit["id"] for hit in person.get("freelancers", query="python developer").json()["results"]]


def left(job_id: int) -> timedelta:
    """How long the post still is open."""
    expires = Job.objects.get(pk=job_id).expires_at
    assert expires is not None
    return expires - clock.now()


@pytest.mark.parametrize("delivered", [True, False], ids=["delivered", "before the delivery"])
def test_posts_of_a_suspended_client_are_found_by_nobody(
    delivered: bool, alice: Any, bob: Any, charlie: Any, staff: Any, post: Callable[..., int], suspend: Any, lift: Any
) -> None:
    job = post()
    invited = Person(alice).post(f"jobs/{job}/invitations", {"freelancer": charlie.pk})
    assert invited.status_code == 201
    assert Person(charlie).put(f"me/saved-jobs/{job}", {}).status_code == 204
    drain()
    search.rebuild()
    strangers = [Person(bob), Person(charlie), Person()]
    assert all(found(p) == [job] and p.get(f"jobs/{job}").status_code == 200 for p in strangers)

    suspend(alice)
    if delivered:
        drain()
    for person in strangers:
        assert found(person) == []
        hidden, absent = person.get(f"jobs/{job}"), person.get("jobs/987654321")
        assert (hidden.status_code, hidden.json()) == (404, absent.json())
    assert Person(bob).get("me/recommended-jobs").json()["results"] == []
    refused, absent = (Person(bob).post(f"jobs/{n}/proposals", BID) for n in (job, 987654321))
    assert (refused.status_code, refused.json()) == (404, absent.json())
    assert Person(bob).post(f"jobs/{job}/quote", {"amount_minor": 1000, "currency": "USD"}).status_code == 404
    assert Person(charlie).get("me/invitations").json()["results"] == []
    assert Person(charlie).post(f"invitations/{invited.json()['id']}/accept").status_code == 404
    assert Person(charlie).get("me/saved-jobs").json()["results"] == []
    assert Person(alice).get(f"jobs/{job}").json()["state"] == "open", "the owner sees it, should a session be left"
    assert Person(staff("moderator")).get(f"jobs/{job}").json()["state"] == "open"

    lift(alice)
    drain()
    assert all(found(p) == [job] for p in strangers)
    assert [hit["job"]["id"] for hit in Person(bob).get("me/recommended-jobs").json()["results"]] == [job]
    assert len(Person(charlie).get("me/invitations").json()["results"]) == 1
    assert Person(bob).post(f"jobs/{job}/proposals", BID).status_code == 201


def test_the_index_itself_follows_and_a_rebuild_leaves_them_out(alice: Any, post: Any, suspend: Any, lift: Any) -> None:
    job = post()
    search.rebuild()
    suspend(alice)
    assert not search.posts.SHELF.is_current([job])
    drain()
    assert search.posts.SHELF.is_current([job]) and search.rebuild() == 0
    lift(alice)
    drain()
    assert search.posts.SHELF.is_current([job]) and found(Person()) == [job]


def test_who_has_bid_still_sees_the_post_and_bids_on_it_no_more(alice: Any, bob: Any, post: Any, suspend: Any, lift: Any) -> None:
    job = post()
    bid = Person(bob).post(f"jobs/{job}/proposals", BID).json()
    suspend(alice)
    assert Person(bob).post(f"proposals/{bid['id']}/withdraw").status_code == 200
    seen = Person(bob).get(f"jobs/{job}")
    assert (seen.status_code, seen.json()["actions"]) == (200, [])
    refused = Person(bob).post(f"jobs/{job}/proposals", BID)
    assert (refused.status_code, refused.json()["code"]) == (409, "job_not_open")
    lift(alice)
    assert Person(bob).get(f"jobs/{job}").json()["actions"] == ["propose"]
    assert Person(bob).post(f"jobs/{job}/proposals", BID).status_code == 201


def test_a_post_stands_still_and_loses_no_time(alice: Any, post: Any, suspend: Any, lift: Any) -> None:
    job = post()
    days(10)
    before = left(job)
    suspend(alice)
    days(90)
    assert expire_due() == 0 and services.job_expire(job_id=job) is False
    lift(alice)
    assert before - timedelta(minutes=1) < left(job) <= before
    with pytest.raises(Conflict, match="not suspended"):
        lift(alice)
    assert before - timedelta(minutes=1) < left(job) <= before, "lifted twice is lifted once"
    restored = Event.objects.filter(kind="account.restore").get()
    assert restored.after["resumed"] == {"jobs": 1}
    clock.advance(int(left(job).total_seconds()) - 5)
    assert expire_due() == 0
    clock.advance(6)
    assert [expire_due(), expire_due()] == [1, 0]


def test_two_suspensions_stop_a_post_twice(alice: Any, post: Any, suspend: Any, lift: Any) -> None:
    job = post()
    before = left(job)
    for _ in range(2):
        suspend(alice)
        days(20)
        lift(alice)
        days(1)
    assert before - 2 * DAY - timedelta(minutes=1) < left(job) <= before - 2 * DAY


def test_a_post_whose_time_was_over_before_expires_meanwhile_and_stays_so(alice: Any, post: Any, suspend: Any, lift: Any) -> None:
    """The clock was late: the post had run out, and only then its client was suspended."""
    over, running = post(), post(title="Another warehouse", description="Of another kind, in another place, for other orders altogether.")
    clock.advance(5)
    Job.objects.filter(pk=over).update(expires_at=clock.now())
    Job.objects.filter(pk=running).update(expires_at=clock.now() + timedelta(seconds=30))
    clock.advance(1)
    suspend(alice)
    days(3)
    assert [expire_due(), expire_due()] == [1, 0]
    lift(alice)
    assert [Job.objects.get(pk=pk).state for pk in (over, running)] == ["expired", "open"]
    assert timedelta(0) < left(running) <= timedelta(seconds=30)
    assert Person(alice).post(f"jobs/{over}/renew").status_code == 200


@pytest.mark.parametrize("ends", ["clear, lift", "lift, clear"])
def test_held_while_its_client_is_suspended_a_post_still_loses_no_time(
    ends: str, alice: Any, boss: Any, post: Any, suspend: Any, lift: Any
) -> None:
    """The two ways of standing still overlap: neither counts twice."""
    acts = {"clear": lambda: services.job_clear(actor=boss, job_id=job), "lift": lambda: lift(alice)}
    job = post()
    days(4)
    before = left(job)
    suspend(alice)
    days(7)
    services.job_hold(actor=boss, job_id=job, reason="It may be a fake.")
    for act in ends.split(", "):
        days(7)
        acts[act]()
    assert before - timedelta(minutes=1) < left(job) <= before


@pytest.mark.parametrize("order", ["hold, suspend, clear, lift", "hold, suspend, lift, clear", "suspend, remove, restore, lift"])
def test_any_order_of_stops_loses_no_time(order: str, alice: Any, boss: Any, post: Any, suspend: Any, lift: Any) -> None:
    job = post()
    acts: dict[str, Callable[[], Any]] = {
        "suspend": lambda: suspend(alice),
        "lift": lambda: lift(alice),
        "hold": lambda: services.job_hold(actor=boss, job_id=job, reason="It may be a fake."),
        "clear": lambda: services.job_clear(actor=boss, job_id=job),
        "remove": lambda: services.job_remove(actor=boss, job_id=job, reason="It is a fake."),
        "restore": lambda: services.job_restore(actor=boss, job_id=job, reason="It is none."),
    }
    before = left(job)
    for act in order.split(", "):
        acts[act]()
        days(7)
    assert Job.objects.get(pk=job).state == "open"
    since_all_ended = 7 * DAY
    assert before - since_all_ended - timedelta(minutes=1) < left(job) <= before - since_all_ended


def test_a_post_that_is_opened_meanwhile_has_all_its_days(alice: Any, boss: Any, post: Any, suspend: Any, lift: Any) -> None:
    job = post(publish=False)
    Job.objects.filter(pk=job).update(state="in_review", held_at=clock.now())
    suspend(alice)
    days(5)
    services.job_clear(actor=boss, job_id=job)
    days(5)
    lift(alice)
    assert 30 * DAY - timedelta(minutes=1) < left(job) <= 30 * DAY


def test_a_suspended_freelancer_is_found_invited_and_hired_by_nobody(alice: Any, bob: Any, post: Any, suspend: Any, lift: Any) -> None:
    client = Person(alice)
    job = post()
    bid = Person(bob).post(f"jobs/{job}/proposals", BID).json()["id"]
    shortlist = client.post("me/shortlists", {"name": "Good ones"}).json()["id"]
    assert client.put(f"me/shortlists/{shortlist}/items/{bob.pk}", {"note": "Knows shops."}).status_code == 200
    drain()
    search.rebuild()
    assert people_found(client) == [bob.pk]
    suspend(bob)
    assert people_found(client) == [], "before the index knows"
    drain()
    assert people_found(client) == []
    item = client.get(f"me/shortlists/{shortlist}/items").json()["results"][0]
    assert (item["freelancer"]["display_name"], item["freelancer"]["title"], item["note"]) == ("Bob", "", "Knows shops.")
    assert client.get(f"freelancers/{bob.pk}").status_code == 404
    assert client.post(f"jobs/{job}/invitations", {"freelancer": bob.pk}).status_code == 400
    refused = client.post(f"proposals/{bid}/offer")
    assert (refused.status_code, refused.json()["code"]) == (409, "freelancer_away")
    assert client.get(f"proposals/{bid}").json()["state"] in ("submitted", "seen")

    lift(bob)
    drain()
    assert people_found(client) == [bob.pk]
    title = client.get(f"me/shortlists/{shortlist}/items").json()["results"][0]["freelancer"]["title"]
    assert title == FreelancerProfile.objects.get(user=bob).title
    assert client.post(f"proposals/{bid}/offer").status_code == 201


def test_an_offer_of_a_suspended_client_waits_and_one_to_a_suspended_freelancer_changes_no_terms(
    alice: Any, bob: Any, post: Any, suspend: Any, lift: Any
) -> None:
    job = post()
    bid = Person(bob).post(f"jobs/{job}/proposals", BID).json()["id"]
    contract = Person(alice).post(f"proposals/{bid}/offer").json()["id"]
    other = [{"title": "All of it", "amount_minor": 160_000, "due_in_days": 9, "acceptance": []}]
    counter = Person(bob).post(f"contracts/{contract}/counter-offers", {"milestones": other}).json()["id"]
    suspend(bob)
    refused = Person(alice).post(f"counter-offers/{counter}/accept")
    assert (refused.status_code, refused.json()["code"]) == (409, "freelancer_away")
    lift(bob)
    suspend(alice)
    refused = Person(bob).post(f"contracts/{contract}/accept")
    assert (refused.status_code, refused.json()["code"]) == (409, "client_away")
    assert Person(bob).get(f"contracts/{contract}").json()["state"] == "offered"
    lift(alice)
    assert Person(bob).post(f"contracts/{contract}/accept").json()["state"] == "active"
