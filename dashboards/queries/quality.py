"""What the data-quality page reads: the marts of the platform's own runs, and the tests that dbt ran before this publication."""

from __future__ import annotations

from datetime import UTC

import pandas as pd

from pipelines.marts_reader import Published

from . import query

#: findings that the page lists, failed tests, and failures of rounds
NEWEST_FINDINGS = NEWEST_FAILURES = 200


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


def tells_of_failures(marts: Published) -> bool:
    """Whether the publication has what failed: one that was made by older code does not."""
    return (
        len(
            query(
                marts,
                "select 1 from _meta.model where published and relation in ('admin.data_quality_failed_tests', 'admin.data_quality_failed_rounds')",
            )
        )
        == 2
    )


def failed_tests(marts: Published) -> pd.DataFrame:
    """Newest first: state, model_name, test_name, row_count, build_count, failed_at, last_failed_at, passed_at, message.

    `state` is passed, now (it passed with this publication, which its mart could not know yet) or failing.
    """
    return query(
        marts,
        f"""
        with asked as (
            select test.value ->> 'name' as name, bool_and(test.value ->> 'status' in ('pass', 'success', 'warn')) as passed
            from _meta.model as model, json_each(model.tests) as test group by all
        )
        select
            case
                when failed.passed_at is not null then 'passed'
                when asked.passed or (failed.test_name = 'build' and try_cast(model.built_at as timestamp) > failed.last_failed_at) then 'now'
                else 'failing'
            end as state,
            failed.model_name, failed.test_name, failed.row_count, failed.build_count, failed.failed_at, failed.last_failed_at, failed.passed_at, failed.message
        from admin.data_quality_failed_tests as failed
        left join asked on asked.name = failed.test_name
        left join _meta.model as model on model.name = failed.model_name
        order by failed.failed_at desc, failed.model_name, failed.test_name limit {NEWEST_FAILURES}
        """,
    )


def failed_rounds(marts: Published) -> pd.DataFrame:
    """Newest first: step, round_count, message, failed_at, last_failed_at, succeeded_before_at, succeeded_at, seconds, now.

    `now`: the round that made this publication is the one that went well again, which its mart could not know yet; `seconds` without a good round
    and `succeeded_at` are then those until the publication.
    """
    return query(
        marts,
        f"""
        select
            step, round_count, message, failed_at, last_failed_at, succeeded_before_at, coalesce(succeeded_at, ?) as succeeded_at,
            case when succeeded_at is null then epoch(?) - epoch(coalesce(succeeded_before_at, failed_at)) else seconds_without_success end as seconds,
            succeeded_at is null as now
        from admin.data_quality_failed_rounds order by failed_at desc, step limit {NEWEST_FAILURES}
        """,
        [marts.published_at.astimezone(UTC).replace(tzinfo=None)] * 2,
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
