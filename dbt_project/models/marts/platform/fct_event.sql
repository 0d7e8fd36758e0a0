{{ grows('event_id', lives_in='stg_marketplace__events') }}

select
    event_id, aggregate_type, aggregate_id, version, kind, actor_id, state_before, state_after, occurred_at,
    cast(occurred_at as date) as occurred_on, log_run
from {{ ref('stg_marketplace__events') }} as events
{{ if_changed('events') }}
