with released as (
    select
        contracts.client_id,
        contracts.freelancer_id,
        {{ first_day('month', 'postings.occurred_on') }} as month,
        postings.amount_usd_minor
    from {{ ref('fct_posting') }} as postings
    left join {{ ref('fct_milestone') }} as milestones on milestones.milestone_id = postings.milestone_id
    inner join {{ ref('fct_contract') }} as contracts on contracts.contract_id = coalesce(postings.contract_id, milestones.contract_id)
    where postings.gsv_flow = 'released' and postings.amount_usd_minor is not null
),

sides as (
    select 'client' as side, client_id as party_id, month, amount_usd_minor from released
    union all
    select 'freelancer', freelancer_id, month, amount_usd_minor from released
)

select side, party_id, month, cast(sum(amount_usd_minor) as bigint) as released_usd_minor
from sides
where party_id is not null
group by side, party_id, month
