"""Finding posts: words as people write them, filters, stable pages, reasons, and never what the viewer may not see."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.activity.buffers import buffer
from marketplace.activity.models import Impression, Search
from marketplace.activity.tasks import flush
from marketplace.core import clock
from marketplace.core.tasks import drain
from marketplace.jobs import search, services
from marketplace.jobs.search import words
from tests.webapp.people import Person


@pytest.fixture(autouse=True)
def own_index(settings: Any, tmp_path: Path) -> None:
    settings.SEARCH_DIR = tmp_path / "search"
    buffer.cache_clear()


def titles(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [r["title"] for r in answer.json()["results"]]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("C#, C++ and .NET!", ["c#", "c++", "and", ".net"]),
        ("Go/R developers wanted", ["go/r", "developer", "wanted"]),
        ("node.js (front-end)", ["node.js", "front-end"]),
        ("Café — résumé's", ["cafe", "resume's"]),
        ("aws css status companies", ["aws", "css", "status", "company"]),
        ("\x00\ud800 ((((", []),
    ],
)
def test_text_is_cut_into_words(text: str, cut: list[str]) -> None:
    assert words.words(text) == cut


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("C#", "Port a C# service"),
        ("c++ (foo", None),
        ("C++", "Speed up C++ code"),
        (".NET", "Move off .NET"),
        ("Go", "Write Go workers"),
        ("R", "Plots in R"),
        ("golang", None),
        ("front end", "A front-end for maps"),
        ("front-end", "A front-end for maps"),
    ],
)
def test_names_of_techniques_are_queries_like_any_other(post: Any, bob: Any, query: str, title: str | None) -> None:
    for name, skill in (
        ("Port a C# service", "c-sharp"),
        ("Speed up C++ code", "cpp"),
        ("Move off .NET", "dotnet"),
        ("Write Go workers", "go"),
        ("Plots in R", "r"),
        ("A front-end for maps", "figma"),
    ):
        post(title=name, skills=[skill])
    found = titles(Person(bob).get("jobs", query=query))
    if title is not None:
        assert found == [title]
    elif query == "golang":
        assert found == ["Write Go workers"], "a skill's alias finds posts that ask for the skill"
    else:
        assert found == ["Speed up C++ code"], "with no post for all words, those with some"


@pytest.mark.parametrize(
    "query", ['title:"x" AND (', "*", "NOT", "' OR 1=1 --", "<script>", "skills:[1 TO", "~" * 200, "\\", "a^b", "日本語"]
)
def test_no_query_is_syntax(post: Any, query: str) -> None:
    post()
    assert Person().get("jobs", query=query).status_code == 200


def test_hits_tell_why_they_are_there(post: Any, bob: Any) -> None:
    post(title="Python pipeline for orders", experience_level="expert")
    hit = Person(bob).get("jobs", query="python pipelines", pricing="fixed", level="expert", category="data").json()["results"][0]
    assert hit["position"] == 1
    assert hit["reasons"] == [
        {"kind": "words", "text": "In the title: python, pipeline"},
        {"kind": "skill", "text": "Asks for Python"},
        {"kind": "filter", "text": "Fixed price"},
        {"kind": "filter", "text": "For expert level"},
        {"kind": "filter", "text": "In Data"},
        {"kind": "recency", "text": "Posted today"},
    ]


def test_filters_keep_what_they_say(post: Any) -> None:
    post(title="Fixed Python and SQL", skills=["python", "sql"], experience_level="entry")
    post(title="Hourly Python", skills=["python"], pricing="hourly", budget_min_minor=2_000, budget_max_minor=4_000)
    post(title="A logo", category="design", skills=["logo-design"], budget_min_minor=None, budget_max_minor=None)
    somebody = Person()
    assert titles(somebody.get("jobs", category="design")) == ["A logo"]
    assert titles(somebody.get("jobs", pricing="hourly")) == ["Hourly Python"]
    assert titles(somebody.get("jobs", level="entry")) == ["Fixed Python and SQL"]
    assert titles(somebody.get("jobs", skills="python,sql", skills_mode="all")) == ["Fixed Python and SQL"]
    assert sorted(titles(somebody.get("jobs", skills="sql,logo-design"))) == ["A logo", "Fixed Python and SQL"]
    assert titles(somebody.get("jobs", budget_min=150_000)) == ["Fixed Python and SQL"], "an unknown price is in no range"
    assert titles(somebody.get("jobs", budget_max=3_000)) == ["Hourly Python"]
    assert titles(somebody.get("jobs", sort="budget"))[:2] == ["Fixed Python and SQL", "Hourly Python"]


def test_budgets_compare_across_currencies(post: Any) -> None:
    from marketplace.core.money import Money
    from marketplace.payments.selectors import worth

    post(title="Paid in yen, no cents", currency="JPY", budget_min_minor=100_000, budget_max_minor=100_000)
    in_dollars = worth(Money(100_000, "JPY"), "USD")
    assert in_dollars is not None
    assert 40_000 < in_dollars.minor < 140_000
    assert titles(Person().get("jobs", budget_min=in_dollars.minor - 2_000, budget_max=in_dollars.minor + 2_000)) == [
        "Paid in yen, no cents"
    ]
    assert titles(Person().get("jobs", budget_min=in_dollars.minor + 2_000)) == []
    assert titles(Person().get("jobs", budget_min=99_000, budget_max=101_000, currency="JPY")) == ["Paid in yen, no cents"]


def test_pages_neither_repeat_nor_hide_when_posts_arrive(post: Any) -> None:
    first = [post(title=f"Python number {i}").pk for i in range(5)]
    search.rebuild()
    page = Person().get("jobs", query="python", sort="newest", limit=2).json()
    clock.advance(60)
    post(title="Python late arrival")
    drain()
    seen = [r["id"] for r in page["results"]]
    while page["next"]:
        page = Person().get(page["next"]).json()
        seen += [r["id"] for r in page["results"]]
    assert sorted(seen) == sorted(first)
    assert len(seen) == len(set(seen))
    assert titles(Person().get("jobs", query="python", sort="newest"))[0] == "Python late arrival"


def test_the_index_follows_the_outbox_and_the_database_decides(post: Any, alice: Any) -> None:
    search.rebuild()
    job = post(title="Python here today")
    assert titles(Person().get("jobs", query="python")) == [], "not yet told"
    drain()
    assert titles(Person().get("jobs", query="python")) == ["Python here today"]
    services.job_update(actor=alice, job_id=job.pk, title="Golang here today", skills=["go"])
    services.job_close(actor=alice, job_id=job.pk)
    answer = Person().get("jobs", query="python").json()
    assert answer["results"] == [], "closed in the database: not shown, whatever the index still says"
    drain()
    assert Person().get("jobs", query="python").json()["total"] == 0


def test_drafts_and_invited_posts_are_never_found(post: Any, alice: Any, sam: Any) -> None:
    post(state="draft", title="Python draft")
    post(visibility="invited", title="Python invited only")
    for viewer in (Person(), Person(alice), Person(sam)):
        assert titles(viewer.get("jobs", query="python")) == []


def test_rebuilding_replaces_the_index_in_one_step(post: Any, settings: Any) -> None:
    post(title="Python one")
    call_command("rebuild_search")
    before = (Path(settings.SEARCH_DIR) / "jobs" / "CURRENT").read_text()
    post(title="Python two")
    call_command("rebuild_search")
    folders = [f.name for f in (Path(settings.SEARCH_DIR) / "jobs").iterdir() if f.is_dir()]
    assert folders == [(Path(settings.SEARCH_DIR) / "jobs" / "CURRENT").read_text()] != [before]
    assert sorted(titles(Person().get("jobs", query="python"))) == ["Python one", "Python two"]


def test_searches_and_impressions_are_captured_off_the_request_path(post: Any, bob: Any) -> None:
    for i in range(3):
        post(title=f"Python number {i}")
    search.rebuild()
    answer = Person(bob).get("jobs", query="python", pricing="fixed").json()
    assert Impression.objects.filter(batch=answer["batch"]).count() == 0
    flush()
    rows = Impression.objects.filter(batch=answer["batch"]).order_by("position")
    assert [(r.item_id, r.position, r.user_id, r.ranking) for r in rows] == [
        (h["id"], i, bob.pk, "search-2:relevance+log2") for i, h in enumerate(answer["results"], start=1)
    ]
    assert [round(r.propensity, 6) for r in rows] == [1.0, 0.63093, 0.5]
    assert Search.objects.values_list("query", "hits", "filters").get() == (
        "python",
        3,
        {"pricing": "fixed", "sort": "relevance"},
    )


def test_a_page_of_any_length_costs_the_same_number_of_queries(post: Any, bob: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert Person(bob).get("jobs", query="python").status_code == 200
        return len(seen)

    post(title="Python one")
    search.rebuild()
    queries()
    few = queries()
    for i in range(8):
        post(title=f"Python more {i}")
    search.rebuild()
    assert queries() == few


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("budget_min", "-1"),
        ("budget_min", "12.5"),
        ("currency", "XXX"),
        ("currency", "usd"),
        ("pricing", "barter"),
        ("sort", "random"),
        ("skills_mode", "some"),
        ("category", "nothing"),
        ("skills", "no-such-skill"),
        ("posted_within_days", "0"),
        ("limit", "1000"),
        ("query", "x" * 201),
        ("query", "a\x00b"),
        ("cursor", "nonsense"),
        ("cursor", "WzEsLTVd"),
    ],
)
def test_a_wrong_filter_is_named(catalogue: None, name: str, value: str) -> None:
    answer = Person().get("jobs", **{name: value})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [name])


def test_posts_of_the_last_days(post: Any) -> None:
    post(title="Python old")
    clock.advance(int(timedelta(days=8).total_seconds()))
    post(title="Python new")
    assert titles(Person().get("jobs", query="python", posted_within_days=7)) == ["Python new"]
    assert titles(Person().get("jobs", query="python"))[0] == "Python new", "of two equal posts the fresher leads"
