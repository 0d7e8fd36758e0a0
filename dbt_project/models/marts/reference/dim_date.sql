{#- 1970-01-05 was a Monday: whole weeks from it need no engine's own idea of the first day of a week. -#}
with days as (
    {{ calendar(var('calendar_first_day'), var('calendar_last_day')) }}
),

numbered as (
    select date_day, {{ dbt.datediff("cast('1970-01-05' as date)", 'date_day', 'day') }} % 7 + 1 as iso_weekday
    from days
)

select
    date_day,
    cast(extract(year from date_day) as integer) as calendar_year,
    cast(extract(quarter from date_day) as integer) as calendar_quarter,
    cast(extract(month from date_day) as integer) as calendar_month,
    {{ first_day('week', 'date_day') }} as week_start,
    {{ first_day('month', 'date_day') }} as month_start,
    {{ first_day('quarter', 'date_day') }} as quarter_start,
    cast(iso_weekday as integer) as iso_weekday,
    iso_weekday >= 6 as is_weekend
from numbered
