{{ grows('message_id') }}

select
    cast(id as bigint) as message_id,
    cast(conversation_id as bigint) as conversation_id,
    cast(seq as bigint) as seq,
    cast(author_id as bigint) as author_id,
    cast(sent_at as timestamp) as sent_at,
    {{ log_mark() }}
from (
    {{ current_rows('messaging_message') }}
) as present
