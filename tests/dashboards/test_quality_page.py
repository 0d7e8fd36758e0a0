"""The data-quality page when all is well, when tables need somebody, and before anything ran; the rest of it is the sample's publication."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards.components import figures
from pipelines.marts_reader import Published
from tests.conftest import REPO
from tests.dashboards.by_hand import emptied, publication

#: a relation and a row of it
Row = tuple[str, dict[str, Any]]
_NOW = datetime(2026, 11, 29, 20, 11, 5)
_COUNTS = {"rows_7d": 12, "deletes_7d": 3, "repaired_7d": 0, "runs_not_read_7d": 0, "findings_7d": 0}


@pytest.fixture(scope="module")
def blank(marts: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's publication in which no run is known."""
    file = tmp_path_factory.mktemp("quality") / "blank.duckdb"
    return emptied(marts, file, kept=("admin.kpi_overview", "admin.freshness"))


@pytest.fixture
def shown(tmp_path: Path, blank: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """shown(tables, opened, rows): the page over these tables, each as (name, state, message, drift), and rows of other relations, with the lineage of
    these keys opened; `older`: of a publication that does not keep what failed.
    """

    def page(tables: list[tuple[str, str, str | None, int]], *opened: str, rows: Sequence[Row] = (), older: bool = False) -> Any:
        home = Path(tempfile.mkdtemp(dir=tmp_path))
        file = Path(shutil.copyfile(blank, home / "by-hand.duckdb"))
        with duckdb.connect(str(file)) as db:
            for name, state, message, drift in tables:
                row = {"table_name": name, "state": state, "message": message, "drift": drift, "last_run_at": _NOW, "last_read_at": _NOW}
                put(db, "admin.data_quality", row | _COUNTS)
                day = {"day": date(2026, 11, 29), "row_count": 12, "delete_count": 3, "repaired_count": 0}
                put(db, "admin.data_quality_daily", day)
            for relation, row in rows:
                put(db, relation, row)
            if older:
                for relation in ("admin.data_quality_failed_tests", "admin.data_quality_failed_rounds"):
                    db.execute(f"DROP TABLE {relation}")
                    db.execute("DELETE FROM _meta.model WHERE relation = ?", [relation])
        publication(home / "published", "1", file)
        monkeypatch.setenv("OPENLANCE_VAR", str(home))
        st.cache_data.clear()
        app = AppTest.from_file(str(REPO / "dashboards" / "app_pages" / "admin" / "data_quality.py"), default_timeout=120)
        for key in opened:
            app.session_state[f"lineage-{key}"] = True
        app.run()
        assert not app.exception, app.exception
        return app

    return page


def put(db: duckdb.DuckDBPyConnection, relation: str, row: dict[str, Any]) -> None:
    db.execute(f"INSERT INTO {relation} BY NAME SELECT {', '.join(f'? AS {name}' for name in row)}", list(row.values()))


def states(page: Any) -> dict[str, str]:
    return dict(page.dataframe[0].value[["table_name", "state"]].itertuples(index=False))


def test_all_well_is_said_first(shown: Any) -> None:
    page = shown([("jobs_job", "read", None, 0), ("jobs_skill", "read", None, 0)])
    assert page.success[0].value == "All 2 source tables are read, and equal to the source as far as the last run could tell."
    assert (page.error.len, page.warning.len, states(page)) == (0, 0, {"jobs_job": "read", "jobs_skill": "read"})


def test_each_table_that_needs_somebody_is_named_once_with_what_helps(shown: Any) -> None:
    page = shown(
        [
            ("core_event", "read", None, 1),
            ("jobs_job", "read", None, 0),
            ("jobs_proposal", "quarantined", "jobs_proposal: set aside: deletes: 5 of 9 rows", 0),
            ("payments_payment", "stopped", "payments_payment: amount is missing", 0),
        ],
    )
    assert [warning.value for warning in page.warning] == [
        "**jobs_proposal** is set aside: deletes: 5 of 9 rows\n\nLet it in: `python -m pipelines.quality release jobs_proposal --reason …`"
    ]
    assert sorted(error.value for error in page.error) == [
        "**core_event** is drifting: the raw log differs from the source.\n\nRead it again: `python -m pipelines.extract.run --table core_event`",
        "**payments_payment** is stopped: amount is missing",
    ]
    assert states(page) == {
        "core_event": "✗ drifting",
        "jobs_job": "read",
        "jobs_proposal": "! set aside",
        "payments_payment": "✗ stopped",
    }
    assert not any("All" in told.value for told in page.success)


def test_before_the_first_run_the_page_says_what_to_do(shown: Any) -> None:
    page = shown([])
    assert page.info[0].value == "No run is known yet. Run `make pipeline`."
    assert (page.error.len, page.warning.len) == (0, 0)


def test_a_number_of_the_page_opens_what_it_is_made_of(shown: Any, marts: Published) -> None:
    closed, opened = (shown([("jobs_job", "read", None, 0)], *keys) for keys in ((), ("count-drifting",)))
    assert closed.code.len == 0, "what is not opened is not worked out"
    with duckdb.connect(str(marts.path), read_only=True) as db:
        [(sql, about)] = db.execute("SELECT sql, description FROM _meta.model WHERE relation = 'admin.data_quality'").fetchall()
    assert [code.value for code in opened.code] == [sql]
    assert f"**`admin.data_quality`** · {about}" in [told.value for told in opened.markdown]
    assert any(told.value.startswith("**staging** · ") for told in opened.markdown), "its parents"
    assert set(opened.table[-1].value["status"]) == {"pass"}


@pytest.mark.parametrize(("most", "marks"), [(0, 2), (1, 2), (9, 2), (10, 2), (11, 3), (44_000, 6), (10**7, 8)])
def test_a_logarithmic_axis_is_marked_at_powers_of_ten_up_to_the_longest_bar(most: int, marks: int) -> None:
    axis = figures.powers_of_ten(most)
    low, high = axis["range"]
    assert (axis["dtick"], axis["tick0"], low < 0 < high) == (1, 0, True)
    assert int(high) + 1 == marks and 10**high > most


def ago(minutes: float) -> datetime:
    return datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=minutes)


