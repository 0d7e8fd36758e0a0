"""What the data-quality mart tells of two runs, of which the second set a batch aside."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

FIRST, SECOND = datetime(2026, 3, 26), datetime(2026, 4, 1)


def table(name: str, **more: Any) -> dict[str, Any]:
    quiet = {"state": "read", "message": None, "drift": 0, "last_run_at": SECOND, "last_read_at": SECOND, "last_change_at": SECOND}
    return {"table_name": name, **quiet, **dict.fromkeys(("deletes_7d", "repaired_7d", "runs_not_read_7d", "findings_7d"), 0), **more}


def test_each_table_with_its_last_run_and_what_seven_days_brought(market: Any) -> None:
    assert market.rows("admin.data_quality") == [
        table("jobs_job", rows_7d=6, deletes_7d=1, repaired_7d=1),
        table(
            "jobs_proposal", state="quarantined", message="jobs_proposal: set aside", last_read_at=FIRST, last_change_at=FIRST,
            rows_7d=4, runs_not_read_7d=1, findings_7d=1,
        ),
    ]  # fmt: skip


def test_days_over_all_tables_and_findings_one_by_one(market: Any) -> None:
    counts = ("row_count", "delete_count", "repaired_count", "runs_not_read", "slowest_seconds")
    assert market.rows("admin.data_quality_daily") == [
        {"day": date(2026, 3, 26), **dict(zip(counts, (8, 0, 0, 0, 0.5), strict=True))},
        {"day": date(2026, 4, 1), **dict(zip(counts, (2, 1, 1, 1, 1.5), strict=True))},
    ]
    [finding] = market.rows("admin.data_quality_findings")
    assert (finding["table_name"], finding["check_name"], finding["column_name"], finding["row_count"]) == (
        "jobs_proposal",
        "nulls",
        "job_id",
        20,
    )


def test_what_failed_stands_once_as_the_newest_run_knows_it(market: Any) -> None:
    noon = datetime(2026, 3, 28, 12)
    assert market.rows("admin.data_quality_failed_tests") == [
        {
            "test_name": "unique_stg_job", "model_name": "stg_job", "failed_at": noon, "last_failed_at": noon.replace(hour=13),
            "passed_at": noon.replace(hour=14), "build_count": 2, "row_count": 4, "message": "why",
        },
    ]  # fmt: skip
    assert market.rows("admin.data_quality_failed_rounds") == [
        {
            "step": "build", "failed_at": noon, "last_failed_at": noon.replace(hour=13), "succeeded_before_at": noon.replace(hour=11),
            "succeeded_at": noon.replace(hour=14), "round_count": 2, "seconds_without_success": 3 * 3600.0, "message": "why",
        },
        {
            "step": "extract", "failed_at": datetime(2026, 3, 30), "last_failed_at": datetime(2026, 3, 31), "succeeded_before_at": None,
            "succeeded_at": None, "round_count": 5, "seconds_without_success": 86_400.0, "message": "the database cannot be reached",
        },
    ]  # fmt: skip


def test_nothing_ran_yet(empty: Any) -> None:
    relations = ("", "_daily", "_findings", "_failed_tests", "_failed_rounds")
    assert [empty.rows(f"admin.data_quality{part}") for part in relations] == [[]] * 5
