{{ grows('view_id') }}

select
    cast(id as bigint) as view_id,
    cast(user_id as bigint) as user_id,
    cast(item_type as varchar) as item_type,
    cast(item_id as bigint) as item_id,
    cast(batch as varchar) as batch,
    cast(viewed_at as timestamp) as viewed_at,
    {{ log_mark() }}
from (
    {{ current_rows('activity_view') }}
) as present
