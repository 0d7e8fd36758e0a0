select
    cast(run_seq as bigint) as run_seq,
    cast({{ adapter.quote('table') }} as varchar) as table_name,
    cast({{ adapter.quote('rows') }} as bigint) as row_count,
    cast(deletes as bigint) as delete_count,
    cast(repaired as bigint) as repaired_count,
    cast(drift as bigint) as drift,
    cast(seconds as double) as seconds,
    cast(state as varchar) as state,
    cast(message as varchar) as message,
    cast(known_at as timestamp) as known_at
from {{ source('platform', '_runs') }}
