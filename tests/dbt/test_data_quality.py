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


def test_nothing_ran_yet(empty: Any) -> None:
    assert [empty.rows(f"admin.data_quality{part}") for part in ("", "_daily", "_findings")] == [[], [], []]
