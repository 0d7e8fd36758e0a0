"""The nightly pass over the search indexes: at its hour, once a night, a chunk at a time, and on from where it was cut short."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import FreelancerProfile
from marketplace.contracts import services as work
from marketplace.core.tasks import drain
from marketplace.jobs import search, tasks
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Category, Job
from marketplace.jobs.search import rereading
from marketplace.payments.models import FxRate
from marketplace.trust import services as trust
from marketplace.trust.selectors import ratings
from tests.webapp.clocks.table import AUTUMNS, DAY, HOUR, LEAP_DAY, SECOND, SPRINGS, Edge, House, now
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db


def found(h: House) -> dict[str, Any]:
    """Bob as the search tells Alice."""
    return next(r for r in Person(h.alice).get("freelancers").json()["results"] if r["id"] == h.bob.pk)


def experienced(h: House, years: int) -> int:
    """How many the index knows with so many years of experience: a change of the profile that no event told is not among them."""
    return int(Person(h.alice).get("freelancers", years_min=years).json()["total"])


def written() -> list[int]:
    """Rises with every commit to either index."""
    root = Path(configured.SEARCH_DIR)
    folders = [root / name / (root / name / "CURRENT").read_text().strip() for name in ("jobs", "freelancers")]
    return [json.loads((folder / "meta.json").read_text())["opstamp"] for folder in folders]


def place() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((Path(configured.SEARCH_DIR) / "reread.json").read_text())
    return told


def post(h: House, title: str, **terms: Any) -> Job:
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    words = {"title": title, "description": f"{title}, with all that belongs to it.", "category": "web-development", "pricing": "fixed"}
    job = jobs.job_create(actor=h.alice, confirm_duplicate=True, **words, **terms)
    return jobs.job_publish(actor=h.alice, job_id=job.pk, confirm_duplicate=True)


def indexed() -> None:
    drain()
    search.rebuild()


@pytest.mark.parametrize("edge", [SPRINGS[0], SPRINGS[1], AUTUMNS[0], AUTUMNS[1], LEAP_DAY], ids=lambda e: e.name)
def test_a_pass_is_due_at_its_hour_and_once_a_night(house: House, edge: Edge) -> None:
    house.open(edge.at.replace(hour=0) - 12 * HOUR, edge)
    due = datetime(edge.at.year, edge.at.month, edge.at.day, 3, tzinfo=UTC)
    profile = FreelancerProfile.objects.filter(user=house.bob.pk)
    indexed()
    assert tasks.reread_search() == 0, "what was just built is as the database says"

    profile.update(years_experience=7)
    house.go(due - SECOND)
    before = written()
    assert (tasks.reread_search(), experienced(house, 7), written()) == (0, 0, before)
    house.go(due)
    assert (tasks.reread_search(), experienced(house, 7)) == (1, 1)
    before = written()
    profile.update(years_experience=9)
    for span in (0 * HOUR, 20 * HOUR):
        house.wait(span)
        assert (tasks.reread_search(), experienced(house, 9), written()) == (0, 0, before), "the night's pass is done"
    house.go(due + 3 * DAY + HOUR)
    assert (tasks.reread_search(), tasks.reread_search(), experienced(house, 9)) == (1, 0, 1), "nights that were missed are one pass"


def test_a_rating_that_nobody_touches_ages_in_the_index_too(house: House) -> None:
    house.open(LEAP_DAY.at, LEAP_DAY)
    contract = work.contract_cancel(actor=house.alice, contract_id=house.get("contract").pk, reason="We stop here.")
    for author in (house.alice, house.bob):
        trust.review_write(actor=author, contract_id=contract.pk, rating=5, text="Quick.")
    indexed()
    fresh = found(house)["rating"]
    house.wait(400 * DAY)
    assert found(house)["rating"] == fresh
    aged = ratings(user_ids=[house.bob.pk])[house.bob.pk]
    assert aged["low"] < fresh["low"]
    assert tasks.reread_search() == 1
    assert {name: found(house)["rating"][name] for name in ("mean", "low", "high", "count")} == aged


def test_budgets_are_compared_by_the_rates_of_the_day(house: House) -> None:
    house.open(LEAP_DAY.at, LEAP_DAY)

    def rate(value: str) -> None:
        FxRate.objects.create(base="EUR", quote="USD", rate=value, source="clocks", as_of=now().date(), fetched_at=now())

    def by_budget() -> list[str]:
        return [r["title"] for r in Person().get("jobs", sort="budget").json()["results"]]

    rate("1.1")
    post(house, "A shop in dollars", currency="USD", budget_min_minor=150_000, budget_max_minor=150_000)
    post(house, "A shop in euros", currency="EUR", budget_min_minor=100_000, budget_max_minor=100_000)
    indexed()
    assert by_budget() == ["A shop in dollars", "A shop in euros"]
    house.wait(DAY)
    rate("2")
    assert by_budget() == ["A shop in dollars", "A shop in euros"]
    assert (tasks.reread_search(), by_budget()) == (1, ["A shop in euros", "A shop in dollars"])


def test_a_pass_that_was_cut_short_goes_on_where_it_was_and_a_lost_place_begins_anew(house: House) -> None:
    house.open(LEAP_DAY.at, LEAP_DAY)
    first, second, third = (post(house, f"A shop, number {n}") for n in range(3))
    indexed()
    assert rereading.go_on(2, 1) == 0
    assert (place()["shelf"], place()["after"]) == (0, second.pk)
    Job.objects.filter(pk__in=(first.pk, third.pk)).update(budget_min_minor=100_000, budget_max_minor=200_000)

    def with_a_budget() -> set[int]:
        return {r["id"] for r in Person().get("jobs", budget_min=150_000, currency="USD").json()["results"]}

    house.wait(2 * DAY)  # the worker died, and the sweep with it
    assert (rereading.go_on(100, 1), with_a_budget()) == (1, {third.pk})
    assert (rereading.go_on(100, 1), with_a_budget()) == (1, {first.pk, third.pk}), "then the pass of the new night"
    assert (rereading.go_on(100, 1), place()["shelf"]) == (0, len(rereading.SHELVES))
    Job.objects.filter(pk=second.pk).update(budget_min_minor=100_000, budget_max_minor=200_000)
    (Path(configured.SEARCH_DIR) / "reread.json").write_text('{"night": ')
    assert (rereading.go_on(100), with_a_budget()) == (1, {first.pk, second.pk, third.pk})


def test_one_worker_at_a_time_and_nothing_to_do_without_an_index(house: House) -> None:
    house.open(LEAP_DAY.at, LEAP_DAY)
    house.bob  # noqa: B018  (somebody is to be found)
    assert tasks.reread_search() == 0
    assert not (Path(configured.SEARCH_DIR) / "freelancers" / "CURRENT").exists(), "the first search builds it, not the sweep"
    indexed()
    house.wait(DAY)
    FreelancerProfile.objects.update(years_experience=7)
    with rereading._alone() as alone:
        assert alone
        assert tasks.reread_search() == 0
    assert tasks.reread_search() == 1


def test_a_chunk_costs_the_same_however_many_are_behind(house: House) -> None:
    house.open(LEAP_DAY.at, LEAP_DAY)
    costs = []
    for more in (2, 10):
        for n in range(more):
            post(house, f"A shop, number {more}.{n}")
        indexed()
        house.wait(DAY)
        Job.objects.update(proposal_count=more)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert tasks.reread_search() == Job.objects.filter(state="open").count()
        costs.append(len(asked))
    assert costs[0] == costs[1]
