select
    cast(id as bigint) as submission_id,
    cast(milestone_id as bigint) as milestone_id,
    cast(version as integer) as version,
    cast(submitted_at as timestamp) as submitted_at,
    cast(change_requested_at as timestamp) as change_requested_at
from (
    {{ current_rows('contracts_submission') }}
) as present
