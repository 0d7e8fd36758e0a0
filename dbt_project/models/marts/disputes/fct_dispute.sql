{#- filer_share_minor: what the side that filed got of the held money. Small claims skip the evidence stage (at most 100 USD held). -#}
select
    disputes.dispute_id,
    disputes.milestone_id,
    milestones.contract_id,
    contracts.client_id,
    contracts.freelancer_id,
    disputes.state,
    case when disputes.filer_id = contracts.client_id then 'client' else 'freelancer' end as filer_side,
    case
        when disputes.appellant_id = contracts.client_id then 'client'
        when disputes.appellant_id is not null then 'freelancer'
    end as appellant_side,
    disputes.settled_by,
    disputes.currency,
    disputes.held_minor,
    {{ to_usd_minor('disputes.held_minor', 'rates.factor') }} as held_usd_minor,
    {{ to_usd_minor('disputes.held_minor', 'rates.factor') }} <= 10000 as is_small_claim,
    coalesce(disputes.claimed_minor, disputes.held_minor) as claimed_minor,
    disputes.to_freelancer_minor,
    disputes.to_client_minor,
    case when disputes.settled_at is not null
        then case when disputes.filer_id = contracts.client_id then disputes.to_client_minor else disputes.to_freelancer_minor end
    end as filer_share_minor,
    disputes.late_at is not null as was_late,
    disputes.opened_at,
    disputes.responded_at,
    disputes.decided_at,
    disputes.settled_at,
    cast(disputes.opened_at as date) as opened_on,
    {{ seconds_between('disputes.opened_at', 'disputes.responded_at') }} as seconds_to_response,
    {{ seconds_between('disputes.opened_at', 'disputes.settled_at') }} as seconds_to_settlement
from {{ ref('stg_marketplace__disputes') }} as disputes
left join {{ ref('stg_marketplace__milestones') }} as milestones on milestones.milestone_id = disputes.milestone_id
left join {{ ref('stg_marketplace__contracts') }} as contracts on contracts.contract_id = milestones.contract_id
{{ join_usd_rate('rates', 'disputes.currency', 'cast(disputes.opened_at as date)') }}
