"""Looking for work and for people over HTTP: from what somebody writes about a post or themselves to being found by those who look."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.core import clock, ports
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.jobs import search
from marketplace.jobs.models import Category, JobMark, Skill
from marketplace.payments.selectors import worth
from tests.webapp.people import Person

SKILLS = {"python": "Python", "csharp": "C#", "go": "Go", "r": "R", "dotnet": ".NET", "cpp": "C++", "machine-learning": "Machine Learning"}


@pytest.fixture(autouse=True)
def house(db: None, settings: Any, tmp_path: Path) -> None:
    """Empty indexes of this test's own, which follow the outbox from the first event on."""
    settings.SEARCH_DIR = tmp_path / "search"
    for slug, name in (("data", "Data"), ("web-development", "Web development")):
        Category.objects.get_or_create(slug=slug, defaults={"name": name})
    data = Category.objects.get(slug="data")
    Skill.objects.bulk_create([Skill(slug=slug, name=name, category=data) for slug, name in SKILLS.items()])
    search.rebuild()


@pytest.fixture
def freelancer() -> Callable[..., Person]:
    """A new account that fills in its freelancer profile over HTTP."""

    def make(name: str, *, title: str, skills: list[str], **given: Any) -> Person:
        country, zone = given.pop("country", "KE"), given.pop("time_zone", "Africa/Nairobi")
        user = get_user_model().objects.create_user(
            f"{name.lower()}@example.org", "correct horse battery", display_name=name, country=country, time_zone=zone
        )
        person = Person(user)
        profile = {"title": title, "category": "data", "skills": [{"skill": s, "level": 4, "years": 5} for s in skills], **given}
        answer = person.put("me/freelancer-profile", profile)
        assert answer.status_code == 200, answer.content
        drain()
        return person

    return make


@pytest.fixture
def post(alice: Any) -> Callable[..., int]:
    """A post written and published over HTTP, no two alike; its number."""
    numbers = itertools.count(1)

    def make(title: str, *, skills: list[str] | None = None, client: Any = None, **terms: Any) -> int:
        given = {
            "title": title,
            "description": " ".join(f"detail{next(numbers)}" for _ in range(12)),
            "category": "data",
            "skills": ["python"] if skills is None else skills,
            "pricing": "fixed",
            "currency": "USD",
            "budget_min_minor": 100_000,
            "budget_max_minor": 200_000,
            **terms,
        }
        person = Person(client or alice)
        made = person.post("jobs", given)
        assert made.status_code == 201, made.content
        assert person.post(f"jobs/{made.json()['id']}/publish").status_code == 200
        drain()
        return int(made.json()["id"])

    return make


def found(person: Person, where: str, **asked: Any) -> list[str]:
    answer = person.get(where, **asked)
    assert answer.status_code == 200, answer.content
    return [r["title"] for r in answer.json()["results"]]


def people(person: Person, **asked: Any) -> list[str]:
    answer = person.get("freelancers", **asked)
    assert answer.status_code == 200, answer.content
    return [r["display_name"] for r in answer.json()["results"]]


def test_a_profile_is_found_as_soon_as_it_is_told_and_follows_its_owner(alice: Any, freelancer: Any) -> None:
    dora = freelancer("Dora", title="C# and .NET engineer", skills=["csharp", "dotnet"], hourly_rate_minor=6_000, currency="EUR")
    freelancer("Emil", title="Statistics in R", skills=["r"], hourly_rate_minor=3_000)
    client = Person(alice)
    assert people(client, query="C#") == ["Dora"]
    assert people(client, query="R") == ["Emil"]
    hit = client.get("freelancers", query="c#", level="intermediate", rate_max=10_000).json()["results"][0]
    assert {k: hit[k] for k in ("display_name", "country", "hourly_rate_minor", "currency", "rating", "hires", "position")} == {
        "display_name": "Dora", "country": "KE", "hourly_rate_minor": 6_000, "currency": "EUR", "rating": None, "hires": 0, "position": 1,
    }  # fmt: skip
    assert hit["reasons"] == [
        {"kind": "words", "text": "In the title: c#"},
        {"kind": "skill", "text": "Knows C#"},
        {"kind": "filter", "text": "Intermediate level"},
        {"kind": "filter", "text": "Within your range of rates (estimated from EUR)"},
    ]
    in_dollars = worth(Money(6_000, "EUR"), "USD")
    assert in_dollars is not None
    assert hit["estimate"] == {"low_minor": in_dollars.minor, "high_minor": in_dollars.minor, "currency": "USD"}
    assert dora.put("me/freelancer-profile", {"title": "Go engineer", "category": "data", "skills": [{"skill": "go"}]}).status_code == 200
    drain()
    assert people(client, query="C#") == []
    assert people(client, query="golang") == ["Dora"], "another spelling of a skill that the taxonomy knows"
    assert dora.user is not None
    dora.user.is_active = False
    dora.user.save()
    assert people(client, query="go") == [], "the index still has her; the database says that she is gone"


