{{ grows('sign_in_id') }}

select
    cast(id as bigint) as sign_in_id,
    cast(user_id as bigint) as user_id,
    cast(device as varchar) as device,
    cast({{ adapter.quote('at') }} as timestamp) as signed_in_at,
    {{ log_mark() }}
from (
    {{ current_rows('accounts_signin') }}
) as present
