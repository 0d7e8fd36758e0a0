"""Each query of the pages: exact values on marts small enough to work out by hand, and equal to the sample's marts read another way."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import streamlit as st

from dashboards.components import figures
from dashboards.queries import admin, definitions, meta
from pipelines import marts_reader
from pipelines.marts_reader import Published
from pipelines.marts_reader.answers import answer
from pipelines.marts_reader.question import compile_question
from tests.dashboards.by_hand import flow, jobs, lay_metrics

SCHEMA = """
create schema admin;
create table admin.kpi_overview (as_of timestamp);
create table admin.time_to_first_bid (hours double, survival double, at_risk bigint, events bigint);
create table admin.time_to_hire (hours double, survival double, at_risk bigint, events bigint);
create table admin.freshness (table_name varchar, logged_rows bigint, last_source_change_at timestamp, lag_seconds double);
insert into admin.kpi_overview values ('2026-03-18 09:30');
"""


@pytest.fixture
def worked(tmp_path: Path) -> tuple[duckdb.DuckDBPyConnection, Published]:
    """Empty marts as of Wednesday 18 March 2026, to be filled, and the publication that reads them once `close` was called."""
    file = tmp_path / "marts.duckdb"
    db = duckdb.connect(str(file))
    db.execute(SCHEMA)
    lay_metrics(db)
    return db, Published(tmp_path.name, file, datetime(2026, 3, 18, 10, tzinfo=UTC))


def test_every_number_of_the_overview_is_a_governed_metric_also_of_an_empty_market(worked: Any) -> None:
    db, marts = worked
    db.close()
    found = admin.kpis(marts).set_index("metric")
    known = definitions(marts)
    assert tuple(found.index) == admin.OVERVIEW
    for name, row in found.iterrows():
        assert (row["unit"], row["definition"]) == (known[str(name)].unit, known[str(name)].description)
        assert pd.isna(row["value"]) if row["unit"] in ("share", "hours") else row["value"] == 0, name


def test_volume_sums_currencies_by_month_and_by_week_from_monday_and_forgets_what_is_older(worked: Any) -> None:
    db, marts = worked
    flow(db, "2025-02-28", "funded", 999)
    flow(db, "2025-03-01", "funded", 100)
    for kind, cents in (("funded", 1250), ("released", 200), ("refunded", 50)):
        flow(db, "2026-03-15", kind, cents)
    flow(db, "2026-03-16", "funded", 101, "EUR")
    db.close()
    months = {(r.start.date(), r.measure): r.usd for r in admin.volume(marts, "month").itertuples()}
    assert months == {
        (date(2025, 3, 1), "funded"): 1.0, (date(2025, 3, 1), "released"): 0.0, (date(2025, 3, 1), "refunded"): 0.0,
        (date(2026, 3, 1), "funded"): 13.51, (date(2026, 3, 1), "released"): 2.0, (date(2026, 3, 1), "refunded"): 0.5,
    }  # fmt: skip
    weeks = {(r.start.date(), r.measure): r.usd for r in admin.volume(marts, "week").itertuples()}
    assert weeks[date(2026, 3, 9), "funded"] == 12.5, "Sunday the 15th belongs to the week of the 9th"
    assert weeks[date(2026, 3, 16), "funded"] == 1.01
    assert {week for week, _ in weeks} == {date(2026, 3, 9), date(2026, 3, 16)}


def test_a_period_that_does_not_exist_is_refused(worked: Any) -> None:
    with pytest.raises(ValueError, match="week or month, not 'day; drop"):
        admin.volume(worked[1], "day; drop")


def test_the_30_days_before_are_exactly_the_30_before_the_last_30(worked: Any) -> None:
    db, marts = worked
    # last 30: 17 February to 18 March; the 30 before: 18 January to 16 February
    for day, funded, released, refunded in (
        ("2026-01-17", 1, 1, 1),
        ("2026-01-18", 10, 20, 1),
        ("2026-02-16", 100, 200, 0),
        ("2026-02-17", 1000, 2000, 0),
    ):
        for kind, cents in (("funded", funded), ("released", released), ("refunded", refunded)):
            flow(db, day, kind, cents)
    db.close()
    before = admin.money_30_days_before(marts).iloc[0]
    assert (before["gsv_funded_30d"], before["gsv_released_30d"], before["gsv_net_30d"], before["complete"]) == (110, 220, 109, True)


@pytest.mark.parametrize(("first_day", "complete"), [("2026-01-18", True), ("2026-01-19", False), (None, False)])
def test_a_market_younger_than_60_days_has_no_30_days_before(first_day: str | None, complete: bool, worked: Any) -> None:
    db, marts = worked
    if first_day:
        flow(db, first_day, "funded", 1)
    db.close()
    assert bool(admin.money_30_days_before(marts).iloc[0]["complete"]) is complete


def test_take_rate_weighs_currencies_by_what_was_released(worked: Any) -> None:
    db, marts = worked
    flow(db, "2026-01-05", "fee_refund", 10)
    for currency, fee, released in (("USD", 10, 100), ("EUR", 60, 300)):
        flow(db, "2026-02-05", "fee", fee, currency)
        flow(db, "2026-02-05", "released", released, currency)
    db.close()
    found = admin.take_rate_monthly(marts)
    assert [(m.date(), r, d) for m, r, d in found.itertuples(index=False)] == [(date(2026, 2, 1), 0.175, 4.0)]


def test_fill_rate_of_a_month_is_that_of_its_jobs_whose_window_has_passed(worked: Any) -> None:
    db, marts = worked
    jobs(db, "2026-02-02", 8, mature=(7, 14), filled=2)
    jobs(db, "2026-02-23", 2, mature=(7,), filled=2)
    jobs(db, "2026-03-02", 4, mature=(7,), filled=4)
    db.close()
    found = [(m.date(), int(w), rate, jobs) for m, w, rate, jobs in admin.fill_rate_monthly(marts).itertuples(index=False)]
    assert found == [(date(2026, 2, 1), 7, 0.4, 10), (date(2026, 2, 1), 14, 0.25, 8)], "four jobs of March are too few"


def test_waiting_tells_both_curves_in_days(worked: Any) -> None:
    db, marts = worked
    db.execute("insert into admin.time_to_first_bid values (12, 0.25, 4, 3), (0, 1, 4, 0)")
    db.execute("insert into admin.time_to_hire values (0, 1, 4, 0), (48, 0.75, 4, 1)")
    db.close()
    assert [tuple(row) for row in admin.waiting(marts).itertuples(index=False)] == [
        ("first bid", 0.0, 0.0, 4, 0), ("first bid", 0.5, 0.75, 4, 3), ("hire", 0.0, 0.0, 4, 0), ("hire", 2.0, 0.25, 4, 1),
    ]  # fmt: skip


def test_freshness_puts_the_slowest_table_first_and_silent_ones_last(worked: Any) -> None:
    db, marts = worked
    db.execute("insert into admin.freshness values ('a', 1, now(), 2), ('b', 0, null, null), ('c', 5, now(), 90)")
    db.close()
    assert list(admin.freshness(marts)["table_name"]) == ["c", "a", "b"]


def test_a_new_publication_is_read_at_once_though_the_old_one_is_kept(worked: Any, tmp_path: Path) -> None:
    db, marts = worked
    flow(db, "2026-03-01", "funded", 5)
    db.close()
    assert admin.kpis(marts)["value"].iloc[0] == 5
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as again:
        flow(again, "2026-03-01", "funded", 1)
    newer = Published(f"{marts.publish_id}-newer", marts.path, marts.published_at)
    assert (admin.kpis(marts)["value"].iloc[0], admin.kpis(newer)["value"].iloc[0]) == (5, 6)


def test_on_the_sample_every_query_equals_the_marts_read_row_by_row(marts: Published) -> None:
    st.cache_data.clear()
    with marts_reader.open_read_only(marts.path) as db:
        days = db.execute("select day, funded_usd_minor, released_usd_minor, refunded_usd_minor from admin.gsv_daily").fetchall()
        take = db.execute("select month, net_fee_usd_minor, released_usd_minor from admin.take_rate_monthly").fetchall()
        opened = db.execute(
            "select opened_on, is_mature_7d, is_filled_7d, is_mature_14d, is_filled_14d, is_mature_30d, is_filled_30d from metrics.jobs"
        ).fetchall()
        overview = db.execute("select metric, value from admin.kpi_overview").fetchall()
        as_of = db.execute("select max(as_of) from admin.kpi_overview").fetchall()[0][0]
    cents: defaultdict[tuple[date, str], int] = defaultdict(int)
    for day, *amounts in days:
        if (as_of.year - day.year) * 12 + as_of.month - day.month <= 12:
            for measure, amount in zip(("funded", "released", "refunded"), amounts, strict=True):
                cents[day.replace(day=1), measure] += amount or 0
    volume = {(r.start.date(), r.measure): round(r.usd * 100) for r in admin.volume(marts, "month").itertuples()}
    # twelve months and the one at work, of which on its first day nothing may be told yet
    assert volume == dict(cents) and 36 <= len(volume) <= 39
    fees: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0])
    for month, fee, released in take:
        fees[month][0] += fee or 0
        fees[month][1] += released or 0
    rates = {r.month.date(): r.take_rate for r in admin.take_rate_monthly(marts).itertuples()}
    assert rates == {month: pytest.approx(fee / released, rel=1e-12) for month, (fee, released) in fees.items() if released}
    filled: defaultdict[tuple[date, int], list[int]] = defaultdict(lambda: [0, 0])
    for day, *windows in opened:
        for window, mature, done in zip((7, 14, 30), windows[::2], windows[1::2], strict=True):
            if mature:
                filled[day.replace(day=1), window][0] += 1
                filled[day.replace(day=1), window][1] += done
    fill = {(r.month.date(), r.window_days): (r.jobs, r.fill_rate) for r in admin.fill_rate_monthly(marts).itertuples()}
    assert fill == {key: (jobs, pytest.approx(done / jobs, rel=1e-12)) for key, (jobs, done) in filled.items() if jobs >= admin.ENOUGH_JOBS}
    # the same sixteen numbers, worked out by dbt
    assert {r.metric: r.value for r in admin.kpis(marts).itertuples()} == {
        name: pytest.approx(value, rel=1e-12, nan_ok=True) if value is not None else pytest.approx(float("nan"), nan_ok=True)
        for name, value in overview
    }


def test_the_figures_that_a_publication_has_ready_are_those_of_the_question(marts: Published) -> None:
    with marts_reader.open_read_only(marts.path) as db:
        ready = {name for (name,) in db.execute("select metric from _meta.answer").fetchall()}
        asked = {name: metric for name, metric in definitions(marts).items() if not metric.required}
        assert ready == asked.keys() and len(ready) >= 40
        for name, metric in asked.items():
            for by in ([], ["month"]) if metric.dimension("month") else ([],):
                found, asked_for = answer(db, metric, by), db.execute(*compile_question(metric, by)).to_arrow_table()
                assert found.schema == asked_for.schema and found.num_rows == asked_for.num_rows, (name, by)
                pairs = zip(found.to_pylist(), asked_for.to_pylist(), strict=True)
                assert all(near(ours[column], theirs[column]) for ours, theirs in pairs for column in ours), (name, by)


def near(one: Any, other: Any) -> bool:
    """The same; a sum of doubles may differ in its last digit, by the order in which threads met."""
    return bool(one == other) or (isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=1e-12))


def test_every_metric_leads_to_columns_and_runs_of_the_source(marts: Published) -> None:
    for name in definitions(marts):
        trace = meta.metric_trace(marts, name)
        assert trace.models[0].relation == trace.metric.relation and trace.models[-1].layer in ("raw", "seed", "staging"), name
        feeding = [run for run in trace.sources if run.feeds]
        assert feeding and all(run.high is not None and run.drift == 0 for run in feeding), name
        by_columns = {step.parent.split(".")[1] for step in trace.columns if step.parent.startswith("raw.")}
        assert {run.table for run in feeding} == by_columns | set(trace.metric.rows), name


def test_every_published_model_has_a_card_whose_parents_reach_the_source(marts: Published) -> None:
    with marts_reader.open_read_only(marts.path) as db:
        relations = [r for (r,) in db.execute("select relation from _meta.model where published and relation like 'admin.%'").fetchall()]
    assert len(relations) >= 8
    for relation in relations:
        card = meta.model_card(marts, relation)
        assert card.sql.strip() and card.description and len(card.tests) and len(card.columns), relation
        assert set(card.tests["status"]) == {"pass"}, relation
        raw = set(card.ancestors[card.ancestors["layer"] == "raw"]["relation"].str.split(".").str[1])
        extracted = {table for table in raw if not table.startswith("_")}  # the log's own tables have no runs
        assert raw and set(card.sources["table"]) == extracted and card.sources["table"].is_unique, relation


@pytest.mark.parametrize("relation", ["admin.nothing", "marts.fct_job", "admin.funnel' or '1' = '1"])
def test_what_was_not_published_has_no_card(relation: str, marts: Published) -> None:
    with pytest.raises(LookupError, match="is not among the published models"):
        meta.model_card(marts, relation)


@pytest.mark.parametrize(
    ("value", "unit", "currency", "text"),
    [
        (11318906.0, "minor", "USD", "$113,189"),
        (-150.0, "minor", "USD", "−$2"),
        (150.0, "minor", "EUR", "2 EUR"),
        (0.0, "minor", "USD", "$0"),
        (None, "minor", "USD", "—"),
        (float("nan"), "share", None, "—"),
        (0.10000016, "share", None, "10.0 %"),
        (47.96, "hours", None, "48.0 h"),
        (48.0, "hours", None, "2.0 days"),
        (1234.0, "count", None, "1,234"),
    ],
)
def test_numbers_are_written_for_people(value: float | None, unit: str, currency: str | None, text: str) -> None:
    assert figures.number_text(value, unit, currency) == text