@pytest.mark.parametrize("query", ["C#", "Go", "R", ".NET", "C++ (foo", 'title:"x" AND (', "*", "~" * 200, "日本語", "\\", "[1 TO 2}"])
def test_no_query_is_syntax_for_either_search(alice: Any, query: str) -> None:
    for where in ("jobs", "freelancers"):
        assert Person(alice).get(where, query=query).status_code == 200


def test_filters_for_people(alice: Any, freelancer: Any) -> None:
    freelancer("Ada", title="Data person", skills=["python", "r"], hourly_rate_minor=5_000, years_experience=9, experience_level="expert",
               languages=[{"code": "de", "level": "fluent"}], hours_per_week=40)  # fmt: skip
    freelancer("Ben", title="Data person", skills=["python"], hourly_rate_minor=500_000, currency="JPY", years_experience=2,
               availability="unavailable", country="JP", time_zone="Asia/Tokyo", hours_per_week=10)  # fmt: skip
    freelancer("Cem", title="Data person", skills=["go"], category="web-development", availability="partly", hours_per_week=20)
    client = Person(alice)
    alice.time_zone = "Europe/Berlin"
    alice.save()

    def only(**asked: Any) -> list[str]:
        return sorted(people(client, **asked))

    assert only() == ["Ada", "Ben", "Cem"]
    assert only(skills="python,r", skills_mode="all") == ["Ada"]
    assert only(skills="go,r") == ["Ada", "Cem"]
    assert only(category="web-development") == ["Cem"]
    assert only(level="expert") == ["Ada"]
    assert only(years_min=9) == ["Ada"]
    assert only(years_min=10) == []
    assert only(availability="partly") == ["Cem"]
    assert only(hours_min=20) == ["Ada", "Cem"]
    assert only(country="jp") == ["Ben"]
    assert only(language="de") == ["Ada"]
    assert only(rate_max=5_000) == ["Ada"], "an unknown rate is in no range"
    assert only(rate_min=300_000, rate_max=700_000, currency="JPY") == ["Ben"]
    assert only(overlap_hours=6) == ["Ada", "Cem"], "Berlin and Nairobi are one or two hours apart, Tokyo seven or eight"
    assert only(overlap_hours=8, time_zone="Asia/Tokyo") == ["Ben"]
    assert people(client, sort="rate") == ["Ada", "Ben", "Cem"], "nobody knows what Cem costs"
    assert people(client)[-1] == "Ben", "who takes no work now comes last"
    for name, value in (("rate_min", "-1"), ("overlap_hours", "9"), ("time_zone", "Mars/Olympus"), ("rating_min", "6"), ("facets", "mood"),
                        ("skills", "nothing"), ("category", "nothing"), ("country", "DEU"), ("cursor", "WzFd"), ("sort", "luck")):  # fmt: skip
        refused = client.get("freelancers", **{name: value})
        assert (refused.status_code, list(refused.json()["fields"])) == (400, [name])


def reasons(answer: Any, kind: str = "filter") -> list[str]:
    (hit,) = answer.json()["results"]
    return [r["text"] for r in hit["reasons"] if r["kind"] == kind]


