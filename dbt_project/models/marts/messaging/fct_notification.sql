{#- One event told to one person: in the inbox always, by e-mail when there is a letter. -#}
select
    items.inbox_item_id as notification_id,
    items.user_id,
    items.event_id,
    items.kind,
    letters.topic,
    coalesce(letters.state, 'none') as letter_state,
    letters.attempts as letter_attempts,
    items.read_at is not null as is_read,
    items.created_at,
    items.read_at,
    letters.due_at as letter_due_at,
    letters.sent_at as letter_sent_at,
    cast(items.created_at as date) as created_on,
    {{ seconds_between('items.created_at', 'items.read_at') }} as seconds_to_read
from {{ ref('stg_marketplace__inbox_items') }} as items
left join {{ ref('stg_marketplace__letters') }} as letters on letters.inbox_item_id = items.inbox_item_id
