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
