select
    cast(id as bigint) as milestone_id,
    cast(contract_id as bigint) as contract_id,
    cast(position as integer) as position,
    cast(state as varchar) as state,
    cast(amount_minor as bigint) as amount_minor,
    cast(currency as varchar) as currency,
    cast(due_at as timestamp) as due_at,
    cast(funded_at as timestamp) as funded_at,
    cast(started_at as timestamp) as started_at,
    cast(submitted_at as timestamp) as submitted_at,
    cast(approved_at as timestamp) as approved_at,
    cast(approved_by_clock as boolean) as approved_by_clock,
    cast(released_at as timestamp) as released_at,
    cast(cleared_at as timestamp) as cleared_at,
    cast(refunded_at as timestamp) as refunded_at,
    cast(resolved_at as timestamp) as resolved_at
from (
    {{ current_rows('contracts_milestone') }}
) as present
