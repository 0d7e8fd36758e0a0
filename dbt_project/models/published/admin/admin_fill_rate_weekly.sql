{#-
  A job counts in a window only when the whole window has passed since it opened; otherwise the newest cohorts would look worse than they
  are. jobs_waiting says how many of the cohort are still too young.
-#}
with windows as (
    {% for days in var('fill_windows_days') -%}
    select {{ days }} as window_days{{ ' union all ' if not loop.last }}
    {%- endfor %}
),

aged as (
    select
        {{ first_day('week', 'jobs.opened_at') }} as cohort_week,
        windows.window_days,
        {{ plus_days('jobs.opened_at', 'windows.window_days') }} <= moment.as_of as is_mature,
        coalesce(jobs.filled_at <= {{ plus_days('jobs.opened_at', 'windows.window_days') }}, false) as is_filled
    from {{ ref('fct_job') }} as jobs
    cross join windows
    cross join {{ ref('int_as_of') }} as moment
    where jobs.in_market
)

select
    cohort_week,
    cast(window_days as integer) as window_days,
    cast(sum(case when is_mature then 1 else 0 end) as bigint) as jobs,
    cast(sum(case when is_mature and is_filled then 1 else 0 end) as bigint) as filled,
    {{ ratio('sum(case when is_mature and is_filled then 1 else 0 end)', 'sum(case when is_mature then 1 else 0 end)') }} as fill_rate,
    cast(sum(case when is_mature then 0 else 1 end) as bigint) as jobs_waiting
from aged
group by cohort_week, window_days
