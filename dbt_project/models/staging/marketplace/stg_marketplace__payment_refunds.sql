select
    cast(id as bigint) as payment_refund_id,
    cast(payment_id as bigint) as payment_id,
    cast(provider as varchar) as provider,
    cast(state as varchar) as state,
    cast(amount_minor as bigint) as amount_minor,
    cast(currency as varchar) as currency,
    cast(failure_code as varchar) as failure_code,
    cast(created_at as timestamp) as created_at,
    cast(settled_at as timestamp) as settled_at
from (
    {{ current_rows('payments_paymentrefund') }}
) as present
