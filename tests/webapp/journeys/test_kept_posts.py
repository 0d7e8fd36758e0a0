"""What people keep around posts, over HTTP: saved and hidden posts, saved searches with alerts, shortlists, and what their lists cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.core import clock
from marketplace.core.models import Event
from marketplace.core.tasks import drain
from marketplace.jobs import selectors, services, tasks
from marketplace.jobs.models import Job, SavedSearch, SavedSearchMatch
from marketplace.notifications.models import InboxItem
from tests.webapp.journeys.posts_cast import *  # noqa: F403  (fixtures)
from tests.webapp.journeys.posts_cast import SEARCH, told
from tests.webapp.people import Person


def test_saved_posts_are_listed_and_hidden_ones_leave_search_and_recommendations(post: Callable[..., int], bob: Any) -> None:
    one = post()
    two = post(title="Plot the orders of a year", description="Charts by shop, month and kind of goods, in one report.")
    drain()
    freelancer = Person(bob)
    for _ in range(2):
        assert freelancer.client.put(f"/api/v1/me/saved-jobs/{one}").status_code == 204
    assert [m["job"]["id"] for m in freelancer.get("me/saved-jobs").json()["results"]] == [one]
    assert freelancer.get(f"jobs/{one}").json()["my_mark"] == "saved"
    assert freelancer.client.put(f"/api/v1/me/hidden-jobs/{one}").status_code == 204
    assert freelancer.get("me/saved-jobs").json()["results"] == []
    assert [m["job"]["id"] for m in freelancer.get("me/hidden-jobs").json()["results"]] == [one]
    assert [r["id"] for r in freelancer.get("jobs").json()["results"]] == [two]
    assert {r["id"] for r in Person().get("jobs").json()["results"]} == {one, two}
    assert [j.pk for j in selectors.newest_open_jobs(bob, 10)] == [two]
    assert selectors.hidden_job_ids(bob) == {one}
    assert freelancer.client.delete(f"/api/v1/me/hidden-jobs/{one}").status_code == 204
    assert {r["id"] for r in freelancer.get("jobs").json()["results"]} == {one, two}
    assert freelancer.client.put("/api/v1/me/saved-jobs/999999").status_code == 404


def test_a_saved_search_tells_of_each_new_post_once(post: Callable[..., int], alice: Any, bob: Any) -> None:
    post(title="Load old orders into a warehouse", description="This one was there before anybody asked for it.")
    drain()
    clock.advance(60)
    kept = Person(bob).post("me/saved-searches", SEARCH)
    assert (kept.status_code, kept.json()["parameters"]) == (201, SEARCH["parameters"])
    clock.advance(60)
    job = post()
    post(title="Draw a warehouse", description="An isometric picture of it for a poster.", skills=["sql"])
    drain()
    assert tasks.look_through_searches() == 0, "its time has not come"
    clock.advance(5 * 60)
    assert [tasks.look_through_searches() for _ in range(2)] == [1, 0]
    event = Event.objects.get(kind="saved_search.match")
    assert event.after == {"job_ids": [job], "count": 1}
    drain()
    item = InboxItem.objects.get(user=bob)
    assert item.text == "There are new posts for your search “Python”."
    assert item.link == "/jobs?query=warehouse&skills=python&pricing=fixed&sort=newest"
    Job.objects.filter(pk=job).update(opened_at=clock.now())
    clock.advance(5 * 60)
    assert tasks.look_through_searches() == 0, "a post that is opened again is no new post"
    clock.advance(60)
    later = post(confirm_duplicate=True)
    drain()
    clock.advance(2 * 86400)
    assert tasks.look_through_searches() == 1, "a beat that was down two days catches up"
    assert sorted(SavedSearchMatch.objects.values_list("job_id", flat=True)) == sorted([job, later])


def test_a_post_that_reaches_the_index_late_is_told_all_the_same(post: Callable[..., int], bob: Any) -> None:
    Person().get("jobs")  # there is an index, and it knows nothing yet
    Person(bob).post("me/saved-searches", SEARCH)
    clock.advance(60)
    post()
    clock.advance(5 * 60)
    assert tasks.look_through_searches() == 0
    drain()
    clock.advance(5 * 60)
    assert tasks.look_through_searches() == 1


def test_a_daily_search_is_due_a_day_later_and_one_turned_off_never(post: Callable[..., int], bob: Any, time_machine: Any) -> None:
    time_machine.move_to("2026-03-02 12:00:00+00:00", tick=False)
    person = Person(bob)
    daily = person.post("me/saved-searches", {**SEARCH, "pace": "daily"}).json()
    assert daily["look_at"] == "2026-03-03T12:00:00Z"
    time_machine.move_to("2026-03-02 13:00:00+00:00", tick=False)
    post()
    drain()
    time_machine.move_to("2026-03-03 11:59:59+00:00", tick=False)
    assert tasks.look_through_searches() == 0
    time_machine.move_to("2026-03-03 12:00:00+00:00", tick=False)
    assert tasks.look_through_searches() == 1
    assert person.patch(f"me/saved-searches/{daily['id']}", {"pace": "off"}).json()["look_at"] is None
    time_machine.move_to("2026-03-04 13:00:00+00:00", tick=False)
    post(confirm_duplicate=True)
    drain()
    assert tasks.look_through_searches() == 0
    time_machine.move_to("2026-03-04 14:00:00+00:00", tick=False)
    person.patch(f"me/saved-searches/{daily['id']}", {"pace": "instant"})
    time_machine.move_to("2026-03-04 15:00:00+00:00", tick=False)
    assert tasks.look_through_searches() == 0, "what came while it was off is not told afterwards"
    assert person.client.delete(f"/api/v1/me/saved-searches/{daily['id']}").status_code == 204
    assert not SavedSearchMatch.objects.exists()
    assert told(bob) == ["saved_search.match"]


def test_an_alert_for_a_search_that_is_gone_tells_nobody(post: Callable[..., int], bob: Any) -> None:
    kept = Person(bob).post("me/saved-searches", SEARCH).json()["id"]
    clock.advance(60)
    post()
    drain()
    clock.advance(5 * 60)
    assert tasks.look_through_searches() == 1
    services.saved_search_delete(actor=bob, search_id=kept)
    assert told(bob) == []


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"pricing": "barter"}, "pricing"),
        ({"budget_min": 5, "budget_max": 4}, "budget_max"),
        ({"colour": "red"}, "colour"),
        ({"query": "x" * 201}, "query"),
    ],
)
def test_a_search_that_the_search_would_not_read_is_not_kept(bob: Any, parameters: dict[str, Any], field: str) -> None:
    answer = Person(bob).post("me/saved-searches", {"name": "Odd", "parameters": parameters})
    assert answer.status_code == 400
    assert field in str(answer.json()["fields"])
    assert not SavedSearch.objects.exists()


def test_saved_searches_and_shortlists_have_a_limit(alice: Any, bob: Any, charlie: Any, settings: Any) -> None:
    settings.MAX_SAVED_SEARCHES = settings.MAX_SHORTLISTS = settings.MAX_SHORTLISTED = 1
    assert [Person(bob).post("me/saved-searches", SEARCH).status_code for _ in range(2)] == [201, 409]
    assert [Person(alice).post("me/shortlists", {"name": "Good"}).status_code for _ in range(2)] == [201, 409]
    listed = Person(alice).get("me/shortlists").json()["results"][0]["id"]
    put = [Person(alice).put(f"me/shortlists/{listed}/items/{u.pk}", {}).status_code for u in (bob, charlie, bob)]
    assert put == [200, 409, 200]


def test_a_client_keeps_freelancers_with_notes_of_their_own(alice: Any, bob: Any, charlie: Any) -> None:
    client = Person(alice)
    listed = client.post("me/shortlists", {"name": "Warehouses"}).json()["id"]
    client.put(f"me/shortlists/{listed}/items/{bob.pk}", {"note": "Ask in May. مرحبا 👋"})
    client.put(f"me/shortlists/{listed}/items/{charlie.pk}", {})
    client.put(f"me/shortlists/{listed}/items/{bob.pk}", {"note": "Ask in June."})
    rows = client.get(f"me/shortlists/{listed}/items").json()["results"]
    assert [(r["freelancer"]["id"], r["freelancer"]["title"], r["note"]) for r in rows] == [
        (charlie.pk, "Somebody else", ""),
        (bob.pk, "Python developer", "Ask in June."),
    ]
    assert client.patch(f"me/shortlists/{listed}", {"name": "Loaders"}).json()["size"] == 2
    assert Person(charlie).get(f"me/shortlists/{listed}/items").status_code == 404
    assert client.put(f"me/shortlists/{listed}/items/{alice.pk}", {}).status_code == 404, "she sells nothing"
    assert client.client.delete(f"/api/v1/me/shortlists/{listed}/items/{bob.pk}").status_code == 204
    assert client.client.delete(f"/api/v1/me/shortlists/{listed}").status_code == 204
    assert client.get("me/shortlists").json()["results"] == []


def queries(person: Person, path: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert person.get(path).status_code == 200
    return len(seen)


def test_lists_cost_the_same_for_one_and_for_many(post: Callable[..., int], alice: Any, bob: Any, django_user_model: Any) -> None:
    from marketplace.accounts.models import FreelancerProfile

    job, client, freelancer = post(), Person(alice), Person(bob)
    listed = client.post("me/shortlists", {"name": "Good"}).json()["id"]
    paths = [
        (client, f"jobs/{job}/history"), (client, f"jobs/{job}/invitations"), (freelancer, "me/invitations"), (freelancer, "me/saved-jobs"),
        (freelancer, "me/saved-searches"), (client, "me/shortlists"), (client, f"me/shortlists/{listed}/items"),
    ]  # fmt: skip

    def more(i: int) -> None:
        new = django_user_model.objects.create_user(f"f{i}@example.org", "x", display_name=f"F{i}")
        FreelancerProfile.objects.create(user=new, title="Somebody")
        client.patch(f"jobs/{job}", {"duration_days": 10 + i})
        client.post(f"jobs/{job}/invitations", {"freelancer": new.pk})
        other = post(confirm_duplicate=True, title=f"Load orders {i}")
        client.post(f"jobs/{other}/invitations", {"freelancer": bob.pk})
        freelancer.client.put(f"/api/v1/me/saved-jobs/{other}")
        freelancer.post("me/saved-searches", {**SEARCH, "name": str(i)})
        client.post("me/shortlists", {"name": str(i)})
        client.put(f"me/shortlists/{listed}/items/{new.pk}", {})

    more(0)
    one = [queries(*p) for p in paths]
    for i in range(1, 6):
        more(i)
    assert [queries(*p) for p in paths] == one
