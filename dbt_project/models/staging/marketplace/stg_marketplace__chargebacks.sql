select
    cast(id as bigint) as chargeback_id,
    cast(payment_id as bigint) as payment_id,
    cast(provider as varchar) as provider,
    cast(state as varchar) as state,
    cast(amount_minor as bigint) as amount_minor,
    cast(owed_minor as bigint) as owed_minor,
    cast(currency as varchar) as currency,
    cast(fee_minor as bigint) as fee_minor,
    cast(fee_currency as varchar) as fee_currency,
    cast(reason as varchar) as reason,
    cast(created_at as timestamp) as created_at,
    cast(settled_at as timestamp) as settled_at
from (
    {{ current_rows('payments_chargeback') }}
) as present
