with started as (
    select client_id, freelancer_id, started_at from {{ ref('fct_contract') }} where started_at is not null
),

again as (
    select contracts.contract_id, min(started.started_at) as rehired_at
    from {{ ref('fct_contract') }} as contracts
    inner join started
        on started.client_id = contracts.client_id
        and started.freelancer_id = contracts.freelancer_id
        and started.started_at > contracts.ended_at
    where contracts.state = 'completed'
    group by contracts.contract_id
)

select
    contracts.contract_id,
    contracts.job_id,
    contracts.client_id,
    contracts.freelancer_id,
    coalesce(categories.category_slug, '') as category,
    contracts.pricing,
    contracts.currency,
    contracts.state,
    cast(contracts.started_at as date) as started_on,
    cast(contracts.ended_at as date) as ended_on,
    coalesce(contracts.state = 'completed' and {{ plus_days('contracts.ended_at', 180) }} <= moment.as_of, false) as is_due_180d,
    coalesce(again.rehired_at <= {{ plus_days('contracts.ended_at', 180) }}, false) as is_rehired_180d
from {{ ref('fct_contract') }} as contracts
cross join {{ ref('int_as_of') }} as moment
left join again on again.contract_id = contracts.contract_id
left join {{ ref('fct_job') }} as jobs on jobs.job_id = contracts.job_id
left join {{ ref('dim_category') }} as categories on categories.category_id = jobs.category_id
