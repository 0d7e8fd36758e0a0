"""What the data-quality page reads: the marts of the platform's own runs, and the tests that dbt ran before this publication."""

from __future__ import annotations

import pandas as pd

from pipelines.marts_reader import Published

from . import query

#: findings that the page lists
NEWEST_FINDINGS = 200


def tables(marts: Published) -> pd.DataFrame:
    """One row a table, those that need somebody first: table_name, state, message, drift, last_run_at, last_change_at and counts of 7 days."""
    return query(
        marts,
        """
        select table_name, state, message, drift, last_run_at, last_read_at, last_change_at, rows_7d, deletes_7d, repaired_7d, runs_not_read_7d, findings_7d
        from admin.data_quality order by state = 'read' and drift = 0, findings_7d desc, table_name
        """,
    )


def daily(marts: Published) -> pd.DataFrame:
    """day, measure (rows, deletes, repaired), count: the newest 30 days with a run."""
    return query(
        marts,
        """
        unpivot (
            select day, row_count as "rows", delete_count as deletes, repaired_count as repaired from admin.data_quality_daily order by day desc limit 30
        ) on "rows", deletes, repaired into name measure value "count" order by day, measure
        """,
    )


def findings(marts: Published) -> pd.DataFrame:
    """The newest findings first: known_at, table_name, column_name, check_name, severity, row_count, measured, threshold, message."""
    return query(
        marts,
        f"""
        select known_at, table_name, column_name, check_name, severity, row_count, measured, threshold, message
        from admin.data_quality_findings order by known_at desc, table_name, check_name, column_name limit {NEWEST_FINDINGS}
        """,
    )


def tests(marts: Published) -> pd.DataFrame:
    """Tests of all models behind this publication by layer: layer, tests, passed, warned, not_passed; each test once a layer."""
    return query(
        marts,
        """
        with each as (
            select distinct model.layer, test.value ->> 'name' as name, test.value ->> 'status' as status
            from _meta.model as model, json_each(model.tests) as test
        )
        select
            layer, count(*)::bigint as tests, count(*) filter (where status in ('pass', 'success'))::bigint as passed,
            count(*) filter (where status = 'warn')::bigint as warned, count(*) filter (where status not in ('pass', 'success', 'warn'))::bigint as not_passed
        from each group by layer order by layer
        """,
    )
