with clients as (
    select entity_id, sum(jobs_ended) as jobs_ended, sum(jobs_filled) as jobs_filled
    from {{ ref('feat_client_events') }}
    group by entity_id
),

received as (
    select entity_id, sum(proposals) as proposals
    from {{ ref('feat_job_events') }}
    group by entity_id
)

select
    jobs.job_id,
    jobs.state,
    jobs.skills,
    jobs.category_id,
    coalesce(owners.country, '') as country,
    owners.zone_hours,
    coalesce(jobs.experience_level, '') as level,
    jobs.pricing = 'hourly' as hourly,
    jobs.budget_usd_minor,
    {{ hire_rate('coalesce(clients.jobs_filled, 0)', 'coalesce(clients.jobs_ended, 0)') }} as client_hire_rate,
    cast(coalesce(received.proposals, 0) as bigint) as proposals,
    jobs.opened_at,
    jobs.job_text as text
from {{ ref('fct_job') }} as jobs
left join {{ ref('dim_client') }} as owners on owners.client_id = jobs.client_id
left join clients on clients.entity_id = jobs.client_id
left join received on received.entity_id = jobs.job_id
where jobs.opened_at is not null and jobs.visibility = 'public'
