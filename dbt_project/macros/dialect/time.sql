{# Time in each engine's words. Every instant is a UTC timestamp without zone. #}

{# Seconds from `start` to `finish` as a double, with their fraction. #}
{% macro seconds_between(start, finish) -%}
    {{ return(adapter.dispatch('seconds_between', 'openlance')(start, finish)) }}
{%- endmacro %}

{% macro duckdb__seconds_between(start, finish) -%}
    (cast(epoch_us({{ finish }}) - epoch_us({{ start }}) as double) / 1000000.0)
{%- endmacro %}

{% macro default__seconds_between(start, finish) -%}
    (cast(unix_micros({{ finish }}) - unix_micros({{ start }}) as double) / 1000000.0)
{%- endmacro %}

{# First day of the week (Monday) or month of an instant or a day, as a date. #}
{% macro first_day(part, moment) -%}
    cast(date_trunc('{{ part }}', {{ moment }}) as date)
{%- endmacro %}

{# `moment` moved by whole days, as a timestamp. #}
{% macro plus_days(moment, days) -%}
    {{ return(adapter.dispatch('plus_days', 'openlance')(moment, days)) }}
{%- endmacro %}

{% macro duckdb__plus_days(moment, days) -%}
    (cast({{ moment }} as timestamp) + to_days(cast({{ days }} as integer)))
{%- endmacro %}

{% macro default__plus_days(moment, days) -%}
    (cast({{ moment }} as timestamp) + make_dt_interval({{ days }}))
{%- endmacro %}

{# One row a day, date_day, from the first to the last day (ISO texts), both included. #}
{% macro calendar(first, last) -%}
    {{ return(adapter.dispatch('calendar', 'openlance')(first, last)) }}
{%- endmacro %}

{% macro duckdb__calendar(first, last) -%}
    select cast(moment as date) as date_day
    from generate_series(cast('{{ first }}' as timestamp), cast('{{ last }}' as timestamp), interval 1 day) as series(moment)
{%- endmacro %}

{% macro default__calendar(first, last) -%}
    select explode(sequence(cast('{{ first }}' as date), cast('{{ last }}' as date), interval 1 day)) as date_day
{%- endmacro %}
