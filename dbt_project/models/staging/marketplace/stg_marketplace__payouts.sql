select
    cast(id as bigint) as payout_id,
    cast(provider as varchar) as provider,
    cast(state as varchar) as state,
    cast(payee_id as bigint) as payee_id,
    cast(amount_minor as bigint) as amount_minor,
    cast(currency as varchar) as currency,
    cast(failure_code as varchar) as failure_code,
    cast(hold_reason as varchar) as hold_reason,
    cast(held_until as timestamp) as held_until,
    cast(created_at as timestamp) as created_at,
    cast(sent_at as timestamp) as sent_at,
    cast(settled_at as timestamp) as settled_at
from (
    {{ current_rows('payments_payout') }}
) as present
