{{ looks_on() }}

{{ log_of('activity_view', {
    'cast(id as bigint)': 'view_id',
    'cast(user_id as bigint)': 'user_id',
    'cast(item_type as varchar)': 'item_type',
    'cast(item_id as bigint)': 'item_id'
}) }}
