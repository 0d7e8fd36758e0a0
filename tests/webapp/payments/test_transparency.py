"""What everybody may read: right totals, and nothing from which a person's income could be read off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache

from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import services, tasks
from marketplace.payments.models import LedgerCheck, PublicFigure
from marketplace.payments.providers import sandbox
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(time_machine: Any) -> Any:
    cache.delete("payments:transparency:2")
    time_machine.move_to(NOON, tick=False)
    yield time_machine
    cache.delete("payments:transparency:2")


def usd(minor: int) -> Money:
    return Money(minor, "USD")


@pytest.fixture
def crowd() -> list[Any]:
    """Ten people."""
    users = get_user_model().objects
    return [users.create_user(f"p{n}@example.org", "x", display_name=f"P{n}") for n in range(10)]


def told(day: date = DAY, currency: str = "USD") -> dict[str, tuple[int | None, date]]:
    rows = PublicFigure.objects.filter(day=day, currency=currency)
    return {f.measure: (f.minor, f.as_of) for f in rows}


def publish(at_noon: Any, day: date = DAY) -> dict[str, tuple[int | None, date]]:
    at_noon.move_to(datetime(day.year, day.month, day.day, 6, tzinfo=UTC) + timedelta(days=1), tick=False)
    assert tasks.publish_totals() == 1
    return told(day)


def test_totals_of_many_people_are_their_sums(crowd: list[Any], pay: Any, earn: Any, at_noon: Any) -> None:
    clients, freelancers = crowd[:5], crowd[5:]
    for n, (client, freelancer) in enumerate(zip(clients, freelancers, strict=True), 1):
        earn(client, freelancer, n, usd(10_000))
        pay(client, usd(2_000))
        services.payout_request(actor=freelancer, amount=usd(1_000), method={"token": "bank_ok"}, idempotency_key="p")
        held = {"contract_id": 1, "milestone_id": 100 + n, "payer_id": client.pk, "actor_id": client.pk, "rule": "r"}
        run_in_transaction(lambda values=held: services.hold(amount=usd(500), **values))
    found = publish(at_noon)
    assert found == {
        "escrow": (2_500, DAY),
        "wallets": (5 * 1_500, DAY),
        "freelancers": (5 * 8_000, DAY),
        "in_transit": (5_000, DAY),
        "clearing": (5 * 12_000, DAY),
        "paid_out": (0, DAY),
        "fees": (5 * 1_000, DAY),
    }


def test_what_four_people_have_is_not_told_and_what_it_is_part_of_neither(crowd: list[Any], pay: Any, fund: Any, at_noon: Any) -> None:
    for user in crowd[:5]:
        pay(user, usd(1_000))
    for n, user in enumerate(crowd[:4]):
        fund(user, n + 1, usd(700))
    found = publish(at_noon)
    assert (found["wallets"], found["escrow"], found["clearing"]) == ((5_000, DAY), (None, DAY), (None, DAY))


def test_five_are_enough(crowd: list[Any], fund: Any, at_noon: Any) -> None:
    for n, user in enumerate(crowd[:5]):
        fund(user, n + 1, usd(700))
    assert publish(at_noon)["escrow"] == (3_500, DAY)


@pytest.mark.parametrize(("largest", "shown"), [(4_000, 8_000), (4_001, None)], ids=["half", "more"])
def test_a_total_of_which_one_has_more_than_half_is_not_told(
    largest: int, shown: int | None, crowd: list[Any], pay: Any, at_noon: Any
) -> None:
    pay(crowd[0], usd(largest))
    for user in crowd[1:5]:
        pay(user, usd(1_000))
    assert publish(at_noon)["wallets"] == (shown, DAY)


def test_a_total_is_replaced_only_when_five_have_moved_it(crowd: list[Any], pay: Any, at_noon: Any) -> None:
    for user in crowd[:5]:
        pay(user, usd(1_000))
    assert publish(at_noon)["wallets"] == (5_000, DAY)
    second = DAY + timedelta(days=1)
    for user in crowd[5:9]:
        pay(user, usd(100))
    assert publish(at_noon, second)["wallets"] == (5_000, DAY)
    third = DAY + timedelta(days=2)
    pay(crowd[9], usd(100))
    assert publish(at_noon, third)["wallets"] == (5_500, third)


def test_a_cent_of_four_hides_nobody(crowd: list[Any], pay: Any, at_noon: Any) -> None:
    """Four accounts of one hand move a cent each, and the total that is told next would be the fifth person's money."""
    for user in crowd[:5]:
        pay(user, usd(1_000))
    assert publish(at_noon)["wallets"] == (5_000, DAY)
    second = DAY + timedelta(days=1)
    for user in crowd[5:9]:
        pay(user, usd(1))
    pay(crowd[9], usd(700))
    found = publish(at_noon, second)
    assert (found["wallets"], found["clearing"]) == ((5_000, DAY), (5_000, DAY))
    third = DAY + timedelta(days=2)
    for user in crowd[5:9]:
        pay(user, usd(174))  # since the last that was told: 4 × 175 beside 700
    found = publish(at_noon, third)
    assert (found["wallets"], found["clearing"]) == ((6_400, third), (6_400, third))


