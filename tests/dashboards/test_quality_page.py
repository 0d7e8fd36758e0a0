"""The data-quality page when all is well, when tables need somebody, and before anything ran."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.conftest import REPO

_NOW = datetime(2026, 11, 29, 20, 11, 5)
_TABLES = """
CREATE SCHEMA admin; CREATE SCHEMA _meta;
CREATE TABLE admin.data_quality (table_name VARCHAR, state VARCHAR, message VARCHAR, drift BIGINT, last_run_at TIMESTAMP, last_read_at TIMESTAMP,
    last_change_at TIMESTAMP, rows_7d BIGINT, deletes_7d BIGINT, repaired_7d BIGINT, runs_not_read_7d BIGINT, findings_7d BIGINT);
CREATE TABLE admin.data_quality_daily (day DATE, row_count BIGINT, delete_count BIGINT, repaired_count BIGINT);
CREATE TABLE admin.data_quality_findings (known_at TIMESTAMP, table_name VARCHAR, column_name VARCHAR, check_name VARCHAR, severity VARCHAR,
    row_count BIGINT, measured DOUBLE, threshold DOUBLE, message VARCHAR);
CREATE TABLE _meta.model (layer VARCHAR, tests JSON);
"""


def shown(folder: Path, monkeypatch: pytest.MonkeyPatch, tables: list[tuple[str, str, str | None, int]]) -> Any:
    """The page over a publication of these tables: (name, state, message, drift)."""
    staff = folder / "published" / "staff"
    staff.mkdir(parents=True)
    with duckdb.connect(str(staff / "marts-1.duckdb")) as db:
        db.execute(_TABLES)
        for name, state, message, drift in tables:
            row = [name, state, message, drift, _NOW, _NOW, None, 12, 3, 0, 0, 0]
            db.execute(f"INSERT INTO admin.data_quality VALUES ({', '.join('?' * len(row))})", row)
            db.execute("INSERT INTO admin.data_quality_daily VALUES (?, 12, 3, 0)", [date(2026, 11, 29)])
    told = {"publish_id": "1", "file": "marts-1.duckdb", "published_at": "2026-11-29T20:11:05+00:00", "previous": []}
    (staff / "CURRENT.json").write_text(json.dumps(told))
    monkeypatch.setenv("OPENLANCE_VAR", str(folder))
    monkeypatch.setattr("dashboards.components.lineage.lineage_popover", lambda *_, **__: None)
    st.cache_data.clear()
    page = AppTest.from_file(str(REPO / "dashboards" / "app_pages" / "admin" / "data_quality.py"), default_timeout=120).run()
    assert not page.exception, page.exception
    return page


def states(page: Any) -> dict[str, str]:
    return dict(page.dataframe[0].value[["table_name", "state"]].itertuples(index=False))


def test_all_well_is_said_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = shown(tmp_path, monkeypatch, [("jobs_job", "read", None, 0), ("jobs_skill", "read", None, 0)])
    assert page.success[0].value == "All 2 source tables are read, and equal to the source as far as the last run could tell."
    assert (page.error.len, page.warning.len, states(page)) == (0, 0, {"jobs_job": "read", "jobs_skill": "read"})


def test_each_table_that_needs_somebody_is_named_once_with_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = shown(
        tmp_path,
        monkeypatch,
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


def test_before_the_first_run_the_page_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = shown(tmp_path, monkeypatch, [])
    assert page.info[0].value == "No run is known yet. Run `make pipeline`."
    assert (page.error.len, page.warning.len) == (0, 0)
