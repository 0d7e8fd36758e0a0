{{ grows('event_id') }}

select
    cast(id as bigint) as event_id,
    cast(aggregate_type as varchar) as aggregate_type,
    cast(aggregate_id as bigint) as aggregate_id,
    cast(version as bigint) as version,
    cast(kind as varchar) as kind,
    cast(actor_id as bigint) as actor_id,
    cast(state_before as varchar) as state_before,
    cast(state_after as varchar) as state_after,
    cast(occurred_at as timestamp) as occurred_at,
    {{ log_mark() }}
from (
    {{ current_rows('core_event') }}
) as present
