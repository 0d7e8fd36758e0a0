select
    cast(run_seq as bigint) as run_seq,
    cast(kind as varchar) as kind,
    cast(name as varchar) as name,
    cast(node as varchar) as node,
    cast(began_at as timestamp) as began_at,
    cast(last_at as timestamp) as last_at,
    cast(ended_at as timestamp) as ended_at,
    cast(times as bigint) as failure_count,
    cast(row_count as bigint) as row_count,
    cast(message as varchar) as message,
    cast(well_before_at as timestamp) as well_before_at,
    cast(known_at as timestamp) as known_at
from {{ source('platform', '_incidents') }}
