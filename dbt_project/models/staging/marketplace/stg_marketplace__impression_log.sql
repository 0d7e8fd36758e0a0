{{ looks_on() }}

{{ log_of('activity_impression', {
    'cast(id as bigint)': 'impression_id',
    'cast(user_id as bigint)': 'user_id',
    'cast(item_type as varchar)': 'item_type',
    'cast(item_id as bigint)': 'item_id'
}) }}
