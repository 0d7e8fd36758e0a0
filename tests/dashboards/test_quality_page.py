"""The data-quality page when all is well, when tables need somebody, and before anything ran; the rest of it is the sample's publication."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards.components import figures
from pipelines.marts_reader import Published
from tests.conftest import REPO
from tests.dashboards.by_hand import emptied, publication

_NOW = datetime(2026, 11, 29, 20, 11, 5)
_COUNTS = {"rows_7d": 12, "deletes_7d": 3, "repaired_7d": 0, "runs_not_read_7d": 0, "findings_7d": 0}


@pytest.fixture(scope="module")
def blank(marts: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's publication in which no run is known."""
    file = tmp_path_factory.mktemp("quality") / "blank.duckdb"
    return emptied(marts, file, kept=("admin.kpi_overview", "admin.freshness"))


@pytest.fixture
def shown(tmp_path: Path, blank: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """shown(tables, opened): the page over these tables, each as (name, state, message, drift), with the lineage of these keys opened."""

    def page(tables: list[tuple[str, str, str | None, int]], *opened: str) -> Any:
        home = Path(tempfile.mkdtemp(dir=tmp_path))
        file = Path(shutil.copyfile(blank, home / "by-hand.duckdb"))
        with duckdb.connect(str(file)) as db:
            for name, state, message, drift in tables:
                row = {"table_name": name, "state": state, "message": message, "drift": drift, "last_run_at": _NOW, "last_read_at": _NOW}
                put(db, "admin.data_quality", row | _COUNTS)
                day = {"day": date(2026, 11, 29), "row_count": 12, "delete_count": 3, "repaired_count": 0}
                put(db, "admin.data_quality_daily", day)
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
