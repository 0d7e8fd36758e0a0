{#- Now: a freelancer with three skills stands under each of them. -#}
with wanted as (
    select links.skill_id, count(*) as open_jobs
    from {{ ref('stg_marketplace__job_skills') }} as links
    inner join {{ ref('fct_job') }} as jobs on jobs.job_id = links.job_id
    where jobs.in_market and jobs.state = 'open'
    group by links.skill_id
),

offered as (
    select claims.skill_id, count(*) as freelancers
    from {{ ref('stg_marketplace__freelancer_skills') }} as claims
    inner join {{ ref('stg_marketplace__freelancer_profiles') }} as profiles on profiles.freelancer_profile_id = claims.freelancer_profile_id
    inner join {{ ref('dim_freelancer') }} as freelancers on freelancers.freelancer_id = profiles.freelancer_id
    where freelancers.availability <> 'unavailable'
    group by claims.skill_id
)

select
    skills.skill_id,
    cast(coalesce(wanted.open_jobs, 0) as bigint) as open_jobs,
    cast(coalesce(offered.freelancers, 0) as bigint) as freelancers
from {{ ref('dim_skill') }} as skills
left join wanted on wanted.skill_id = skills.skill_id
left join offered on offered.skill_id = skills.skill_id
where coalesce(wanted.open_jobs, offered.freelancers) is not null
