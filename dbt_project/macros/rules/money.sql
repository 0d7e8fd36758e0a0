{#
  Money is whole minor units in a currency. Conversion to USD: minor units × factor, where the factor (int_usd_rates) already holds
  the exponents of both currencies, in exact decimals, rounded once, half to even. Without a factor the result is null and whoever
  sums also counts it: an unknown rate is never taken as 1:1.
#}
{% macro round_half_even(value) -%}
    cast(case
        when ({{ value }}) - floor({{ value }}) > 0.5 then floor({{ value }}) + 1
        when ({{ value }}) - floor({{ value }}) < 0.5 then floor({{ value }})
        when cast(floor({{ value }}) as bigint) % 2 = 0 then floor({{ value }})
        else floor({{ value }}) + 1
    end as bigint)
{%- endmacro %}

{% macro to_usd_minor(minor, factor) -%}
    {{ round_half_even('cast(' ~ minor ~ ' as decimal(19, 0)) * cast(' ~ factor ~ ' as ' ~ factor_type() ~ ')') }}
{%- endmacro %}

{# Joins `alias` (int_usd_rates) so that `alias.factor` is the factor of that currency on that day, null when there is none. #}
{% macro join_usd_rate(alias, currency, day) -%}
    left join {{ ref('int_usd_rates') }} as {{ alias }}
        on {{ alias }}.currency = {{ currency }}
        and {{ alias }}.valid_from <= {{ day }}
        and {{ day }} < {{ alias }}.valid_to
{%- endmacro %}

{#
  An amount in the viewer's currency, for reading only: `minor` itself when the currencies are the same, else its US cents of the day times
  the viewer's minor units per cent (dim_usd_rate, the same day), rounded half to even; null when either rate is unknown. Sums are summed
  first and converted then. It is an estimate and shown as such: what moved is always the transaction currency.
#}
{% macro to_viewer_minor(minor, currency, usd_minor, viewer_currency, minor_per_usd_cent) -%}
    case
        when {{ currency }} = {{ viewer_currency }} then {{ minor }}
        else {{ to_usd_minor(usd_minor, minor_per_usd_cent) }}
    end
{%- endmacro %}

{# For how many days after its own the marketplace moves money at a rate of that source (payments/fx.py). #}
{% macro rate_age_days(source) -%}
    {%- set ages = var('fx_max_age_days') -%}
    case {{ source }}{% for name in ages if name != 'admin' %} when '{{ name }}' then {{ ages[name] }}{% endfor %} else {{ ages['admin'] }} end
{%- endmacro %}

{# In builds that take changes: the first day whose rate may be another since the last build, of rates as they were and as they are; null when none is. #}
{% macro first_day_of_changed_rates() -%}
    (
        select min(as_of_day)
        from {{ ref('stg_marketplace__fx_rate_log') }}
        where fx_rate_id in (select fx_rate_id from {{ ref('stg_marketplace__fx_rate_log') }} where log_run > {{ newest_run() }})
    )
{%- endmacro %}
