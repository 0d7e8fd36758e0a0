{#-
  Machine decisions against an act: holds of the velocity rules on payments and payouts, job posts that were held instead of published, and
  payouts held for another reason (the first one, a new place). A hold that staff made is moderation, not this. A shadow rule holds nothing:
  it is counted so that its false-alarm rate is known before it may act.
  Outcome: upheld (somebody else refused the act), cleared (it went on), withdrawn (its owner or the clock ended it first), lapsed (nobody
  decided in time), open.
-#}
with velocity as (
    select
        'risk_hold' as decision_source, risk_hold_id as source_id, act, subject_id, user_id, rule, is_shadow, opened_at, decided_at,
        case state when 'refused' then 'upheld' when 'released' then 'cleared' when 'lapsed' then 'lapsed' else 'open' end as outcome
    from {{ ref('stg_marketplace__risk_holds') }}
),

ruled_on as (
    select distinct subject_id from {{ ref('stg_marketplace__risk_holds') }} where act = 'payout'
),

events as (
    select event_id, aggregate_type, aggregate_id, version, kind, actor_id, state_before, state_after, occurred_at
    from {{ ref('stg_marketplace__events') }}
    where aggregate_type in ('jobs.job', 'payments.payout')
),

held_events as (
    select
        held.event_id,
        held.aggregate_type,
        held.aggregate_id,
        held.occurred_at,
        min(next_events.version) as next_version
    from events as held
    left join events as next_events
        on next_events.aggregate_type = held.aggregate_type
        and next_events.aggregate_id = held.aggregate_id
        and next_events.version > held.version
        and next_events.state_before = held.state_after
        and next_events.state_after <> held.state_after
    left join ruled_on on ruled_on.subject_id = held.aggregate_id and held.kind = 'payout.hold'
    where (held.kind = 'job.hold' and held.state_before = 'draft') or (held.kind = 'payout.hold' and ruled_on.subject_id is null)
    group by held.event_id, held.aggregate_type, held.aggregate_id, held.occurred_at
),

holds as (
    select
        'event' as decision_source,
        held_events.event_id as source_id,
        case held_events.aggregate_type when 'jobs.job' then 'job_post' else 'payout' end as act,
        held_events.aggregate_id as subject_id,
        coalesce(jobs.client_id, payouts.payee_id) as user_id,
        case held_events.aggregate_type when 'jobs.job' then 'job_review' else coalesce(nullif(payouts.hold_reason, ''), 'payout_hold') end as rule,
        false as is_shadow,
        held_events.occurred_at as opened_at,
        ended.occurred_at as decided_at,
        case
            when ended.state_after is null then 'open'
            when ended.state_after in ('removed', 'failed') and ended.actor_id <> coalesce(jobs.client_id, payouts.payee_id) then 'upheld'
            when ended.state_after in ('removed', 'failed', 'closed') then 'withdrawn'
            else 'cleared'
        end as outcome
    from held_events
    left join events as ended
        on ended.aggregate_type = held_events.aggregate_type
        and ended.aggregate_id = held_events.aggregate_id
        and ended.version = held_events.next_version
    left join {{ ref('stg_marketplace__jobs') }} as jobs
        on jobs.job_id = case when held_events.aggregate_type = 'jobs.job' then held_events.aggregate_id end
    left join {{ ref('stg_marketplace__payouts') }} as payouts
        on payouts.payout_id = case when held_events.aggregate_type = 'payments.payout' then held_events.aggregate_id end
)

select
    decision_source || ':' || cast(source_id as {{ dbt.type_string() }}) as decision_id,
    decision_source,
    source_id,
    act,
    subject_id,
    user_id,
    rule,
    is_shadow,
    outcome,
    opened_at,
    decided_at,
    cast(opened_at as date) as opened_on,
    {{ seconds_between('opened_at', 'decided_at') }} as seconds_to_decision
from (
    select * from velocity
    union all
    select * from holds
) as decisions
