"""That the project builds where it must, finds money that went astray, and repeats itself exactly."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from pipelines import data_tests
from pipelines.affected import Graph

LAYERS = ("reference", "staging", "intermediate", "marts", "features", "metrics", "admin", "client", "freelancer", "science")


def relations(warehouse: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every relation that dbt made, with its rows in a fixed order."""
    with duckdb.connect(str(warehouse), read_only=True) as db:
        names = db.execute("select table_schema || '.' || table_name from information_schema.tables where table_schema <> 'raw'").fetchall()
        return {name: db.execute(f"select * from {name} order by all").fetchall() for (name,) in names}


def test_an_empty_market_builds_and_says_so(empty: Any) -> None:
    everything = relations(empty.warehouse)
    assert {name.split(".")[0] for name in everything} == set(LAYERS)
    overview = {row["metric"]: row["value"] for row in empty.rows("admin.kpi_overview")}
    assert overview["gsv_funded"] == 0 and overview["take_rate"] is None and overview["median_hours_to_first_bid"] is None
    assert [row["count"] for row in empty.rows("admin.funnel")] == [0] * 6
    assert everything["science.feat_pairs"] == []


def test_every_unit_test_of_the_rules_was_run(empty: Any) -> None:
    ran = {r["unique_id"] for r in empty.results() if r["unique_id"].startswith("unit_test.") and r["status"] == "pass"}
    assert ran == set(empty.manifest()["unit_tests"]) and len(ran) >= 12


def test_every_node_has_its_parents_before_it_and_its_tests_say_without_dbt_what_they_say_to_dbt(
    market: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Graph.read(market.target / "manifest.json")
    order = list(graph.parents)
    assert set(order) == set(graph.names) and any(unique_id.startswith("seed.") for unique_id in order)
    assert all(order.index(parent) < order.index(one) for one, parents in graph.parents.items() for parent in parents & graph.names.keys())

    dbts = {result["unique_id"]: result for result in market.results()}
    tests = data_tests.known(market.manifest(), dbts, list(graph.names.values()), ())
    assert tests is not None and {test.unique_id for test in tests} >= {
        unique_id for unique_id, parents in graph.tests.items() if parents
    }, "none of them is left to dbt"
    monkeypatch.setenv("OPENLANCE_WAREHOUSE", str(market.warehouse))
    ours = {result["unique_id"]: (result["status"], result["failures"]) for result in data_tests.run(tests, {})}
    assert ours == {unique_id: (dbts[unique_id]["status"], dbts[unique_id]["failures"]) for unique_id in ours}


def test_building_the_same_log_twice_gives_the_same_rows(market: Any, market_again: Any) -> None:
    first, second = relations(market.warehouse), relations(market_again.warehouse)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_table_that_cannot_be_made_stays_as_it_was_and_one_takes_the_place_of_a_view(workshop: Any, market_again: Any) -> None:
    def bins(*statements: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(workshop.warehouse)) as db:
            for statement in statements:
                db.execute(statement)
            return db.execute("select * from metrics.match_bins order by all").fetchall()

    def made() -> bool:
        return workshop.dbt("run", "--select", "metrics_match_bins").returncode == 0

    bins("create table kept as select * from marts.fct_job_impression", "update marts.fct_job_impression set score = 0.5")
    assert made()
    before = bins()
    # the contract's table is made in two statements: this one ends the second
    assert before and bins("update marts.fct_job_impression set propensity = 1e30") == before
    assert not made()
    assert bins() == before

    restored = (
        "update marts.fct_job_impression as now set propensity = kept.propensity from kept where kept.impression_id = now.impression_id"
    )
    assert bins(restored, "drop table metrics.match_bins", "create view metrics.match_bins as select 1 as surface") == [(1,)]
    assert made() and bins() == before
    kinds = "select table_type from information_schema.tables where table_name like 'match_bins%'"
    with duckdb.connect(str(workshop.warehouse)) as db:
        assert db.execute(kinds).fetchall() == [("BASE TABLE",)]
        db.execute("update marts.fct_job_impression as now set score = kept.score from kept where kept.impression_id = now.impression_id")
        db.execute("drop table kept")
    assert made()


def test_a_minor_unit_astray_anywhere_is_found(workshop: Any, market_again: Any) -> None:
    """One unit too many in a raw posting of a fee, a milestone's hold, an entry's count, a payment's receipts and a payout's amount: each
    reconciliation tells its own."""
    with duckdb.connect(str(workshop.warehouse)) as db:
        db.execute("update raw.payments_posting set amount = amount + 1 where id = 5")
        db.execute("update marts.fct_milestone set held_minor = held_minor + 1 where milestone_id = 3")
        db.execute("update marts.fct_entry set posting_count = posting_count + 1 where entry_id = 1")
        db.execute("update marts.fct_payment set received_minor = received_minor + 1 where payment_id = 2")
        db.execute("update marts.fct_payout set amount_minor = amount_minor + 1 where payout_id = 1")
    run = workshop.dbt("test", "--select", "test_type:singular,path:tests/reconciliation")
    assert run.returncode == 1
    tests = [n for n in market_again.manifest()["nodes"].values() if n["resource_type"] == "test" and "test_metadata" not in n]
    singular = {n["name"] for n in tests if n["path"].startswith("reconciliation")}
    assert {name for name in singular if f"Failure in test {name}" in run.stdout} == singular
    assert len(singular) >= 7
