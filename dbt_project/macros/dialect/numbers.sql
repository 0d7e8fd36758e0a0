{# The product of `value` (a share, 0–1) over the rows of the named window. #}
{% macro running_product(value, window) -%}
    {{ return(adapter.dispatch('running_product', 'openlance')(value, window)) }}
{%- endmacro %}

{% macro duckdb__running_product(value, window) -%}
    product({{ value }}) over {{ window }}
{%- endmacro %}

{% macro default__running_product(value, window) -%}
    case when min({{ value }}) over {{ window }} <= 0 then 0.0 else exp(sum(ln({{ value }})) over {{ window }}) end
{%- endmacro %}

{# part ÷ whole as a double; null when the whole is 0. #}
{% macro ratio(part, whole) -%}
    (cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0.0))
{%- endmacro %}

{# The exact type of a factor between minor units of two currencies: 18 places keep 10 significant digits of the weakest currency. #}
{% macro factor_type() -%} decimal(30, 18) {%- endmacro %}
