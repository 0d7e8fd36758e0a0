select
    cast(id as bigint) as conversation_id,
    cast(job_id as bigint) as job_id,
    cast(client_id as bigint) as client_id,
    cast(freelancer_id as bigint) as freelancer_id,
    cast(created_at as timestamp) as created_at
from (
    {{ current_rows('messaging_conversation') }}
) as present
