with money as (
    select
        contract_id,
        count(*) as milestones,
        sum(funded_minor) as funded_minor,
        sum(released_minor) as released_minor,
        sum(refunded_minor) as refunded_minor,
        sum(held_minor) as held_minor,
        sum(fee_minor) as fee_minor,
        sum(released_usd_minor) as released_usd_minor
    from {{ ref('fct_milestone') }}
    group by contract_id
)

select
    contracts.contract_id,
    contracts.job_id,
    contracts.proposal_id,
    contracts.client_id,
    contracts.freelancer_id,
    contracts.state,
    contracts.pricing,
    contracts.currency,
    contracts.payee_currency,
    contracts.total_minor,
    cast(coalesce(money.milestones, 0) as bigint) as milestones,
    cast(coalesce(money.funded_minor, 0) as bigint) as funded_minor,
    cast(coalesce(money.released_minor, 0) as bigint) as released_minor,
    cast(coalesce(money.refunded_minor, 0) as bigint) as refunded_minor,
    cast(coalesce(money.held_minor, 0) as bigint) as held_minor,
    cast(coalesce(money.fee_minor, 0) as bigint) as fee_minor,
    cast(money.released_usd_minor as bigint) as released_usd_minor,
    contracts.offered_at,
    contracts.started_at,
    contracts.ended_at
from {{ ref('stg_marketplace__contracts') }} as contracts
left join money on money.contract_id = contracts.contract_id
