"""Every governed metric on a market small enough to work out by hand: the whole way from raw rows through dbt to the reader's answer."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import marts_reader, trace
from pipelines.marts_reader import BadQuestion, Between, Published
from pipelines.publish import metrics as folder_of_metrics
from pipelines.publish.lineage import read

REPO = Path(__file__).resolve().parents[2]
METRICS = REPO / "dbt_project" / "metrics"


@pytest.fixture(scope="session")
def metrics_market(workshop: Any, market_again: Any) -> Iterator[Published]:
    """A publication of the metrics' relations and definitions over metrics_market.MARKET. Built last: it takes the workshop's warehouse."""
    sys.path.insert(0, str(Path(__file__).parent))
    import metrics_market as module

    built = workshop.build(
        "metrics",
        module.MARKET,
        "--select",
        "+path:models/published/metrics",
        "+admin_gsv_daily",
        "+admin_take_rate_monthly",
        "--exclude-resource-type",
        "unit_test",
        "--exclude-resource-type",
        "test",
    )
    path = built.target / "marts.duckdb"
    published = {m.relation: m for m in read(built.target).models.values() if m.published and m.schema == "metrics"}
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE SCHEMA metrics; CREATE SCHEMA _meta")
        db.execute(f"ATTACH '{built.warehouse}' AS warehouse (READ_ONLY)")
        for relation in published:
            db.execute(f"CREATE TABLE {relation} AS FROM warehouse.{relation}")
        folder_of_metrics.write(db, folder_of_metrics.compiled(METRICS, published, db))
    with duckdb.connect(str(built.warehouse)) as work:
        work.execute(
            "CREATE OR REPLACE TABLE raw._runs AS SELECT 1 AS run_seq, unnest(?) AS \"table\", NULL::TIMESTAMP AS L, TIMESTAMP '2026-03-25' AS H",
            [list(module.MARKET)],
        )
    yield Published("by-hand", path, datetime(2026, 12, 1))
    sys.path.remove(str(Path(__file__).parent))


#: Gains of list one: 1 for the bid at place 1, 4 for the hire at place 2, looked at half as often; of list two: 1 at place 2
NDCG_ONE = (1 + 8 / math.log2(3)) / (8 + 1 / math.log2(3))
NDCG_TWO = 1 / math.log2(3)
CLIENTS, FREELANCERS = {"side": "client"}, {"side": "freelancer"}

#: metric → (by, where, rows: the values of `by`, then the value)
BY_HAND: dict[str, list[tuple[list[str], dict[str, Any], list[tuple[Any, ...]]]]] = {
    # 100,000 yen at 125 are 80,000 cents; the Kuwaiti hold has no rate
    "gsv_funded": [
        ([], {}, [(182500,)]),
        (["currency"], {}, [("JPY", 80000), ("KWD", 0), ("USD", 102500)]),
        # 500 that went on from one milestone to the next were committed once
        (["month"], {"currency": "USD"}, [(date(2026, 1, 1), 100000), (date(2026, 11, 1), 2500)]),
        ([], {"day": Between("2026-01-24", "2026-11-20")}, [(120000,)]),
        ([], {"category": ["web", "design"]}, [(182500,)]),
        ([], {"category": "design"}, [(0,)]),
    ],
    # with the bonus of 1,000
    "gsv_released": [([], {}, [(91000,)]), (["quarter", "pricing"], {}, [(date(2026, 1, 1), "fixed", 91000)])],
    "gsv_refunded": [([], {}, [(10000,)])],
    "gsv_net": [([], {}, [(172500,)])],
    "gsv_funded_30d": [([], {}, [(2500,)])],
    "gsv_released_30d": [([], {}, [(0,)])],
    "gsv_net_30d": [([], {}, [(2500,)])],
    # 900 of 9,100 cents of fees were given back, in a month without a release
    "take_rate": [
        ([], {}, [(8200 / 91000,)]),
        (["month"], {}, [(date(2026, 1, 1), 0.1), (date(2026, 2, 1), 0.1), (date(2026, 3, 1), None)]),
        ([], {"currency": "EUR"}, [(None,)]),
    ],
    "refund_share": [
        ([], {}, [(10000 / 182500,)]),
        (["month"], {}, [(date(2026, 1, 1), 0.0), (date(2026, 2, 1), None), (date(2026, 4, 1), 0.0), (date(2026, 11, 1), 0.0)]),
    ],
    "unconverted_postings": [([], {}, [(1,)]), (["currency"], {"month": date(2026, 11, 1)}, [("KWD", 1), ("USD", 0)])],
    "funds_held": [([], {}, [(82500,)]), (["state"], {}, [("funded", 2500), ("in_progress", 80000)])],
    "unconverted_holds": [([], {}, [(1,)])],
    "auto_release_share": [([], {}, [(0.5,)]), (["month"], {}, [(date(2026, 1, 1), 0.0), (date(2026, 2, 1), 1.0)])],
    # Fay had 60,000 and a bonus of 1,000, Gil 30,000; both from client 1
    "concentration_top1": [([], FREELANCERS, [(61 / 91,)]), (["side"], {}, [("client", 1.0), ("freelancer", 61 / 91)])],
    "concentration_hhi": [
        ([], FREELANCERS, [((61**2 + 30**2) / 91**2,)]),
        (["side", "month"], FREELANCERS, [("freelancer", date(2026, 1, 1), 1.0), ("freelancer", date(2026, 2, 1), (1 + 30**2) / 31**2)]),
    ],
    "open_jobs": [([], {}, [(2,)]), (["in_market"], {}, [(False, 1), (True, 1)])],
    # job 4 is eleven days old; job 6 was for invited people only
    "fill_rate_7d": [([], {}, [(1 / 4,)])],
    "fill_rate_14d": [([], {}, [(2 / 3,)]), (["pricing"], {}, [("fixed", 1.0), ("hourly", 0.0)])],
    "fill_rate_30d": [([], {}, [(2 / 3,)]), (["month"], {}, [(date(2026, 1, 1), 1.0), (date(2026, 2, 1), 0.0)])],
    # bids after 2, 6 and 24 hours, job 3 without one: 3/4, then 2/4
    "median_hours_to_first_bid": [([], {}, [(6.0,)]), (["category"], {}, [("design", None), ("web", 6.0)])],
    # hires after 96 and 288 hours, the others watched for 240 and 264: 3/4, then 0
    "median_hours_to_hire": [([], {}, [(288.0,)]), ([], {"month": "2026-11-01"}, [(None,)])],
    # bids 1–5 and 9 are due: 8 was withdrawn in time, 6 and 7 are too young; 4 was answered after 20 days, 5 never
    "bid_response_rate": [([], {}, [(5 / 6,)])],
    "ghosting_rate": [([], {}, [(2 / 6,)]), (["month"], {}, [(date(2026, 1, 1), 2 / 5), (date(2026, 4, 1), 0.0)])],
    "bid_open_rate": [([], {}, [(5 / 6,)])],
    "active_freelancers_30d": [([], {}, [(2,)])],
    "freelancer_liquidity": [([], {}, [(2 / 4,)]), (["month"], {}, [(date(2026, 1, 1), 2 / 4), (date(2026, 4, 1), 1.0)])],
    "search_zero_share": [([], {}, [(0.5,)]), (["month"], {}, [(date(2026, 1, 1), 0.0), (date(2026, 2, 1), 1.0)])],
    # nobody counts Hal, who is unavailable, nor the imported job
    "market_depth": [([], {}, [(3.0,)]), (["skill"], {}, [("logo", None), ("python", 2.0)])],
    # of four first seen in January: Gil in February, Fay in April, in June and July with work that was sent back, Fay and Hal in November
    "cohort_retention": [
        (["months_since"], FREELANCERS, [(n, {0: 1.0, 1: 1 / 4, 3: 1 / 4, 5: 1 / 4, 6: 1 / 4, 10: 2 / 4}.get(n, 0.0)) for n in range(11)]),
        # client 1 came first in January and again in April and November, client 2 in February and in November
        (["side", "months_since"], CLIENTS, [("client", n, {0: 1.0, 3: 1 / 2, 9: 1 / 2, 10: 1.0}.get(n, 0.0)) for n in range(11)]),
        (["cohort_month"], CLIENTS | {"months_since": 9}, [(date(2026, 1, 1), 0.0), (date(2026, 2, 1), 1.0)]),
    ],
    "rehire_rate": [([], {}, [(0.5,)]), (["month"], {}, [(date(2026, 2, 1), 1.0), (date(2026, 3, 1), 0.0)])],
    # milestone 1 a day early, 2 a day late, 4 overdue; 3 was refunded, 5 has no date, 6 is not due yet, 9 and 10 were never funded
    "on_time_share": [([], {}, [(1 / 3,)])],
    # milestone 2 of the three submitted; 4 was disputed before anything was submitted
    "dispute_rate": [([], {}, [(1 / 3,)]), (["month"], {}, [(date(2026, 1, 1), 0.0), (date(2026, 2, 1), 1.0), (date(2026, 7, 1), 0.0)])],
    "median_hours_to_money_moved": [([], {}, [(48.0,)]), ([], {"filer_side": "freelancer"}, [(None,)])],
    # the bank spoke in March of a payment of January; the inquiry took nothing, the third payment never came
    "chargeback_rate": [(["month"], {}, [(date(2026, 1, 1), 0.5), (date(2026, 2, 1), 1.0)])],
    # upheld: hold 1, case 3; cleared or overturned: holds 2 and 5, case 2; case 4 is hold 5 once more
    "fraud_precision": [([], {}, [(2 / 5,)]), (["source"], {}, [("case", 1 / 2), ("risk_hold", 1 / 3)])],
    "shadow_precision": [([], {}, [(1.0,)])],
    # hold 1 and case 3 by machines, case 1 by people, the chargebacks by the bank; the payment of the third had been held and let go
    "fraud_recall": [([], {}, [(3 / 5,)]), (["kind"], {}, [("job", 1 / 2), ("payment", 2 / 3)])],
    # 2, 10 and 20 hours, then two cases at 24, when hold 4 had waited as long: 6/7, 5/7, 4/7, 2/7
    "median_hours_to_decision": [([], {}, [(24.0,)])],
    "appeal_overturn_rate": [([], {}, [(0.5,)])],
    "match_ndcg_10": [
        ([], {}, [((NDCG_ONE + NDCG_TWO) / 2,)]),
        (["month"], {}, [(date(2026, 1, 1), NDCG_ONE), (date(2026, 11, 1), NDCG_TWO)]),
    ],
    "match_mrr": [([], {}, [(0.75,)])],
    # client 1 had hired when list four was shown, and not when list one was
    "newcomer_exposure": [
        ([], {}, [(4 / 5,)]),
        (["month"], {"ranking": "r-1"}, [(date(2026, 1, 1), 1.0), (date(2026, 2, 1), 0.5), (date(2026, 11, 1), 1.0)]),
    ],
    # score 0: 0.5 + 0.25 + 0.5 promised, 2 came; score ln 3: 0.75 promised, none came
    "match_calibration_error": [([], {}, [(1.5 / 4,)])],
    "match_promise": [([], {}, [(1.0,)])],
}


def test_every_metric_is_worked_by_hand(metrics_market: Published) -> None:
    assert {m.name for m in marts_reader.metrics(metrics_market)} == set(BY_HAND)


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_metric_is_what_it_comes_to_by_hand(name: str, metrics_market: Published) -> None:
    for by, where, rows in BY_HAND[name]:
        table = marts_reader.metric(name, by=by, where=where, published=metrics_market)
        found = [tuple(row[column] for column in (*by, "value")) for row in table.to_pylist()]
        assert found == [(*row[:-1], row[-1] if row[-1] is None else pytest.approx(row[-1], abs=1e-9)) for row in rows], (by, where)
        assert table.schema.metadata[b"metric"] == name.encode() and table.schema.metadata[b"publish_id"] == b"by-hand"


def test_a_bonus_and_what_goes_on_to_the_next_milestone_agree_with_the_raw_ledger(metrics_market: Published, workshop: Any) -> None:
    """Each release stops the publication when they do not."""
    run = workshop.dbt("test", "--select", "gsv_equals_the_raw_ledger", "fees_equal_the_raw_ledger")
    assert run.returncode == 0 and "PASS=2" in run.stdout, run.stdout[-3000:]


def test_money_is_read_in_the_viewers_currency_by_the_published_rates(metrics_market: Published) -> None:
    """125 yen are a dollar: 1.25 yen, which have no smaller unit, are a cent."""
    whole = marts_reader.metric("gsv_funded", published=metrics_market, currency="JPY")
    assert whole.to_pylist()[0] | {"base_rows": 0} == {"value": 182500, "base_rows": 0, "viewer_minor": 228125}
    assert whole.schema.metadata[b"viewer_currency"] == b"JPY"
    by_month = marts_reader.metric("gsv_funded", ["month"], {"currency": "USD"}, published=metrics_market, currency="JPY")
    assert by_month["viewer_minor"].to_pylist() == [125000, 3125]
    own = marts_reader.metric("gsv_funded", ["currency"], published=metrics_market, currency="USD")
    assert own["viewer_minor"].to_pylist() == own["value"].to_pylist()
    with pytest.raises(BadQuestion, match=r"take_rate is not money in USD \(share\)"):
        marts_reader.metric("take_rate", published=metrics_market, currency="JPY")
    with pytest.raises(BadQuestion, match=r"no rate is known for 'KWD'\. Known are: JPY, USD"):
        marts_reader.metric("gsv_funded", published=metrics_market, currency="KWD")


def test_shares_say_what_they_were_made_of(metrics_market: Published) -> None:
    take, wait = (marts_reader.metric(name, published=metrics_market).to_pylist()[0] for name in ("take_rate", "median_hours_to_first_bid"))
    assert (take["numerator"], take["denominator"]) == (8200.0, 91000.0)
    assert (wait["events"], wait["base_rows"]) == (3, 4)


#: metric, cell → source table → keys of the rows behind the figure
ROWS_BY_HAND: list[tuple[str, dict[str, Any], dict[str, set[int]]]] = [
    ("take_rate", {"month": "2026-02-01"}, {"payments_posting": {6, 7, 16, 17}}),
    ("take_rate", {"month": "2026-03-01"}, {"payments_posting": {10}}),
    ("gsv_funded", {"currency": "JPY"}, {"payments_posting": {9}}),
    ("gsv_net", {}, {"payments_posting": {1, 2, 3, 8, 9, 11, 12, 13}}),
    ("median_hours_to_first_bid", {"category": "design"}, {"jobs_job": {3}, "jobs_proposal": set(), "contracts_contract": set()}),
    ("fill_rate_14d", {"pricing": "fixed"}, {"jobs_job": {1, 2}, "jobs_proposal": {1, 2, 3, 4, 5, 8}, "contracts_contract": {1, 2}}),
    ("ghosting_rate", {"month": "2026-01-01"}, {"jobs_proposal": {1, 2, 3, 4, 5}, "contracts_contract": {1, 2}}),
    ("concentration_hhi", {"side": "freelancer", "month": "2026-01-01"}, {"payments_posting": {4, 5}}),
    ("concentration_hhi", {"side": "freelancer", "month": "2026-02-01"}, {"payments_posting": {6, 7, 16, 17}}),
    ("on_time_share", {}, {"contracts_milestone": {1, 2, 4}, "contracts_contract": {1, 2, 3}, "payments_posting": {1, 2, 4, 5, 6, 7, 9}}),
    (
        "funds_held",
        {"currency": ["JPY", "USD"]},
        {"contracts_milestone": {4, 6}, "contracts_contract": {3}, "payments_posting": {9, 12, 15}},
    ),
    ("market_depth", {"skill": "python"}, {"jobs_jobskill": {1}, "accounts_freelancerskill": {1, 3}}),
    (
        "cohort_retention",
        {"side": "freelancer", "months_since": 3},
        {"jobs_proposal": {9}, "contracts_milestone": set(), "contracts_submission": set(), "jobs_job": set()},
    ),
    (
        "cohort_retention",
        {"side": "freelancer", "months_since": 5},
        {"jobs_proposal": set(), "contracts_milestone": set(), "contracts_submission": {3}, "jobs_job": set()},
    ),
    (
        "cohort_retention",
        {"side": "client", "months_since": 10},
        {"jobs_proposal": set(), "contracts_milestone": {5, 6}, "contracts_submission": set(), "jobs_job": set()},
    ),
    ("rehire_rate", {"month": "2026-02-01"}, {"contracts_contract": {1}}),
    ("search_zero_share", {"month": "2026-02-01"}, {"activity_search": {2}}),
    ("dispute_rate", {"month": "2026-02-01"}, {"contracts_milestone": {2}, "contracts_contract": {2}, "payments_posting": {2, 6, 7}}),
    ("chargeback_rate", {}, {"payments_payment": {1, 2, 4}, "payments_chargeback": {1, 2, 3}}),
    ("fraud_recall", {}, {"payments_riskhold": {1}, "core_event": set(), "trust_case": {1, 3}, "payments_chargeback": {1, 3}}),
    ("match_mrr", {"month": "2026-01-01"}, {"activity_impression": {1, 2}}),
    ("newcomer_exposure", {"month": "2026-02-01"}, {"activity_impression": {5, 6}}),
    ("match_calibration_error", {}, {"activity_impression": {1, 2, 3, 5}}),
]


@pytest.fixture
def work_file(metrics_market: Published, monkeypatch: pytest.MonkeyPatch) -> Path:
    warehouse = metrics_market.path.with_name("warehouse.duckdb")
    monkeypatch.setenv("OPENLANCE_WAREHOUSE", str(warehouse))
    return warehouse


@pytest.mark.parametrize("case", range(len(ROWS_BY_HAND)))
def test_a_figure_leads_to_its_rows_in_the_source(case: int, metrics_market: Published, work_file: Path) -> None:
    name, cell, wanted = ROWS_BY_HAND[case]
    found = {rows.table: rows for rows in trace.source_rows(name, cell, published=metrics_market)}
    assert {table: {row.key for row in rows.rows} for table, rows in found.items()} == wanted
    for rows in found.values():
        assert rows.count == len(rows.rows)
        assert all((row.run_seq, row.low, row.high) == (1, None, datetime(2026, 3, 25)) for row in rows.rows)


def test_every_figure_leads_to_rows(metrics_market: Published, work_file: Path) -> None:
    for name, cases in BY_HAND.items():
        _, where, _ = cases[0]
        found = trace.source_rows(name, where, published=metrics_market, limit=1)
        nothing = name in ("gsv_released_30d",)  # nothing was released in the last 30 days
        assert any(rows.count for rows in found) != nothing, name
        assert all(len(rows.rows) <= 1 for rows in found)


def test_without_the_work_file_a_trace_says_where_rows_are_found(
    metrics_market: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLANCE_WAREHOUSE", str(tmp_path / "none.duckdb"))
    with pytest.raises(trace.NothingToTrace, match="rows of the source are found where the marts are built"):
        trace.source_rows("take_rate", published=metrics_market)
