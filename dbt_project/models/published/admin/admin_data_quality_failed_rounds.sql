select
    name as step,
    began_at as failed_at,
    last_at as last_failed_at,
    well_before_at as succeeded_before_at,
    ended_at as succeeded_at,
    failure_count as round_count,
    {{ seconds_between('coalesce(well_before_at, began_at)', 'coalesce(ended_at, last_at)') }} as seconds_without_success,
    message
from {{ ref('fct_quality_incident') }}
where kind = 'round'
