{#
  The Kaplan–Meier estimate of survival: the share of jobs to which the event has not yet happened after so many hours.
  `durations`: a relation with columns hours (double, >= 0) and happened (boolean; false: censored at that time). At each distinct time
  with an event, S falls by the factor 1 − events ÷ at risk, where everybody with hours >= t is at risk (a job censored at t still is).
  Standard error by Greenwood. The first row is hours 0 with survival 1 unless something happened at 0. Empty input: no row.
  Source: Kaplan & Meier (1958), Nonparametric estimation from incomplete observations, JASA 53, 457–481.

  The curve is worked out over every distinct time and then thinned, so that it stays small however many jobs there are: of its steps stay the
  last one in each whole hour of the first 30 days, each whole day of the first year and each year after it, and the first at or below
  three quarters, one half and one quarter. What stays is a step of the whole curve with its own values; so survival at the end of every whole
  hour (day, year) is the survival of the last row at or before it, and the quartiles are exact.
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
    ),
    curve as (
        select
            hours,
            {{ running_product('1.0 - ' ~ ratio('events', 'at_risk'), 'upto') }} as survival,
            sqrt(coalesce(sum({{ ratio('events', 'cast(at_risk as double) * (at_risk - events)') }}) over upto, 0.0)) as relative_error,
            at_risk,
            events,
            sum(events) over upto as events_so_far,
            {{ step_ends('hours') }} as step_end
        from steps
        window upto as (order by hours rows between unbounded preceding and current row)
    ),
    neighbours as (
        select
            curve.*,
            lead(step_end) over (order by hours) as next_end,
            coalesce(lag(survival) over (order by hours), 2.0) as survival_before
        from curve
    )
    select
        hours,
        survival,
        survival * relative_error as standard_error,
        cast(at_risk as bigint) as at_risk,
        cast(events as bigint) as events,
        cast(events_so_far as bigint) as events_so_far
    from neighbours
    where
        next_end is null
        or next_end <> step_end
        {%- for quartile in (0.75, 0.5, 0.25) %}
        or ({{ at_most('survival', quartile) }} and not {{ at_most('survival_before', quartile) }})
        {%- endfor %}
{%- endmacro %}

{# The end, in hours, of the whole hour, day or year in which a step of the curve lies; the end itself still belongs to it. #}
{% macro step_ends(hours) -%}
    cast(
        case
            when {{ hours }} <= 720 then ceil({{ hours }})
            when {{ hours }} <= 8760 then ceil({{ hours }} / 24) * 24
            else ceil({{ hours }} / 8760) * 8760
        end as bigint
    )
{%- endmacro %}

{# Whether a survival is at or below a share. One that is one half may be a last digit above it, on one engine and not on the other. #}
{% macro at_most(survival, share) -%}
    round({{ survival }}, 12) <= {{ share }}
{%- endmacro %}

{# The hours after which the event has happened to half of the jobs, from a relation with hours and survival; null when never reached. #}
{% macro median_hours(curve) -%}
    (select min(hours) from {{ curve }} where {{ at_most('survival', 0.5) }})
{%- endmacro %}
