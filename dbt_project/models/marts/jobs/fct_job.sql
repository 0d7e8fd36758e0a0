{#-
  in_market: the jobs that market metrics speak of: published to everybody here, not imported (their clients cannot hire) and not removed by
  moderation. watched_until: when the job ended, or the newest instant known while it is open; a waiting job is censored then, not dropped.
-#}
with skills as (
    select job_id, {{ list_of('skill_id', 'skill_id') }} as skills
    from {{ ref('stg_marketplace__job_skills') }}
    group by job_id
),

bids as (
    select job_id, min(submitted_at) as first_bid_at, count(*) as proposals
    from {{ ref('stg_marketplace__proposals') }}
    group by job_id
),

hires as (
    select job_id, min(started_at) as hired_at
    from {{ ref('stg_marketplace__contracts') }}
    where started_at is not null
    group by job_id
),

priced as (
    select
        *,
        case
            when budget_min_minor is not null and budget_max_minor is not null
                then {{ round_half_even('cast(budget_min_minor + budget_max_minor as decimal(20, 1)) / 2') }}
            else coalesce(budget_min_minor, budget_max_minor)
        end as budget_middle_minor
    from {{ ref('stg_marketplace__jobs') }}
)

select
    jobs.job_id,
    jobs.client_id,
    jobs.category_id,
    jobs.state,
    jobs.pricing,
    jobs.visibility,
    jobs.experience_level,
    jobs.title,
    trim(jobs.title || ' ' || jobs.description) as job_text,
    jobs.currency,
    jobs.budget_min_minor,
    jobs.budget_max_minor,
    jobs.budget_middle_minor,
    {{ to_usd_minor('jobs.budget_middle_minor', 'rates.factor') }} as budget_usd_minor,
    {{ list_or_empty('skills.skills') }} as skills,
    coalesce(jobs.import_source, '') <> '' as is_imported,
    jobs.created_at,
    jobs.opened_at,
    jobs.ended_at,
    case when jobs.state = 'filled' then jobs.ended_at end as filled_at,
    bids.first_bid_at,
    hires.hired_at,
    jobs.opened_at is not null and coalesce(jobs.import_source, '') = '' and jobs.visibility = 'public' and jobs.state <> 'removed' as in_market,
    case
        when jobs.opened_at is not null then greatest(coalesce(jobs.ended_at, moment.as_of), jobs.opened_at)
    end as watched_until,
    cast(coalesce(bids.proposals, 0) as bigint) as proposals
from priced as jobs
cross join {{ ref('int_as_of') }} as moment
left join skills on skills.job_id = jobs.job_id
left join bids on bids.job_id = jobs.job_id
left join hires on hires.job_id = jobs.job_id
{{ join_usd_rate('rates', 'jobs.currency', 'cast(coalesce(jobs.opened_at, jobs.created_at) as date)') }}
