"""Posting a job with the help of data: who fits it, what like jobs were agreed at, and how many bids they drew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from marketplace.accounts.models import User
from marketplace.jobs.guidance import BID_DAYS, FEWEST, quartiles
from marketplace.jobs.models import Category
from tests.webapp.journeys.posts_cast import *  # noqa: F403  (fixtures)
from tests.webapp.journeys.posts_cast import BID, POST
from tests.webapp.people import Person

ROUTE = "price-guide"


def client(name: str) -> Person:
    person = Person(User.objects.create_user(f"{name}@example.org", "correct horse battery", display_name=name))
    assert person.put("me/client-profile", {"company_name": name}).status_code == 200
    return person


def freelancer(name: str, skills: list[str], rate: int = 5000, **profile: Any) -> tuple[User, Person]:
    user = User.objects.create_user(f"{name}@example.org", "correct horse battery", display_name=name)
    person = Person(user)
    told = {"title": "Developer", "hourly_rate_minor": rate, "currency": "USD", "category": "data", **profile}
    told["skills"] = [{"skill": s, "level": 4, "years": 3} for s in skills]
    assert person.put("me/freelancer-profile", told).status_code == 200
    return user, person


def hired(number: int, amount: int, **terms: Any) -> None:
    """A post of a client of its own, bid on and filled by a freelancer of their own at `amount`."""
    buyer, (_, seller) = client(f"buyer{number}"), freelancer(f"seller{number}", ["python"])
    job = buyer.post("jobs", {**POST, "title": f"Load the orders of shop {number}", "description": f"{number} " * 40, **terms}).json()["id"]
    assert buyer.post(f"jobs/{job}/publish").json()["state"] == "open"
    proposal = seller.post(f"jobs/{job}/proposals", {**BID, "amount_minor": amount}).json()["id"]
    whole = [{"title": "All of it", "amount_minor": amount, "due_in_days": 10, "acceptance": ["Loads hourly"]}]
    contract = buyer.post(f"proposals/{proposal}/offer", {"milestones": whole}).json()["id"]
    assert seller.post(f"contracts/{contract}/accept").status_code == 200


def guide(person: Person, **asked: Any) -> dict[str, Any]:
    answer = person.get(ROUTE, category="data", pricing="fixed", **asked)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_client_sees_who_fits_the_post_and_why(alice: Any, bob: Any, post: Any) -> None:
    both, _ = freelancer("Both", ["python", "sql"])
    one, _ = freelancer("One", ["python"])
    freelancer("None", ["python-3"])
    job = post(skills=["python", "sql"])
    answer = Person(alice).get(f"jobs/{job}/suggested-freelancers").json()
    assert [r["id"] for r in answer["results"]][:2] == [both.pk, one.pk]
    assert "None" not in [r["display_name"] for r in answer["results"]]
    assert any("Python" in reason["text"] for reason in answer["results"][0]["reasons"])
    assert [r["position"] for r in answer["results"]] == list(range(1, len(answer["results"]) + 1))
    Person(both).post(f"jobs/{job}/proposals", BID)
    left = [r["id"] for r in Person(alice).get(f"jobs/{job}/suggested-freelancers").json()["results"]]
    assert both.pk not in left and one.pk in left, "who has bid is found among the bids"


def test_an_hourly_post_suggests_within_its_budget(alice: Any, post: Any) -> None:
    cheap, _ = freelancer("Cheap", ["python"], 3000)
    freelancer("Dear", ["python"], 9000)
    job = post(pricing="hourly", budget_min_minor=2000, budget_max_minor=4000)
    found = Person(alice).get(f"jobs/{job}/suggested-freelancers").json()["results"]
    assert [r["id"] for r in found] == [cheap.pk]


def test_others_do_not_see_who_was_suggested(alice: Any, bob: Any, charlie: Any, post: Any) -> None:
    job = post()
    assert Person(bob).get(f"jobs/{job}/suggested-freelancers").json()["code"] == "suggestions_not_yours"
    hidden = post(publish=False, title="Another draft", description="Nothing of this is like the other one, not a single word of it.")
    assert Person(bob).get(f"jobs/{hidden}/suggested-freelancers").status_code == 404


def test_prices_are_told_when_enough_people_stand_behind_them(alice: Any, time_machine: Any) -> None:
    person = Person(alice)
    for number in range(FEWEST - 1):
        hired(number, 100_000 + 10_000 * number)
    assert guide(person, skills="python")["price"] is None
    hired(FEWEST, 300_000)
    found = guide(person, skills="python")
    assert found["price"] == {"low": 110_000, "median": 120_000, "high": 130_000, "count": 5}
    assert (found["alike_in"], found["note"]) == (["skills", "category", "pricing"], "")
    assert found["bids"] is None, "their first week is not over"
    broader = guide(person, skills="sql")
    assert broader["alike_in"] == ["category", "pricing"] and "category" in broader["note"]
    assert broader["price"] == found["price"]
    time_machine.move_to(datetime.now(UTC) + timedelta(days=BID_DAYS))
    assert guide(person, skills="python")["bids"] == {"low": 1, "median": 1, "high": 1, "count": 5}


def test_what_is_asked_wrongly_is_told(alice: Any) -> None:
    person = Person(alice)
    assert person.get(ROUTE, category="nowhere", pricing="fixed").json()["fields"].keys() == {"category"}
    assert "juggling" in str(person.get(ROUTE, category="data", pricing="fixed", skills="python,juggling").json()["fields"]["skills"])
    assert person.get(ROUTE, category="data").json()["fields"].keys() == {"pricing"}
    Category.objects.create(slug="empty", name="Empty")
    empty = person.get(ROUTE, category="empty", pricing="hourly").json()
    assert (empty["alike_in"], empty["price"], empty["bids"]) == ([], None, None) and empty["note"]


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40))
def test_quartiles_are_nearest_ranks(numbers: list[int]) -> None:
    found = quartiles(numbers)
    for value, share in ((found.low, 0.25), (found.median, 0.5), (found.high, 0.75)):
        assert value in numbers
        assert sum(n <= value for n in numbers) >= share * len(numbers)
        assert sum(n < value for n in numbers) < share * len(numbers)
