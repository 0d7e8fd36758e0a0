"""What the reader refuses, and that nothing a caller says is run as SQL. No database: questions are only compiled."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipelines.marts_reader import BadQuestion, Between, Dimension, Metric, MetricError, Published, metric, metrics
from pipelines.marts_reader.answers import answer
from pipelines.marts_reader.currencies import Rates, convert, with_viewer_minor
from pipelines.marts_reader.question import compile_question
from pipelines.publish.metrics import write_answers

DIMENSIONS = (
    Dimension("month", "date", "cast(date_trunc('month', day) as date)"),
    Dimension("side", "text", '"side"'),
    Dimension("age", "integer", '"age"'),
    Dimension("fresh", "boolean", '"fresh"'),
)


def definition(**more: Any) -> Metric:
    rules = dict.fromkeys(
        ("subject", "label", "description", "owner", "grain", "filter_rule", "currency_rule", "late_data_rule", "example"), "told"
    )
    base = {"name": "share", "relation": "t", "kind": "ratio", "terms": {"numerator": "sum(a)", "denominator": "sum(b)"}, "filter": "a > 0"}
    return Metric(**{**rules, **base, "unit": "share", "currency": "", "dimensions": DIMENSIONS, "required": (), "rows": {}, **more})


@pytest.fixture
def rows() -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    db.execute("create table t (day date, side varchar, age integer, fresh boolean, a bigint, b bigint)")
    db.execute(
        "insert into t values ('2026-01-05', 'one', 1, true, 1, 4), ('2026-01-31', 'two', 2, false, 2, 4), ('2026-02-01', null, 3, null, 3, 0)"
    )
    return db


@pytest.mark.parametrize(
    ("by", "where", "message"),
    [
        (["monht"], {}, r"share has no dimension 'monht'\. Did you mean month\? It has: month, side, age, fresh"),
        ([7], {}, "has no dimension 7"),
        (["day; drop table t"], {}, "has no dimension"),
        ("month", {}, r"`by` is a list of names: \['month'\]"),
        (["side", "side"], {}, "names a dimension twice"),
        ([], {"sid": "one"}, "Did you mean side"),
        ([], ["side"], "`where` maps names"),
        ([], {"side": 1}, "side is compared with text, not with 1"),
        ([], {"side": b"one"}, "side is compared with text"),
        ([], {"age": "1"}, "age is compared with a whole number, not with '1'"),
        ([], {"age": True}, "age is compared with a whole number"),
        ([], {"age": 2**63}, "age is compared with a whole number"),
        ([], {"fresh": 1}, "fresh is compared with True or False"),
        ([], {"month": "January"}, "month is compared with a date or its ISO text"),
        ([], {"month": datetime(2026, 1, 1)}, "month is compared with a date"),
        ([], {"side": []}, "the list for side is empty"),
        ([], {"side": ["one", 2]}, "side is compared with text, not with 2"),
        ([], {"month": Between()}, "neither `since` nor `until`"),
        ([], {"fresh": Between(since=True)}, "a range means nothing"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_what_can(by: Any, where: Any, message: str) -> None:
    with pytest.raises(BadQuestion, match=message):
        compile_question(definition(), by, where)


@pytest.mark.parametrize("where", [{}, {"side": ["one", "two"]}, {"side": None}, {"side": Between(since="a")}])
def test_what_must_be_held_apart_is_split_or_one_value(where: Any, rows: duckdb.DuckDBPyConnection) -> None:
    apart = definition(required=("side",))
    with pytest.raises(BadQuestion, match="cannot be put together over side"):
        compile_question(apart, [], where)
    for by, enough in ((["side"], where), ([], {"side": "one"}), ([], {"side": ["one"]})):
        sql, values = compile_question(apart, by, enough)
        assert rows.execute(sql, values).fetchall()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ({}, 6 / 8),
        ({"side": "one"}, 1 / 4),
        ({"side": {"one", "two"}}, 3 / 8),
        ({"side": None}, None),
        ({"month": "2026-01-01"}, 3 / 8),
        ({"month": date(2026, 2, 1)}, None),
        ({"month": Between("2026-01-01", "2026-02-01")}, 3 / 8),
        ({"age": Between(since=2)}, 5 / 4),
        ({"age": Between(until=2)}, 1 / 4),
        ({"fresh": True, "age": [1, 2]}, 1 / 4),
        ({"side": "one' or '1' = '1"}, None),
        ({"side": "one'; drop table t; --"}, None),
    ],
)
def test_conditions_choose_the_rows_they_name_and_are_never_sql(where: Any, value: float | None, rows: duckdb.DuckDBPyConnection) -> None:
    sql, values = compile_question(definition(), [], where)
    [(found, *_)] = rows.execute(sql, values).fetchall()
    assert found == value
    assert rows.execute("select count(*) from t").fetchall() == [(3,)]


JANUARY, PAST = date(2026, 1, 1), date(2026, 1, 3)
RATES = Rates("EUR", ((JANUARY, PAST, Decimal("0.5")), (PAST, date(9999, 12, 31), Decimal("0.9"))))


@pytest.mark.parametrize(
    ("minor", "rate", "found"),
    [
        (5, Decimal("0.5"), 2),
        (7, Decimal("0.5"), 4),
        (-5, Decimal("0.5"), -2),
        (10**18, Decimal("1.000000000000000001"), 10**18 + 1),
        (None, Decimal(1), None),
        (5, None, None),
    ],
)
def test_a_conversion_is_exact_and_halves_go_to_the_even_unit(minor: int | None, rate: Decimal | None, found: int | None) -> None:
    assert convert(minor, rate) == found


def test_a_figure_of_a_day_has_that_days_rate_and_others_the_newest() -> None:
    money = definition(name="money", kind="value", unit="minor", currency="USD")
    days = pa.table({"day": [date(2025, 12, 31), date(2026, 1, 2), PAST, None], "value": [100, 100, 100, 100]})
    assert with_viewer_minor(days, money, RATES, ["day"])["viewer_minor"].to_pylist() == [None, 50, 90, None]
    months = pa.table({"month": [JANUARY], "value": [100]})
    assert with_viewer_minor(months, money, RATES, ["month"])["viewer_minor"].to_pylist() == [90]


def test_a_publication_from_before_metrics_says_so(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "old.duckdb")) as db:
        db.execute("create schema _meta")
    old = Published("old", tmp_path / "old.duckdb", datetime(2026, 1, 1))
    for ask in (lambda: metrics(old), lambda: metric("share", published=old)):
        with pytest.raises(MetricError, match="before there were metrics"):
            ask()


def test_a_figure_is_the_publications_own_and_worked_out_again_when_file_or_question_changed(tmp_path: Path) -> None:
    def publication(name: str, part: str, metrics: list[Metric], earlier: Path | None) -> tuple[int, list[Any]]:
        """How many questions had to be worked out, and the answers over everything and by month; the rows are gone when they are read."""
        with duckdb.connect(str(tmp_path / name)) as db:
            db.execute("create schema _meta; create table t (a integer, b integer, hours double, happened boolean, day date)")
            db.execute("insert into t values (1, 4, 2.5, true, '2026-02-03'), (1, 1, 3, true, null), (2, 5, 1, true, '2026-01-31')")
            fresh = write_answers(db, metrics, {"t": part}, earlier)
            db.execute("delete from t")
            return fresh, [answer(db, metric, by).to_pylist() for metric in metrics if not metric.required for by in ([], ["month"])]

    january, february = date(2026, 1, 1), date(2026, 2, 1)
    share, apart = definition(), definition(name="apart", required=("side",))
    wait = definition(name="wait", kind="median_wait", terms={"hours": "hours", "happened": "happened"}, unit="hours")
    summed = definition(name="sum", kind="value", terms={"value": "sum(b)"}, unit="count")
    every = [share, wait, summed, apart]
    wanted = [
        [{"value": 0.4, "numerator": 4.0, "denominator": 10.0, "base_rows": 3}],
        [
            {"month": january, "value": 0.4, "numerator": 2.0, "denominator": 5.0, "base_rows": 1},
            {"month": february, "value": 0.25, "numerator": 1.0, "denominator": 4.0, "base_rows": 1},
            {"month": None, "value": 1.0, "numerator": 1.0, "denominator": 1.0, "base_rows": 1},
        ],
        [{"value": 2.5, "events": 3, "base_rows": 3}],
        [
            {"month": january, "value": 1.0, "events": 1, "base_rows": 1},
            {"month": february, "value": 2.5, "events": 1, "base_rows": 1},
            {"month": None, "value": 3.0, "events": 1, "base_rows": 1},
        ],
        [{"value": 10, "base_rows": 3}],
        [
            {"month": january, "value": 5, "base_rows": 1},
            {"month": february, "value": 4, "base_rows": 1},
            {"month": None, "value": 1, "base_rows": 1},
        ],
    ]
    assert publication("first", "part-1", every, None) == (6, wanted)
    assert publication("second", "part-1", every, tmp_path / "first") == (0, wanted)
    assert publication("third", "part-2", every, tmp_path / "second") == (6, wanted)
    counted = definition(name="sum", kind="value", terms={"value": "count(b)"}, unit="count")
    fresh, answers = publication("fourth", "part-2", [share, wait, counted], tmp_path / "third")
    assert (fresh, answers[:4], answers[4]) == (2, wanted[:4], [{"value": 3, "base_rows": 3}])
    with duckdb.connect(str(tmp_path / "fourth")) as db:
        assert answer(db, summed).to_pylist() == [{"value": None, "base_rows": 0}], "a question that it did not answer is asked of the rows"
        assert answer(db, counted, where={"month": january}).to_pylist() == [{"value": 0, "base_rows": 0}]
