with moment as (
    select max(last_run_at) as newest from {{ ref('dim_extracted_table') }}
),

brought as (
    select
        days.table_name,
        sum(days.row_count) as row_count,
        sum(days.delete_count) as delete_count,
        sum(days.repaired_count) as repaired_count,
        sum(days.runs_not_read) as runs_not_read
    from {{ ref('fct_extraction_day') }} as days
    cross join moment
    where cast(days.day as timestamp) > {{ plus_days('moment.newest', -7) }}
    group by days.table_name
),

found as (
    select findings.table_name, count(*) as findings
    from {{ ref('fct_quality_finding') }} as findings
    cross join moment
    where findings.known_at > {{ plus_days('moment.newest', -7) }}
    group by findings.table_name
)

select
    extracted.table_name,
    extracted.state,
    extracted.message,
    extracted.drift,
    extracted.last_run_at,
    extracted.last_read_at,
    extracted.last_change_at,
    cast(coalesce(brought.row_count, 0) as bigint) as rows_7d,
    cast(coalesce(brought.delete_count, 0) as bigint) as deletes_7d,
    cast(coalesce(brought.repaired_count, 0) as bigint) as repaired_7d,
    cast(coalesce(brought.runs_not_read, 0) as bigint) as runs_not_read_7d,
    cast(coalesce(found.findings, 0) as bigint) as findings_7d
from {{ ref('dim_extracted_table') }} as extracted
left join brought on brought.table_name = extracted.table_name
left join found on found.table_name = extracted.table_name
