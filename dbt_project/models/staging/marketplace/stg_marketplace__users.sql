select
    cast(id as bigint) as user_id,
    cast(country as varchar) as country,
    cast(time_zone as varchar) as time_zone,
    cast(language as varchar) as language,
    cast(display_currency as varchar) as display_currency,
    cast(is_active as boolean) as is_active,
    cast(is_staff as boolean) as is_staff,
    cast(date_joined as timestamp) as joined_at
from (
    {{ current_rows('accounts_user') }}
) as present
