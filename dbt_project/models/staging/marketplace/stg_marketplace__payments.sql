select
    cast(id as bigint) as payment_id,
    cast(provider as varchar) as provider,
    cast(state as varchar) as state,
    cast(payer_id as bigint) as payer_id,
    cast(amount_minor as bigint) as amount_minor,
    cast(received_minor as bigint) as received_minor,
    cast(currency as varchar) as currency,
    cast(purpose as varchar) as purpose,
    cast(purpose_id as bigint) as purpose_id,
    cast(capture as varchar) as capture,
    cast(failure_code as varchar) as failure_code,
    cast(created_at as timestamp) as created_at,
    cast(settled_at as timestamp) as settled_at
from (
    {{ current_rows('payments_payment') }}
) as present
