select
    cast(id as bigint) as client_profile_id,
    cast(user_id as bigint) as client_id,
    cast(payment_verified as boolean) as is_payment_verified,
    cast(import_source as varchar) as import_source,
    cast(created_at as timestamp) as client_since
from (
    {{ current_rows('accounts_clientprofile') }}
) as present