def test_who_moved_and_moved_back_counts_as_nobody(crowd: list[Any], pay: Any, fund: Any, at_noon: Any) -> None:
    for n, user in enumerate(crowd[:5]):
        pay(user, usd(1_000))
        fund(user, n + 1, usd(700))
    assert publish(at_noon)["escrow"] == (3_500, DAY)
    second = DAY + timedelta(days=1)
    fund(crowd[9], 10, usd(50))
    back = {"contract_id": 1, "milestone_id": 10, "payer_id": crowd[9].pk, "actor_id": None, "rule": "r", "reason": "r"}
    run_in_transaction(lambda: services.refund(amount=usd(50), **back))
    for n, user in enumerate(crowd[5:9], 20):
        fund(user, n, usd(50))
    assert publish(at_noon, second)["escrow"] == (3_500, DAY)


def test_a_total_that_was_left_out_meanwhile_is_compared_with_the_last_one_that_was_told(crowd: list[Any], pay: Any, at_noon: Any) -> None:
    for user in crowd[:5]:
        pay(user, usd(1_000))
    assert publish(at_noon)["wallets"] == (5_000, DAY)
    second, third = DAY + timedelta(days=1), DAY + timedelta(days=2)
    pay(crowd[0], usd(100_000))
    assert publish(at_noon, second)["wallets"][0] is None
    for user in crowd[1:4]:
        pay(user, usd(40_000))  # nobody has more than half any more, but four people alone have moved it since it was told
    assert publish(at_noon, third)["wallets"] == (5_000, DAY)


def test_a_day_is_published_once_six_hours_after_its_end(crowd: list[Any], pay: Any, at_noon: Any) -> None:
    pay(crowd[0], usd(1_000))
    at_noon.move_to(datetime(2026, 11, 2, 5, 59, 59, tzinfo=UTC) + timedelta(days=1), tick=False)
    assert (tasks.publish_totals(), PublicFigure.objects.filter(day=DAY).count()) == (1, 0)  # the day before's
    at_noon.move_to(datetime(2026, 11, 3, 6, tzinfo=UTC), tick=False)
    assert (tasks.publish_totals(), tasks.publish_totals(), services.totals_publish(day=DAY)) == (1, 0, 0)
    assert len(told()) == 7


def test_the_answer_is_the_published_totals_for_everybody(crowd: list[Any], pay: Any, at_noon: Any) -> None:
    for user in crowd[:5]:
        pay(user, usd(1_000))
    publish(at_noon)
    tasks.ledger_check()
    tasks.reconcile_due()
    answer = Person().get("transparency")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "public, max-age=300")
    body = answer.json()
    figures = {f["measure"]: f["amount"] for f in body["currencies"][0]["figures"]}
    assert (body["day"], body["least_people"], figures["wallets"]) == ("2026-11-02", 5, {"minor": 5_000, "currency": "USD"})
    assert [(c["name"], c["ok"], c["problems"], c["checked"]) for c in body["checks"]] == [
        ("invariants", True, 0, 5),
        ("replay", True, 0, 5),
        ("reconciliation", True, 0, 1),
    ]


def test_an_empty_house_says_that_nothing_was_checked_yet() -> None:
    body = Person().get("transparency").json()
    assert (body["day"], body["currencies"], {c["ok"] for c in body["checks"]}) == (None, [], {None})


def test_a_difference_and_a_broken_ledger_are_told(crowd: list[Any], pay: Any, at_noon: Any) -> None:
    pay(crowd[0], usd(1_000))
    sandbox.other("charge", usd(-10))
    at_noon.move_to(NOON + timedelta(days=2), tick=False)
    while tasks.reconcile_due():
        pass
    outcomes = [{"number": n, "statement": "s", "violations": int(n == 3)} for n in range(1, 10)]
    LedgerCheck.objects.create(checked_at=NOON, entries=7, postings=9, violations=1, outcomes=outcomes)
    checks = {c["name"]: (c["ok"], c["problems"]) for c in Person().get("transparency").json()["checks"]}
    assert checks == {"invariants": (False, 1), "replay": (False, 1), "reconciliation": (False, 1)}


def test_the_answer_is_kept_and_costs_nothing_then(
    crowd: list[Any], pay: Any, at_noon: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    for user in crowd[:5]:
        pay(user, usd(1_000))
    publish(at_noon)
    first = Person().get("transparency").json()
    pay(crowd[0], usd(1_000))
    with django_assert_num_queries(0):
        assert Person().get("transparency").json() == first


def test_too_many_questions_are_refused(settings: Any) -> None:
    settings.API_PACE = {**settings.API_PACE, "transparency": (2, 60)}
    statuses = [Person().client.get("/api/v1/transparency", REMOTE_ADDR="198.51.100.77").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_a_check_of_the_ledger_is_kept_for_a_while(at_noon: Any) -> None:
    tasks.ledger_check()
    at_noon.shift(timedelta(days=91))
    tasks.ledger_check()
    assert LedgerCheck.objects.count() == 1