def test_every_filter_that_a_hit_meets_is_among_its_reasons(alice: Any, bob: Any, freelancer: Any, post: Any) -> None:
    freelancer("Ada", title="Data person", skills=["python"], hourly_rate_minor=5_000, years_experience=9, experience_level="expert",
               languages=[{"code": "de", "level": "fluent"}], hours_per_week=40, availability="available")  # fmt: skip
    asked = {"category": "data", "country": "KE", "level": "expert", "rate_max": 6_000, "availability": "available", "hours_min": 30,
             "years_min": 5, "overlap_hours": 4, "time_zone": "Africa/Nairobi", "language": "de"}  # fmt: skip
    assert reasons(Person(alice).get("freelancers", **asked)) == [
        "Works in Data",
        "Works from KE",
        "Expert level",
        "Within your range of rates",
        "Availability: available",
        "40 hours a week",
        "9 years of experience",
        "At least 4 working hours in common",
        "Speaks de",
    ]
    post("Load orders", location_country="KE")
    found = Person(bob).get("jobs", country="DE", location="KE", pricing="fixed", category="data")
    assert reasons(found) == ["Fixed price", "In Data", "The client is in DE", "Open to people in KE"]
    post("Draw maps", skills=["r"])
    assert "Open to people anywhere" in reasons(Person(bob).get("jobs", location="KE", skills="r"))


def test_facets_count_what_could_be_chosen(alice: Any, freelancer: Any, post: Any) -> None:
    post("Python one", experience_level="expert")
    post("Python two", experience_level="entry", skills=["python", "go"])
    post("Python shop", category="web-development", pricing="hourly", budget_min_minor=2_000, budget_max_minor=3_000)
    answer = Person().get("jobs", query="python", facets="all", level="expert").json()
    assert answer["total"] == 1
    assert answer["facets"] == {
        "category": [{"value": "data", "name": "Data", "count": 1}],
        "skill": [{"value": "python", "name": "Python", "count": 1}],
        "pricing": [{"value": "fixed", "name": "Fixed", "count": 1}],
        "level": [{"value": "entry", "name": "Entry", "count": 1}, {"value": "expert", "name": "Expert", "count": 1}],
        "country": [{"value": "DE", "name": "DE", "count": 1}],
    }
    assert Person().get("jobs", query="python").json()["facets"] == {}
    post("Python four", experience_level="expert")
    again = Person().get("jobs", query="python", facets="level").json()["facets"]["level"]
    assert {c["value"]: c["count"] for c in again} == {"expert": 2, "entry": 1}, "counts follow the index at once"
    freelancer("Ada", title="Python person", skills=["python"])
    there = Person(alice).get("freelancers", facets="availability,skill").json()["facets"]
    assert [(c["value"], c["count"]) for c in there["availability"]] == [("available", 1)]
    assert [(c["name"], c["count"]) for c in there["skill"]] == [("Python", 1)]


def test_a_slip_of_the_finger_finds_and_says_so(post: Any) -> None:
    post("Predictions with machine learning", skills=["machine-learning"])
    post("A logo", skills=[])
    hit = Person().get("jobs", query="pedictions").json()["results"]
    assert [h["title"] for h in hit] == ["Predictions with machine learning"]
    assert hit[0]["reasons"][0] == {"kind": "words", "text": "In the title: prediction (for pediction)"}
    assert found(Person(), "jobs", query="ml") == ["Predictions with machine learning"], "a synonym of the taxonomy"
    assert found(Person(), "jobs", query="lgo") == [], "three letters are too few to guess from"


