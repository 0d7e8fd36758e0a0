{#- Waits end with the event, or are censored when the job ended or at as_of; null for jobs outside the market and for those that never opened. -#}
select
    jobs.job_id,
    jobs.client_id,
    coalesce(categories.category_slug, '') as category,
    jobs.pricing,
    coalesce(jobs.experience_level, '') as experience_level,
    jobs.currency,
    jobs.state,
    jobs.in_market,
    cast(jobs.opened_at as date) as opened_on,
    case
        when jobs.in_market and coalesce(jobs.first_bid_at, jobs.watched_until) >= jobs.opened_at
            then {{ seconds_between('jobs.opened_at', 'coalesce(jobs.first_bid_at, jobs.watched_until)') }} / 3600.0
    end as hours_to_first_bid,
    jobs.first_bid_at is not null as got_bid,
    case
        when jobs.in_market and coalesce(jobs.hired_at, jobs.watched_until) >= jobs.opened_at
            then {{ seconds_between('jobs.opened_at', 'coalesce(jobs.hired_at, jobs.watched_until)') }} / 3600.0
    end as hours_to_hire,
    jobs.hired_at is not null as got_hire,
    {%- for days in var('fill_windows_days') %}
    coalesce(jobs.in_market and {{ plus_days('jobs.opened_at', days) }} <= moment.as_of, false) as is_mature_{{ days }}d,
    coalesce(jobs.filled_at <= {{ plus_days('jobs.opened_at', days) }}, false) as is_filled_{{ days }}d,
    {%- endfor %}
    jobs.proposals,
    moment.as_of
from {{ ref('fct_job') }} as jobs
cross join {{ ref('int_as_of') }} as moment
left join {{ ref('dim_category') }} as categories on categories.category_id = jobs.category_id
