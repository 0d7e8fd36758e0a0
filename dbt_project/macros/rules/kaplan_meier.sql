{#
  The Kaplan–Meier estimate of survival: the share of jobs to which the event has not yet happened after so many hours.
  `durations`: a relation with columns hours (double, >= 0) and happened (boolean; false: censored at that time). At each distinct time
  with an event, S falls by the factor 1 − events ÷ at risk, where everybody with hours >= t is at risk (a job censored at t still is).
  Standard error by Greenwood. The first row is hours 0 with survival 1 unless something happened at 0. Empty input: no row.
  Source: Kaplan & Meier (1958), Nonparametric estimation from incomplete observations, JASA 53, 457–481.
#}
{% macro kaplan_meier(durations) -%}
    with by_time as (
        select hours, sum(case when happened then 1 else 0 end) as events, count(*) as leaving
        from (
            select hours, happened from {{ durations }}
            union all
            select cast(0 as double), cast(null as boolean) from (select count(*) as n from {{ durations }}) as counted where n > 0
        ) as observed
        group by hours
    ),
    at_time as (
        select
            hours,
            events,
            sum(leaving) over (order by hours desc rows between unbounded preceding and current row)
            - case when hours = 0 then 1 else 0 end as at_risk
        from by_time
    ),
    steps as (
        select * from at_time where events > 0 or hours = 0
    )
    select
        hours,
        {{ running_product('1.0 - ' ~ ratio('events', 'at_risk'), 'upto') }} as survival,
        {{ running_product('1.0 - ' ~ ratio('events', 'at_risk'), 'upto') }}
        * sqrt(coalesce(sum({{ ratio('events', 'cast(at_risk as double) * (at_risk - events)') }}) over upto, 0.0)) as standard_error,
        cast(at_risk as bigint) as at_risk,
        cast(events as bigint) as events
    from steps
    window upto as (order by hours rows between unbounded preceding and current row)
{%- endmacro %}

{# The hours after which the event has happened to half of the jobs, from a relation with hours and survival; null when never reached. #}
{% macro median_hours(curve) -%}
    (select min(hours) from {{ curve }} where survival <= 0.5)
{%- endmacro %}
