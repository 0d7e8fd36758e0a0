select
    cast(id as bigint) as contract_id,
    cast(job_id as bigint) as job_id,
    cast(proposal_id as bigint) as proposal_id,
    cast(client_id as bigint) as client_id,
    cast(freelancer_id as bigint) as freelancer_id,
    cast(state as varchar) as state,
    cast(pricing as varchar) as pricing,
    cast(currency as varchar) as currency,
    cast(payee_currency as varchar) as payee_currency,
    cast(total_minor as bigint) as total_minor,
    cast(fee_schedule as varchar) as fee_schedule,
    cast(offered_at as timestamp) as offered_at,
    cast(started_at as timestamp) as started_at,
    cast(ended_at as timestamp) as ended_at
from (
    {{ current_rows('contracts_contract') }}
) as present
