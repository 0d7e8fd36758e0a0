{{ grows('inbox_item_id') }}

select
    cast(id as bigint) as inbox_item_id,
    cast(user_id as bigint) as user_id,
    cast(event_id as bigint) as event_id,
    cast(kind as varchar) as kind,
    cast(created_at as timestamp) as created_at,
    cast(read_at as timestamp) as read_at,
    {{ log_mark() }}
from (
    {{ current_rows('notifications_inboxitem') }}
) as present
