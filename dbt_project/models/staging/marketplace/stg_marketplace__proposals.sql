{{ grows('proposal_id') }}

select
    cast(id as bigint) as proposal_id,
    cast(job_id as bigint) as job_id,
    cast(freelancer_id as bigint) as freelancer_id,
    cast(state as varchar) as state,
    cast(amount_minor as bigint) as amount_minor,
    cast(currency as varchar) as currency,
    cast(delivery_days as integer) as delivery_days,
    cast(submitted_at as timestamp) as submitted_at,
    cast(first_seen_at as timestamp) as first_seen_at,
    cast(shortlisted_at as timestamp) as shortlisted_at,
    cast(offered_at as timestamp) as offered_at,
    cast(decided_at as timestamp) as decided_at,
    {{ log_mark() }}
from (
    {{ current_rows('jobs_proposal') }}
) as present
