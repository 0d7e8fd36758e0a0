select
    cast(id as bigint) as dispute_id,
    cast(milestone_id as bigint) as milestone_id,
    cast(state as varchar) as state,
    cast(filer_id as bigint) as filer_id,
    cast(currency as varchar) as currency,
    cast(held_minor as bigint) as held_minor,
    cast(claimed_minor as bigint) as claimed_minor,
    cast(to_freelancer_minor as bigint) as to_freelancer_minor,
    cast(to_client_minor as bigint) as to_client_minor,
    cast(appellant_id as bigint) as appellant_id,
    cast(settled_by as varchar) as settled_by,
    cast(opened_at as timestamp) as opened_at,
    cast(responded_at as timestamp) as responded_at,
    cast(decide_by as timestamp) as decide_by,
    cast(late_at as timestamp) as late_at,
    cast(decided_at as timestamp) as decided_at,
    cast(settled_at as timestamp) as settled_at
from (
    {{ current_rows('disputes_dispute') }}
) as present
