with durations as (
    select
        {{ seconds_between('opened_at', 'coalesce(first_bid_at, watched_until)') }} / 3600.0 as hours,
        first_bid_at is not null as happened
    from {{ ref('fct_job') }}
    where in_market and coalesce(first_bid_at, watched_until) >= opened_at
)

select * from ({{ kaplan_meier('durations') }}) as curve
