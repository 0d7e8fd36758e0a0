"""Double-blind reviews and the published formula."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from marketplace.contracts import services as work
from marketplace.contracts.models import Contract, Milestone
from marketplace.core import ports
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from marketplace.trust import reputation as formula
from marketplace.trust import services, tasks
from marketplace.trust.models import Review
from marketplace.trust.reputation import Outcome, reputation, value_class
from marketplace.trust.selectors import may_write, reviews_of

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def ended(alice: Any, contract: Contract, submitted: Milestone) -> Contract:
    """A completed contract: the first milestone paid, the second cancelled."""
    work.milestone_approve(actor=alice, milestone_id=submitted.pk)
    return work.contract_cancel(actor=alice, contract_id=contract.pk)


def test_a_review_stays_hidden_until_both_are_in(alice: Any, bob: Any, sam: Any, ended: Contract) -> None:
    services.review_write(actor=alice, contract_id=ended.pk, rating=5, text="Careful.")
    assert [r.rating for r in reviews_of(alice, ended.pk)[1]] == [5]
    for other in (bob, sam):
        assert list(reviews_of(other, ended.pk)[1]) == []
    assert ports.rating_of.first(user_id=bob.pk) == {}
    services.review_write(actor=bob, contract_id=ended.pk, rating=4)
    assert sorted(r.rating for r in reviews_of(alice, ended.pk)[1]) == [4, 5]
    assert Review.objects.filter(opened_at__isnull=True).count() == 0
    assert ports.rating_of.first(user_id=bob.pk)["count"] == 1


def test_the_window_opens_a_lone_review_and_takes_no_more(alice: Any, bob: Any, ended: Contract, days: Any) -> None:
    services.review_write(actor=alice, contract_id=ended.pk, rating=2)
    days(13.99)
    assert tasks.open_due() == 0
    assert may_write(bob, ended) is True
    days(0.02)
    assert may_write(bob, ended) is False
    with pytest.raises(Conflict) as refused:
        services.review_write(actor=bob, contract_id=ended.pk, rating=1)
    assert refused.value.code == "review_window_shut"
    assert tasks.open_due() == 1
    assert tasks.open_due() == 0
    assert [r.rating for r in reviews_of(bob, ended.pk)[1]] == [2]


def test_one_review_a_side_and_only_of_ended_work(alice: Any, charlie: Any, sam: Any, contract: Contract, offer: Contract) -> None:
    with pytest.raises(Conflict) as refused:
        services.review_write(actor=alice, contract_id=contract.pk, rating=5)
    assert refused.value.code == "review_too_early"
    work.contract_cancel(actor=alice, contract_id=contract.pk)
    with pytest.raises(NotFound):
        services.review_write(actor=charlie, contract_id=contract.pk, rating=5)
    with pytest.raises(NotAllowed):
        services.review_write(actor=sam, contract_id=contract.pk, rating=5)
    services.review_write(actor=alice, contract_id=contract.pk, rating=5)
    with pytest.raises(Conflict):
        services.review_write(actor=alice, contract_id=contract.pk, rating=1)
    assert list(Review.objects.values_list("rating", flat=True)) == [5]


@pytest.mark.parametrize("rating", [0, 6, -1, 4.5, True, "5", None])
def test_a_rating_is_one_to_five(alice: Any, ended: Contract, rating: Any) -> None:
    with pytest.raises(InvalidInput):
        services.review_write(actor=alice, contract_id=ended.pk, rating=rating)
    assert Review.objects.count() == 0


def test_a_declined_offer_is_not_reviewed(alice: Any, bob: Any, offer: Contract) -> None:
    work.offer_decline(actor=bob, contract_id=offer.pk)
    with pytest.raises(Conflict):
        services.review_write(actor=alice, contract_id=offer.pk, rating=1)


def test_a_worked_example_of_the_formula() -> None:
    outcomes = [Outcome(5, 2, NOW), Outcome(3, 1, NOW - timedelta(days=365))]
    found = reputation(outcomes, NOW)
    # weights 2 and 0.5; mean = (4·4 + 2·5 + 0.5·3) / 6.5 = 27.5 / 6.5
    assert [w.weight for w in found.weighed] == [2.0, 0.5]
    assert found.mean == pytest.approx(27.5 / 6.5, abs=1e-12)
    mean = 27.5 / 6.5
    variance = (4 * (1 + (4 - mean) ** 2) + 2 * (5 - mean) ** 2 + 0.5 * (3 - mean) ** 2) / 6.5
    effective = 6.5**2 / (4 + 4 + 0.25)
    half = 1.96 * (variance / effective) ** 0.5
    assert (found.low, found.high) == (pytest.approx(mean - half), pytest.approx(min(5.0, mean + half)))


def test_few_reviews_stay_near_the_prior_and_many_leave_it() -> None:
    one, many = reputation([Outcome(1, 1, NOW)], NOW), reputation([Outcome(1, 1, NOW)] * 100, NOW)
    assert one.mean == pytest.approx(3.4)
    assert many.mean < 1.2
    assert many.high - many.low < one.high - one.low
    assert reputation([], NOW).mean == formula.PRIOR_MEAN


@pytest.mark.parametrize(("usd", "value"), [(None, 1), (9_999, 1), (10_000, 2), (99_999, 2), (100_000, 3), (999_999, 3), (1_000_000, 4)])
def test_value_classes(usd: int | None, value: int) -> None:
    assert value_class(usd) == value


def test_anybody_can_compute_the_published_number_again(alice: Any, bob: Any, charlie: Any, ended: Contract, days: Any) -> None:
    services.review_write(actor=alice, contract_id=ended.pk, rating=5)
    services.review_write(actor=bob, contract_id=ended.pk, rating=3)
    days(100)
    http = Client()
    http.force_login(charlie)
    told = http.get(f"/api/v1/users/{bob.pk}/reputation").json()
    k, m0 = told["prior"]["weight"], told["prior"]["mean"]
    as_of = datetime.fromisoformat(told["as_of"])
    weights = [
        i["value"] * 0.5 ** ((as_of - datetime.fromisoformat(i["opened_at"])).total_seconds() / 86_400 / told["half_life_days"])
        for i in told["inputs"]
    ]
    mean = (k * m0 + sum(w * i["rating"] for w, i in zip(weights, told["inputs"], strict=True))) / (k + sum(weights))
    assert told["count"] == 1
    assert told["inputs"][0]["value"] == 3
    assert told["mean"] == pytest.approx(mean, abs=1e-9)
    assert http.get("/api/v1/users/999999999/reputation").status_code == 404
