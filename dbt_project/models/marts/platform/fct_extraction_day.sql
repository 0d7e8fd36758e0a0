select
    table_name,
    cast(known_at as date) as day,
    cast(count(*) as bigint) as runs,
    cast(sum(case when state <> 'read' then 1 else 0 end) as bigint) as runs_not_read,
    cast(sum(row_count) as bigint) as row_count,
    cast(sum(delete_count) as bigint) as delete_count,
    cast(sum(repaired_count) as bigint) as repaired_count,
    max(seconds) as slowest_seconds
from {{ ref('stg_platform__runs') }}
group by table_name, cast(known_at as date)