def test_what_a_client_did_before_can_be_asked_for(alice: Any, bob: Any, charlie: Any, post: Any, contract: Any, submitted: Any) -> None:
    """The contract's fixtures: alice hired bob; here it ends, both review, and alice and charlie post again."""
    search.rebuild()
    post("Python of Alice's")
    post("Python of Charlie's", client=charlie)
    assert found(Person(bob), "jobs", worked_before=True) == ["Python of Alice's"]
    assert found(Person(charlie), "jobs", worked_before=True) == []
    assert found(Person(), "jobs", worked_before=True) == [], "nobody has worked for anybody"
    assert people(Person(alice), worked_before=True) == ["Bob"]
    assert people(Person(charlie), worked_before=True) == []
    assert people(Person(charlie), hires_min=1) == ["Bob"]
    assert found(Person(bob), "jobs", hire_rate_min=1) == ["Python of Alice's"], "her first post was filled"
    Person(alice).post(f"milestones/{submitted.pk}/approve")
    assert Person(alice).post(f"contracts/{contract.pk}/cancel", {"reason": "Enough."}).status_code == 200
    for person, stars in ((alice, 5), (bob, 4)):
        assert Person(person).post(f"contracts/{contract.pk}/review", {"rating": stars, "text": "Good."}).status_code == 201
    drain()
    hit = Person(alice).get("freelancers", query="python").json()["results"][0]
    assert hit["display_name"] == "Bob"
    low = ports.rating_of.first(user_id=bob.pk)["low"]
    assert hit["rating"] == Person(alice).get(f"freelancers/{bob.pk}").json()["rating"], "what the profile says"
    assert {
        "kind": "rating",
        "text": f"Rated {hit['rating']['mean']:.1f}, between {low:.1f} and {hit['rating']['high']:.1f}, by 1 review",
    } in hit["reasons"]
    assert people(Person(alice), rating_min=round(low - 0.01, 2)) == ["Bob"]
    assert reasons(Person(alice).get("freelancers", rating_min=1)) == ["Rated 1 or better, with the interval's lower end"]
    assert people(Person(alice), rating_min=round(low + 0.01, 2)) == [], "the interval's lower end has to reach it, not the mean"
    assert found(Person(bob), "jobs", rating_min=1) == ["Python of Alice's"]
    assert found(Person(bob), "jobs", payment_verified=True) == ["Python of Alice's"], "she has paid once, Charlie never"


def test_the_number_of_proposals_is_followed(bob: Any, post: Any) -> None:
    busy, _ = post("Python with a bid"), post("Python without one")
    assert sorted(found(Person(bob), "jobs", proposals_max=0)) == ["Python with a bid", "Python without one"]
    sent = Person(bob).post(
        f"jobs/{busy}/proposals", {"cover_letter": "I can.", "amount_minor": 150_000, "currency": "USD", "delivery_days": 5}
    )
    assert sent.status_code == 201, sent.content
    drain()
    assert found(Person(bob), "jobs", proposals_max=0) == ["Python without one"]


def test_what_somebody_has_hidden_stays_away_from_them_alone(bob: Any, charlie: Any, post: Any) -> None:
    JobMark.objects.create(user=bob, job_id=post("Python to hide"), kind=JobMark.Kind.HIDDEN, created_at=clock.now())
    post("Python to keep")
    assert found(Person(bob), "jobs", query="python") == ["Python to keep"]
    assert sorted(found(Person(charlie), "jobs", query="python")) == ["Python to hide", "Python to keep"]


@pytest.mark.parametrize("sort", ["relevance", "rating", "rate", "newest"])
def test_pages_go_on_after_the_last_row_whatever_went_before_it(alice: Any, freelancer: Any, sort: str) -> None:
    made = [freelancer(f"P{i}", title="Python person", skills=["python"], hourly_rate_minor=1_000 + i // 2) for i in range(6)]
    client = Person(alice)
    page = client.get("freelancers", query="python", sort=sort, limit=2).json()
    shown = [r["id"] for r in page["results"]]
    gone = next(p.user for p in made if p.user is not None and p.user.pk == shown[1])
    gone.is_active = False
    gone.save()
    search.people.SHELF.sync([gone.pk])
    while page["next"]:
        page = client.get(page["next"]).json()
        assert [r["position"] for r in page["results"]] == list(range(len(shown) + 1, len(shown) + 1 + len(page["results"])))
        shown += [r["id"] for r in page["results"]]
    assert sorted(shown) == sorted(p.user.pk for p in made if p.user is not None), "the last row shown is gone, and hides nobody"


@pytest.mark.parametrize("where", ["jobs", "freelancers"])
def test_a_search_costs_the_same_queries_for_any_number_of_hits(alice: Any, freelancer: Any, post: Any, where: str) -> None:
    def queries() -> int:
        """The fewer of two: names of facets are remembered for a minute."""
        counts = []
        for _ in range(2):
            with CaptureQueriesContext(connection) as seen:
                assert Person(alice).get(where, query="python", facets="all").status_code == 200
            counts.append(len(seen))
        return min(counts)

    def more(i: int) -> None:
        if where == "jobs":
            post(f"Python number {i}")
        else:
            freelancer(f"P{i}", title="Python person", skills=["python", "go"])

    more(0)
    few = queries()
    for i in range(1, 6):
        more(i)
    assert queries() == few
