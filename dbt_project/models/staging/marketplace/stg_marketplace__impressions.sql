{{ grows('impression_id') }}

select
    cast(id as bigint) as impression_id,
    cast(batch as varchar) as batch,
    cast(user_id as bigint) as user_id,
    cast(surface as varchar) as surface,
    cast(item_type as varchar) as item_type,
    cast(item_id as bigint) as item_id,
    cast(position as bigint) as position,
    cast(propensity as double) as propensity,
    cast(score as double) as score,
    cast(ranking as varchar) as ranking,
    cast(shown_at as timestamp) as shown_at,
    {{ log_mark() }}
from (
    {{ current_rows('activity_impression') }}
) as present
