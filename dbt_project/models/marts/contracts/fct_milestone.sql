{#- held_minor is the balance of the hold account over all its postings, not the difference of the other three: so that they can disagree. -#}
with holds as (
    select account_id, milestone_id from {{ ref('stg_marketplace__ledger_accounts') }} where kind = 'hold'
),

balances as (
    select holds.milestone_id, sum(signed.amount_minor) as held_minor
    from (
        select credit_account_id as account_id, amount_minor from {{ ref('fct_posting') }}
        union all
        select debit_account_id, -amount_minor from {{ ref('fct_posting') }}
    ) as signed
    inner join holds on holds.account_id = signed.account_id
    group by holds.milestone_id
),

flows as (
    select
        milestone_id,
        sum(case when gsv_flow = 'funded' then amount_minor else 0 end) as funded_minor,
        sum(case when gsv_flow = 'released' then amount_minor else 0 end) as released_minor,
        sum(case when gsv_flow = 'refunded' then amount_minor else 0 end) as refunded_minor,
        sum(fee_minor) as fee_minor,
        sum(case when gsv_flow = 'released' then amount_usd_minor end) as released_usd_minor
    from {{ ref('fct_posting') }}
    where milestone_id is not null
    group by milestone_id
)

select
    milestones.milestone_id,
    milestones.contract_id,
    contracts.client_id,
    contracts.freelancer_id,
    milestones.position,
    milestones.state,
    milestones.currency,
    milestones.amount_minor,
    cast(coalesce(flows.funded_minor, 0) as bigint) as funded_minor,
    cast(coalesce(flows.released_minor, 0) as bigint) as released_minor,
    cast(coalesce(flows.refunded_minor, 0) as bigint) as refunded_minor,
    cast(coalesce(balances.held_minor, 0) as bigint) as held_minor,
    cast(coalesce(flows.fee_minor, 0) as bigint) as fee_minor,
    cast(flows.released_usd_minor as bigint) as released_usd_minor,
    milestones.due_at,
    milestones.funded_at,
    milestones.submitted_at,
    milestones.approved_at,
    milestones.approved_by_clock,
    milestones.released_at,
    milestones.cleared_at,
    milestones.refunded_at,
    milestones.resolved_at
from {{ ref('stg_marketplace__milestones') }} as milestones
left join {{ ref('stg_marketplace__contracts') }} as contracts on contracts.contract_id = milestones.contract_id
left join flows on flows.milestone_id = milestones.milestone_id
left join balances on balances.milestone_id = milestones.milestone_id
