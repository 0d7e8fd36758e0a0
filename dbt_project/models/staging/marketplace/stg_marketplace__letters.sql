select
    cast(id as bigint) as letter_id,
    cast(item_id as bigint) as inbox_item_id,
    cast(user_id as bigint) as user_id,
    cast(topic as varchar) as topic,
    cast(state as varchar) as state,
    cast(attempts as integer) as attempts,
    cast(due_at as timestamp) as due_at,
    cast(sent_at as timestamp) as sent_at
from (
    {{ current_rows('notifications_letter') }}
) as present
