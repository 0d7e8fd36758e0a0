{{ looks_on() }}

{#- Events of contracts and of their milestones, from the outbox; a view, since fct_event already holds the rows. -#}
with life as (
    select events.*, cast(null as bigint) as milestone_id, events.aggregate_id as contract_id
    from {{ ref('fct_event') }} as events
    where events.aggregate_type = 'contracts.contract'

    union all

    select events.*, milestones.milestone_id, milestones.contract_id
    from {{ ref('fct_event') }} as events
    left join {{ ref('stg_marketplace__milestones') }} as milestones on milestones.milestone_id = events.aggregate_id
    where events.aggregate_type = 'contracts.milestone'
)

select
    life.event_id,
    life.contract_id,
    life.milestone_id,
    life.version,
    life.kind,
    life.actor_id,
    case
        when life.actor_id is null then 'system'
        when life.actor_id = contracts.client_id then 'client'
        when life.actor_id = contracts.freelancer_id then 'freelancer'
        else 'staff'
    end as actor_side,
    life.state_before,
    life.state_after,
    life.occurred_at,
    life.occurred_on
from life
left join {{ ref('stg_marketplace__contracts') }} as contracts on contracts.contract_id = life.contract_id
