{#-
  Months that are over only: the present one would look like a loss. A month in which nobody of a cohort came is there with 0, also when nobody
  at all came: the months are the calendar's.
-#}
with active as (
    select parties.side, parties.party_id, parties.month, min(parties.month) over (partition by parties.side, parties.party_id) as cohort_month
    from {{ ref('fct_party_month') }} as parties
),

months as (
    select distinct days.month_start as month
    from {{ ref('dim_date') }} as days
    cross join {{ ref('int_as_of') }} as moment
    where days.month_start < {{ first_day('month', 'moment.as_of') }}
),

cohorts as (
    select side, cohort_month, count(*) as cohort_size
    from active
    where month = cohort_month
    group by side, cohort_month
),

came as (
    select side, cohort_month, month, count(*) as active
    from active
    group by side, cohort_month, month
)

select
    cohorts.side,
    cohorts.cohort_month,
    months.month,
    cast(
        (extract(year from months.month) - extract(year from cohorts.cohort_month)) * 12
        + extract(month from months.month) - extract(month from cohorts.cohort_month) as integer
    ) as months_since,
    cast(cohorts.cohort_size as bigint) as cohort_size,
    cast(coalesce(came.active, 0) as bigint) as active
from cohorts
inner join months on months.month >= cohorts.cohort_month
left join came on came.side = cohorts.side and came.cohort_month = cohorts.cohort_month and came.month = months.month
