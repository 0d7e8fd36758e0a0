"""What dbt publishes of the small market, value for value, as an accountant would work it out."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from marketplace.trust.reputation import Outcome, reputation


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """An instant of March 2026; day 32 is 1 April."""
    return datetime(2026, 3, 1, hour, minute) + timedelta(days=day - 1)


#: Bob's reviews as the marketplace's own formula takes them: contracts of 900 and 800 dollars are of value class 2
REVIEW = Outcome(rating=5, value=2, opened_at=at(25))
LATE_REVIEW = Outcome(rating=1, value=2, opened_at=at(25, 12))


def gsv(day: int, currency: str, funded: int, released: int, refunded: int, usd: tuple[int, int, int]) -> dict[str, Any]:
    minor = {"funded_minor": funded, "released_minor": released, "refunded_minor": refunded, "net_minor": funded - refunded}
    cents = {"funded_usd_minor": usd[0], "released_usd_minor": usd[1], "refunded_usd_minor": usd[2], "net_usd_minor": usd[0] - usd[2]}
    return {"day": date(2026, 3, day), "currency": currency, **minor, **cents, "unconverted_postings": 0}


def test_gsv_by_day_and_currency(market: Any) -> None:
    # 100,000 yen at 125 a dollar are 800 dollars: yen have no minor unit
    assert market.rows("admin.gsv_daily") == [
        gsv(5, "USD", 90000, 0, 0, (90000, 0, 0)),
        gsv(10, "JPY", 100000, 0, 0, (80000, 0, 0)),
        gsv(20, "USD", 0, 60000, 0, (0, 60000, 0)),
        gsv(21, "USD", 0, 0, 30000, (0, 0, 30000)),
    ]


def test_take_rate_is_the_fee_of_the_released_milestone(market: Any) -> None:
    found = market.rows("admin.take_rate_monthly")
    assert found == [
        {
            "month": date(2026, 3, 1), "currency": "USD", "net_fee_minor": 6000, "released_minor": 60000, "take_rate": 0.1,
            "net_fee_usd_minor": 6000, "released_usd_minor": 60000, "unconverted_postings": 0,
        }
    ]  # fmt: skip


def test_fill_rate_leaves_out_imported_jobs_and_windows_that_have_not_passed(market: Any) -> None:
    def cohort(days: int, jobs: int, filled: int, rate: float | None, waiting: int) -> dict[str, Any]:
        window = {"cohort_week": date(2026, 3, 2), "window_days": days}
        return {**window, "jobs": jobs, "filled": filled, "fill_rate": rate, "jobs_waiting": waiting}

    assert market.rows("admin.fill_rate_weekly") == [cohort(7, 3, 2, 2 / 3, 0), cohort(14, 3, 2, 2 / 3, 0), cohort(30, 0, 0, None, 3)]


def test_a_served_score_is_published_as_it_was_served(market: Any) -> None:
    [found] = market.rows("admin.served_scores")
    assert found == {
        "score_id": 1, "batch": "b1", "position": 1, "freelancer_id": 2, "job_id": 10, "score": 0.5, "parts": "[]", "model_version": "m1",
        "publish_id": None, "served_at": at(2, 9),
    }  # fmt: skip


def test_time_to_first_bid_keeps_the_waiting_job_at_risk(market: Any) -> None:
    found = market.rows("admin.time_to_first_bid")
    assert [(r["hours"], r["at_risk"], r["events"]) for r in found] == [(0.0, 3, 0), (1.0, 3, 1), (2.0, 2, 1)]
    assert [r["survival"] for r in found] == pytest.approx([1.0, 2 / 3, 1 / 3], abs=1e-12)
    # Greenwood: S(t) · sqrt(1/(3·2)), then sqrt(1/(3·2) + 1/(2·1))
    assert [r["standard_error"] for r in found] == pytest.approx([0.0, 2 / 3 * (1 / 6) ** 0.5, 1 / 3 * (2 / 3) ** 0.5], abs=1e-12)


def test_funnel_counts_pairs_by_the_furthest_stage(market: Any) -> None:
    # (Bob, 10) completed; (Bob, 11) opened; (Chiyo, 13) hired; (Chiyo, 12) only shown
    found = market.rows("admin.funnel")
    assert [(r["stage"], r["count"]) for r in found] == [
        ("shown", 4), ("opened", 3), ("bid", 2), ("shortlisted", 2), ("hired", 2), ("completed", 1),
    ]  # fmt: skip
    assert [r["share"] for r in found] == [1.0, 0.75, 0.5, 0.5, 0.5, 0.25]
    assert [r["share_of_previous"] for r in found] == [None, 0.75, 2 / 3, 1.0, 1.0, 0.5]


def test_overview_summarises_the_same_figures(market: Any) -> None:
    rows = {r["metric"]: r for r in market.rows("admin.kpi_overview")}
    assert {name: row["value"] for name, row in rows.items()} == {
        "gsv_funded": 170000.0, "gsv_released": 60000.0, "gsv_net": 140000.0,
        "gsv_funded_30d": 170000.0, "gsv_released_30d": 60000.0, "gsv_net_30d": 140000.0,
        "funds_held": 80000.0, "take_rate": 0.1, "fill_rate_14d": 2 / 3, "median_hours_to_first_bid": 2.0, "median_hours_to_hire": 88.0,
        "open_jobs": 2.0, "active_freelancers_30d": 2.0, "search_zero_share": 0.5, "unconverted_postings": 0.0, "unconverted_holds": 0.0,
    }  # fmt: skip
    assert {r["as_of"] for r in rows.values()} == {datetime(2026, 4, 1)}
    assert rows["gsv_funded"]["currency"] == "USD" and rows["take_rate"]["currency"] is None


def test_freshness_has_every_source_table_and_its_last_run(market: Any, empty: Any) -> None:
    sources = {s["name"] for s in market.manifest()["sources"].values() if not s["name"].startswith("_")}
    rows = {r["table_name"]: r for r in market.rows("admin.freshness")}
    assert set(rows) == sources
    assert (rows["trust_review"]["last_run_seq"], rows["trust_review"]["last_known_at"]) == (2, datetime(2026, 4, 1))
    assert rows["jobs_proposal"]["logged_rows"] == 5
    assert rows["core_deletedrow"]["last_run_seq"] is None


def pair(batch: str, freelancer: int, job: int, shown: datetime, position: int, **known: Any) -> dict[str, Any]:
    base = {"batch": batch, "freelancer_id": freelancer, "job_id": job, "shown_at": shown, "position": position, "propensity": 1 / position}
    return {**base, "bid_at": None, "shortlisted_at": None, "hired_at": None, **known}


def test_training_pairs_know_what_was_known_when_they_were_shown(market: Any) -> None:
    """List b4 was shown on 27 March: the review opened on the 25th but learnt on 1 April must not be in it. The imported client has none."""
    nothing = {"reputation": None, "contracts_done": 0, "client_hire_rate": 0.5, "proposals": 0}
    assert market.rows("science.feat_pairs") == [
        pair("b1", 2, 10, at(2, 9), 1, bid_at=at(2, 10), shortlisted_at=at(3), hired_at=at(5), **nothing),
        pair("b2", 2, 11, at(3, 1), 2, **nothing),
        pair("b3", 3, 12, at(6, 8, 30), 2, **nothing),
        pair(
            "b3", 3, 13, at(6, 8, 30), 1, bid_at=at(6, 9), shortlisted_at=at(8), hired_at=at(10), **{**nothing, "client_hire_rate": 2 / 3}
        ),
        pair(
            "b4",
            2,
            11,
            at(27),
            1,
            reputation=pytest.approx(reputation([REVIEW], at(27)).mean, abs=1e-9),
            contracts_done=1,
            client_hire_rate=3 / 4,
            proposals=1,
        ),
    ]


def test_both_sides_as_they_are_known_now(market: Any) -> None:
    bob, chiyo = market.rows("science.feat_freelancers")
    assert bob == {
        "freelancer_id": 2, "skills": [1, 2], "category_id": 1, "country": "KE", "zone_hours": 3.0, "level": "expert", "rate_usd_minor": 4500,
        "reputation": pytest.approx(reputation([REVIEW, LATE_REVIEW], at(32)).mean, abs=1e-9), "contracts_done": 1, "availability": "partly", "text": "Python developer APIs",
    }  # fmt: skip
    # 3,001 yen are 2,400.8 cents
    assert (chiyo["skills"], chiyo["rate_usd_minor"], chiyo["reputation"], chiyo["zone_hours"]) == ([], 2401, None, 9.0)
    jobs = {r["job_id"]: r for r in market.rows("science.feat_jobs")}
    assert jobs[10] == {
        "job_id": 10, "state": "filled", "skills": [1, 2], "category_id": 1, "country": "DE", "zone_hours": 1.0, "level": "expert",
        "hourly": False, "budget_usd_minor": 90000, "client_hire_rate": 3 / 4, "proposals": 2, "opened_at": at(2, 8), "text": "Job 10",
    }  # fmt: skip
    # the deleted proposal is gone; 4,000 yen an hour are 3,200 cents; fils without a rate are unknown, never 1:1
    assert (jobs[11]["proposals"], jobs[11]["budget_usd_minor"], jobs[11]["hourly"], jobs[11]["text"]) == (0, 3200, True, "Job 11 Logo")
    assert (jobs[12]["budget_usd_minor"], jobs[12]["zone_hours"], jobs[12]["country"]) == (None, None, "")


def test_each_side_sees_its_own_money(market: Any) -> None:
    month = date(2026, 3, 1)
    assert market.rows("client.spend_monthly") == [
        {"client_id": 1, "month": month, "currency": "JPY", "funded_minor": 100000, "released_minor": 0, "refunded_minor": 0},
        {"client_id": 1, "month": month, "currency": "USD", "funded_minor": 90000, "released_minor": 60000, "refunded_minor": 30000},
    ]
    assert market.rows("freelancer.earnings_monthly") == [
        {"freelancer_id": 2, "month": month, "currency": "USD", "net_minor": 54000, "releases": 1}
    ]
    assert [(r["proposal_id"], r["state"], r["proposals_for_job"]) for r in market.rows("freelancer.proposals", order="proposal_id")] == [
        (100, "accepted", 2), (101, "declined", 2), (102, "accepted", 1),
    ]  # fmt: skip
    assert [(r["job_id"], r["client_id"], r["proposals"]) for r in market.rows("client.jobs", order="job_id")] == [
        (10, 1, 2), (11, 1, 0), (12, 4, 0), (13, 1, 1),
    ]  # fmt: skip


def test_rates_are_published_to_all_with_name_and_decimal_places(market: Any) -> None:
    # 125 yen a dollar, from 1 March on; yen have no decimals
    rates = [
        {
            "currency": "JPY", "currency_name": "Japanese Yen", "exponent": 0, "valid_from": date(2026, 3, 1), "valid_to": date(9999, 12, 31),
            "minor_per_usd_cent": Decimal("1.25"), "good_until": date(2026, 3, 6),
        },
        {
            "currency": "USD", "currency_name": "US Dollar", "exponent": 2, "valid_from": date(1, 1, 1), "valid_to": date(9999, 12, 31),
            "minor_per_usd_cent": Decimal(1), "good_until": None,
        },
    ]  # fmt: skip
    for schema in ("metrics", "client", "freelancer"):
        assert market.rows(f"{schema}.usd_rates") == rates, schema


def test_the_held_milestone_holds_its_price(market: Any) -> None:
    money = market.rows("marts.fct_milestone", order="milestone_id")
    assert [(m["funded_minor"], m["released_minor"], m["refunded_minor"], m["held_minor"], m["fee_minor"]) for m in money] == [
        (60000, 60000, 0, 0, 6000), (30000, 0, 30000, 0, 0), (100000, 0, 0, 100000, 0),
    ]  # fmt: skip
