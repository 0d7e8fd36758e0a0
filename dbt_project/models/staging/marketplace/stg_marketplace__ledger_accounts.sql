select
    cast(id as bigint) as account_id,
    cast(key as varchar) as account_key,
    cast(kind as varchar) as kind,
    cast(currency as varchar) as currency,
    cast(user_id as bigint) as user_id,
    cast(milestone_id as bigint) as milestone_id,
    cast(processor as varchar) as processor
from (
    {{ current_rows('payments_account') }}
) as present