def failed_test(name: str, model: str, **more: Any) -> Row:
    quiet = {
        "failed_at": ago(90),
        "last_failed_at": ago(60),
        "passed_at": None,
        "build_count": 2,
        "row_count": 3,
        "message": "3 rows were found",
    }
    return "admin.data_quality_failed_tests", {"test_name": name, "model_name": model, **quiet, **more}


def failed_round(step: str, **more: Any) -> Row:
    quiet = {"failed_at": ago(34), "last_failed_at": ago(5), "succeeded_before_at": None, "succeeded_at": None, "round_count": 7}
    return "admin.data_quality_failed_rounds", {"step": step, **quiet, "seconds_without_success": 1740.0, "message": "why", **more}


def cards(page: Any) -> dict[str, str]:
    return {card.label: card.value for card in page.metric}


def listed(page: Any, column: str) -> pd.DataFrame:
    """The table of the page that has this column."""
    [found] = [table.value for table in page.dataframe if column in table.value]
    return found


def test_where_nothing_failed_the_page_says_so(shown: Any) -> None:
    page = shown([("jobs_job", "read", None, 0)])
    assert {"No test has failed.", "No round has failed."} <= {told.value for told in page.success}
    assert (cards(page)["Failed tests, 7 d"], cards(page)["Failed rounds, 7 d"]) == ("0", "0")
    assert (page.error.len, page.warning.len) == (0, 0)
    assert any("A failed round publishes nothing: the next good one brings it here." in told.value for told in page.caption)


def test_rounds_that_failed_until_this_publication_are_said_first_and_earlier_ones_are_listed(shown: Any) -> None:
    before = failed_round(
        "extract", failed_at=ago(9000), succeeded_before_at=ago(9100), succeeded_at=ago(8000), seconds_without_success=66_000.0
    )
    long_ago = failed_round("publish", failed_at=ago(30_000), last_failed_at=ago(29_000), succeeded_at=ago(28_000), round_count=100)
    page = shown([("jobs_job", "read", None, 0)], rows=[failed_round("build", message="2 tests failed"), before, long_ago])
    [warning] = page.warning
    assert warning.value.startswith(
        "Before this publication 7 rounds failed at **build**: 2 tests failed\n\nNo round had gone well for 34 min; "
    )
    assert warning.value.endswith("until this one did, readers kept the numbers of before.")
    table = listed(page, "step")
    assert table[["step", "round_count", "lasted"]].values.tolist() == [
        ["build", 7, "34 min"],
        ["extract", 7, "18.3 h"],
        ["publish", 100, "29 min"],
    ]
    assert table["succeeded_at"].notna().all(), "this publication is the good round"
    assert cards(page)["Failed rounds, 7 d"] == "14", "those of an earlier week are not counted"


def test_each_failed_test_is_listed_with_its_rows_and_one_that_still_fails_is_said_first(shown: Any, marts: Published) -> None:
    with duckdb.connect(str(marts.path), read_only=True) as db:
        asked = "SELECT test.value ->> 'name' FROM _meta.model, json_each(tests) AS test WHERE relation = 'admin.data_quality' LIMIT 1"
        [(name,)] = db.execute(asked).fetchall()
    page = shown(
        [("jobs_job", "read", None, 0)],
        rows=[
            failed_test(name, "admin_data_quality", failed_at=ago(50)),
            failed_test("build", "fct_job", failed_at=ago(60), last_failed_at=datetime(2026, 1, 1), row_count=0),
            failed_test("unique_x", "stg_x", failed_at=ago(70), passed_at=ago(55)),
            failed_test("unique_y", "stg_y", failed_at=ago(80)),
            failed_test("unique_z", "stg_z", failed_at=ago(20_000), last_failed_at=ago(19_000), passed_at=ago(18_000)),
        ],
    )
    table = listed(page, "test_name")
    assert table[["model_name", "test_name", "state", "row_count"]].values.tolist() == [
        ["admin_data_quality", name, "passes", 3],
        ["fct_job", "build", "passes", 0],
        ["stg_x", "unique_x", "passed", 3],
        ["stg_y", "unique_y", "✗ failing", 3],
        ["stg_z", "unique_z", "passed", 3],
    ]
    [error] = page.error
    assert error.value.startswith("**stg_y** fails `unique_y` since ") and error.value.endswith(": 3 rows were found")
    assert cards(page)["Failed tests, 7 d"] == "3"


def test_a_publication_of_before_failures_were_kept_is_shown_all_the_same(shown: Any) -> None:
    page = shown([("jobs_job", "read", None, 0)], older=True)
    assert [told.value for told in page.info].count("This publication was made before failures were kept. The next one shows them.") == 2
    assert "Failed tests, 7 d" not in cards(page) and states(page) == {"jobs_job": "read"}
