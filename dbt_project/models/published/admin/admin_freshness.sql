select
    loads.table_name,
    loads.logged_rows,
    loads.last_run_seq,
    loads.last_known_at,
    loads.last_source_change_at,
    {{ seconds_between('loads.last_source_change_at', 'loads.last_known_at') }} as lag_seconds,
    moment.as_of
from {{ ref('stg_marketplace__loads') }} as loads
cross join {{ ref('int_as_of') }} as moment
