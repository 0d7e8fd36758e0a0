{{ grows('event_id') }}

select
    cast(id as bigint) as event_id,
    cast(aggregate_type as varchar) as aggregate_type,
    cast(aggregate_id as bigint) as aggregate_id,
    cast(version as bigint) as version,
    cast(kind as varchar) as kind,
    cast(actor_id as bigint) as actor_id,
    {{ json_text('before', 'state') }} as state_before,
    {{ json_text('after', 'state') }} as state_after,
    cast(occurred_at as timestamp) as occurred_at,
    {{ log_mark() }}
from (
    {{ current_rows('core_event') }}
) as present
