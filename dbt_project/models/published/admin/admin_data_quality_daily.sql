select
    day,
    cast(sum(row_count) as bigint) as row_count,
    cast(sum(delete_count) as bigint) as delete_count,
    cast(sum(repaired_count) as bigint) as repaired_count,
    cast(sum(runs_not_read) as bigint) as runs_not_read,
    max(slowest_seconds) as slowest_seconds
from {{ ref('fct_extraction_day') }}
group by day
