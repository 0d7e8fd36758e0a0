"""The matcher before, after and about learning: features, labels, training, evaluation by hand, the gate."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml.features.sides import Vocabulary, freelancer_side, job_side
from ml.features.text import TextSpace
from ml.gates.gate import Evidence, decide
from ml.matching.dataset import digest, features_of, labels, time_split
from ml.matching.evaluate import gains, per_list
from ml.matching.export import TOP, assemble
from ml.matching.ranker import Settings, fit
from ml.matching.train import baselines, score_quality, train
from ml.serving.additive import AdditiveModel, add
from ml.serving.pairs import FEATURES, pair_features


def test_features_of_a_pair_worked_by_hand(market: Any) -> None:
    people = market.freelancers.head(1).with_columns(
        skills=pl.Series([[1, 2]]), category_id=pl.lit(1), country=pl.lit("DE"), zone_hours=pl.lit(1.0), level=pl.lit("expert"),
        rate_usd_minor=pl.lit(5000), reputation=pl.lit(4.5), contracts_done=pl.lit(3), availability=pl.lit("partly"),
    )  # fmt: skip
    jobs = market.jobs.head(1).with_columns(
        skills=pl.Series([[1, 3]]), category_id=pl.lit(1), country=pl.lit("DE"), zone_hours=pl.lit(5.0), level=pl.lit("entry"),
        hourly=pl.lit(True), budget_usd_minor=pl.lit(10000), client_hire_rate=pl.lit(0.5), proposals=pl.lit(7),
    )  # fmt: skip
    vocabulary = Vocabulary.of(people, jobs)
    space = TextSpace.fit(["alpha beta", "beta gamma", "gamma delta"], seed=0)
    opened = jobs["opened_at"][0].timestamp() / 86400
    x = pair_features(
        freelancer_side(people, vocabulary, space), job_side(jobs, vocabulary, space), np.array([0]), np.array([0]),
        idf=vocabulary.idf, day=np.array([opened + 1.0]),
    )  # fmt: skip
    row = dict(zip(FEATURES, x[0].tolist(), strict=True))
    # both job skills are asked for by the one job: same idf, one of two is covered
    assert row["skill_cover"] == pytest.approx(0.5)
    assert row["category_match"] == 1
    assert row["hourly_fit"] == pytest.approx(np.log(2))
    assert row["fixed_size"] == 0
    assert row["level_gap"] == 2
    assert row["same_country"] == 1
    assert row["zone_gap"] == 4
    assert row["experience"] == pytest.approx(np.log(4))
    assert row["competition"] == pytest.approx(np.log(8))
    assert row["age"] == pytest.approx(np.log(2))
    assert row["availability"] == 0.5


def test_unknown_values_become_neutral_and_never_nan(market: Any) -> None:
    people = market.freelancers.with_columns(
        reputation=pl.lit(None, pl.Float64), rate_usd_minor=pl.lit(None, pl.Int64), zone_hours=pl.lit(None, pl.Float64)
    )
    jobs = market.jobs.with_columns(
        budget_usd_minor=pl.lit(None, pl.Int64),
        category_id=pl.lit(None, pl.Int64),
        skills=pl.Series([[]] * len(market.jobs), dtype=pl.List(pl.Int64)),
    )
    vocabulary, space = Vocabulary.of(people, jobs), TextSpace.fit(["a1 b1", "b1 c1"], seed=0)
    n = len(people)
    x = pair_features(
        freelancer_side(people, vocabulary, space),
        job_side(jobs, vocabulary, space),
        np.arange(n),
        np.zeros(n, dtype=np.int64),
        idf=vocabulary.idf,
        day=np.zeros(n),
    )
    assert np.isfinite(x).all()
    assert (x[:, list(FEATURES).index("skill_cover")] == 0).all()
    assert (x[:, list(FEATURES).index("price_unknown")] == 1).all()


def test_a_label_knows_nothing_that_happened_after_the_split(market: Any) -> None:
    hired = market.pairs.filter(pl.col("hired_at").is_not_null()).head(1)
    bid_at, hired_at = hired["bid_at"][0], hired["hired_at"][0]
    assert labels(hired, None).tolist() == [3]
    assert labels(hired, hired_at).tolist() == [3]
    assert labels(hired, hired_at - timedelta(seconds=1)).tolist() == [2]
    assert labels(hired, bid_at).tolist() == [1]
    assert labels(hired, bid_at - timedelta(seconds=1)).tolist() == [0]


def test_the_split_is_by_time_and_leaves_the_stated_shares(market: Any) -> None:
    split = time_split(market.pairs)
    assert split.valid < split.test
    assert (market.pairs["shown_at"] >= split.test).mean() == pytest.approx(0.2, abs=0.01)
    with pytest.raises(ValueError, match="at least 100"):
        time_split(market.pairs.head(50))


def test_ndcg_and_reciprocal_rank_worked_by_hand() -> None:
    # list 0: gains 0, 2, 1 in the order of the scores; list 1 has no outcome and does not count
    score = np.array([3.0, 2.0, 1.0, 5.0, 4.0])
    gain = np.array([0.0, 2.0, 1.0, 0.0, 0.0])
    ndcg, rr = per_list(score, gain, np.array([0, 0, 0, 1, 1]))
    ideal = 2 / np.log2(2) + 1 / np.log2(3)
    assert ndcg.tolist() == [pytest.approx((2 / np.log2(3) + 1 / np.log2(4)) / ideal)]
    assert rr.tolist() == [0.5]


def test_an_undecided_score_gains_nothing_from_the_order_in_which_rows_were_shown() -> None:
    lists, length = 400, 10
    group = np.repeat(np.arange(lists), length)
    gain = np.tile([1.0] + [0.0] * (length - 1), lists)  # always the first one shown
    _, rr = per_list(np.zeros(lists * length), gain, group)
    assert rr.mean() == pytest.approx(np.mean(1 / np.arange(1, length + 1)), abs=0.05)


def test_gains_are_divided_by_the_propensity_and_clipped() -> None:
    assert gains(np.array([1, 3, 1]), np.array([1.0, 0.5, 0.01])).tolist() == [1.0, 8.0, 10.0]


def test_the_matcher_learns_and_beats_both_baselines_on_later_lists(market: Any) -> None:
    trained = train(market.pairs, market.freelancers, market.jobs, seed=3)
    ours = score_quality(trained.model.score(trained.test.x), trained.test).ndcg10
    others = {n: score_quality(s, trained.test).ndcg10 for n, s in baselines(trained.test).items()}
    assert ours > others["popularity"] + 0.05
    cover = trained.model.knots[0], trained.model.values[0]
    assert np.interp(1.0, *cover) > np.interp(0.0, *cover) + 0.5, "more cover must raise the score"


def test_shuffled_outcomes_teach_nothing(market: Any) -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(len(market.pairs))
    outcomes = market.pairs.select("bid_at", "shortlisted_at", "hired_at")[order]
    shuffled = market.pairs.with_columns(outcomes.get_columns())
    trained = train(shuffled, market.freelancers, market.jobs, seed=3)
    noise = score_quality(rng.random(len(trained.test.label)), trained.test)
    ours = score_quality(trained.model.score(trained.test.x), trained.test)
    assert abs(ours.ndcg10 - noise.ndcg10) < 0.1


def test_training_twice_gives_the_same_model(market: Any) -> None:
    first = train(market.pairs, market.freelancers, market.jobs, seed=3).model.to_document()
    again = train(market.pairs.sample(fraction=1.0, shuffle=True, seed=9), market.freelancers, market.jobs, seed=3).model.to_document()
    assert first["features"] == again["features"]
    for a, b in zip(first["values"], again["values"], strict=True):
        assert np.allclose(a, b, atol=1e-6)


def test_what_is_shown_more_is_not_taken_for_wanted_more() -> None:
    """Two kinds of jobs wanted equally; one is always shown low. Without the correction it would look unwanted."""
    rng = np.random.default_rng(5)
    n = 20_000
    low = rng.random(n) < 0.5
    propensity = np.where(low, 0.2, 1.0)
    x = np.zeros((n, len(FEATURES)))
    x[:, 0] = low
    label = (rng.random(n) < 0.3 * propensity).astype(np.int64)
    model = fit(x, label, propensity, Settings(c_bid=10.0))
    gap = float(np.interp(1.0, model.knots[0], model.values[0]) - np.interp(0.0, model.knots[0], model.values[0]))
    uncorrected = fit(x, label, np.ones(n), Settings(c_bid=10.0))
    raw = float(np.interp(1.0, uncorrected.knots[0], uncorrected.values[0]) - np.interp(0.0, uncorrected.knots[0], uncorrected.values[0]))
    assert raw < -1.4
    assert abs(gap) < 0.45


def test_parts_sum_to_the_score_and_models_add(market: Any) -> None:
    rng = np.random.default_rng(2)

    def model() -> AdditiveModel:
        knots = tuple(np.sort(rng.normal(size=4)) for _ in FEATURES)
        return AdditiveModel(tuple(FEATURES), knots, tuple(rng.normal(size=4) for _ in FEATURES), rng.normal(size=len(FEATURES)), 0.3)

    a, b, x = model(), model(), rng.normal(size=(50, len(FEATURES))) * 2
    assert np.allclose(a.score(x), a.base + a.parts(x).sum(axis=1))
    assert np.allclose(add(a, b).score(x), a.score(x) + b.score(x))
    assert np.array_equal(AdditiveModel.from_document(a.to_document()).score(x), a.score(x))
    with pytest.raises(ValueError, match="feature columns"):
        a.score(x[:, :3])


@pytest.mark.parametrize("damage", [{"kind": "other"}, {"base": None}, {"means": [1.0, 2.0]}, {"knots": []}])
def test_a_damaged_model_document_is_refused(damage: dict[str, Any]) -> None:
    document = AdditiveModel(("f",), (np.array([0.0, 1.0]),), (np.array([0.0, 2.0]),), np.array([1.0]), 0.0).to_document()
    with pytest.raises(ValueError, match=r"additive model|unknown kind"):
        AdditiveModel.from_document({**document, **damage})


def test_every_open_job_stands_in_somebodys_first_hundred(market: Any) -> None:
    trained = train(market.pairs, market.freelancers, market.jobs, seed=3)
    # more jobs than anybody's list can hold, and few people
    many = pl.concat([market.jobs.with_columns(job_id=pl.col("job_id") + 1000 * k) for k in range(5)])
    recommender, exposure = assemble(
        version="v", publish_id="p", model=trained.model, space=trained.space, freelancers=market.freelancers, jobs=many, day=20_600.0
    )
    assert exposure.coverage == 1.0
    seen = {r.job_id for f in market.freelancers["freelancer_id"] for r in recommender.recommend(int(f), limit=TOP, day=20_600.0) or []}
    assert seen == set(many["job_id"].to_list())


def test_the_digest_names_the_rows_not_their_order(market: Any) -> None:
    assert digest(market.pairs) == digest(market.pairs.reverse())
    changed = market.pairs.with_columns(position=pl.when(pl.int_range(pl.len()) == 0).then(99).otherwise("position"))
    assert digest(market.pairs) != digest(changed)


def test_features_are_refused_for_people_the_tables_do_not_know(market: Any) -> None:
    stranger = market.pairs.head(1).with_columns(freelancer_id=pl.lit(999_999, pl.Int64))
    with pytest.raises(ValueError, match="do not have"):
        features_of(
            stranger,
            market.freelancers,
            market.jobs,
            Vocabulary.of(market.freelancers, market.jobs),
            TextSpace.fit(["a1 b1", "b1 c1"], seed=0),
        )


GOOD = Evidence(ndcg=0.6, baselines={"popularity": 0.4, "skill overlap": 0.5}, champion=None, coverage=1.0, p99_ms=20.0, has_signature=True)


def test_the_gate_promotes_what_passes_every_check() -> None:
    assert decide(GOOD).promote


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ndcg": 0.505}, "floor"),
        ({"champion": 0.61}, "champion"),
        ({"segments": {"freelancer=newcomer": (0.3, 0.5, 80)}}, "newcomer"),
        ({"coverage": 0.99}, "coverage"),
        ({"p99_ms": 101.0}, "latency"),
        ({"has_signature": False}, "signature"),
    ],
)
def test_the_gate_refuses_and_says_which_check_failed(change: dict[str, Any], told: str) -> None:
    decision = decide(replace(GOOD, **change))
    assert not decision.promote
    failed = [r for r in decision.reasons if r.startswith("FAIL")]
    assert len(failed) == 1
    assert told in failed[0]


def test_a_segment_too_small_to_judge_is_told_and_does_not_decide() -> None:
    decision = decide(replace(GOOD, segments={"country=KE": (0.1, 0.5, 12)}))
    assert decision.promote
    assert any("too few to judge" in r for r in decision.reasons)
