with durations as (
    select
        {{ seconds_between('opened_at', 'coalesce(hired_at, watched_until)') }} / 3600.0 as hours,
        hired_at is not null as happened
    from {{ ref('fct_job') }}
    where in_market and coalesce(hired_at, watched_until) >= opened_at
)

select * from ({{ kaplan_meier('durations') }}) as curve
