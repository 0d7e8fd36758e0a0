select
    cast(run_seq as bigint) as run_seq,
    cast({{ adapter.quote('table') }} as varchar) as table_name,
    cast({{ adapter.quote('check') }} as varchar) as check_name,
    cast({{ adapter.quote('column') }} as varchar) as column_name,
    cast(severity as varchar) as severity,
    cast({{ adapter.quote('value') }} as double) as measured,
    cast(threshold as double) as threshold,
    cast({{ adapter.quote('rows') }} as bigint) as row_count,
    cast(message as varchar) as message,
    cast(known_at as timestamp) as known_at
from {{ source('platform', '_findings') }}
