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

{#
  A double as an exact decimal of `type`, rounded to so many places: engines differ in the digits beyond the fifteenth when they cast
  one themselves. Same bits in, same digits out; |value| × 10^places must stay below 2^63.
#}
{% macro exact_of_double(value, places, type) -%}
    cast(cast(floor(({{ value }}) * 1e{{ places }} + 0.5) as bigint) * cast(0.{{ '0' * (places - 1) }}1 as {{ type }}) as {{ type }})
{%- endmacro %}

{#
  A factor (at most 15 places, below 9,000) as a double with the same bits in both engines: by way of a whole number, because a decimal
  of more than 2^53 units is rounded twice where an engine casts it itself.
#}
{% macro double_of_factor(factor) -%}
    (cast(cast(floor(({{ factor }}) * cast(1000000000000000 as decimal(16, 0))) as bigint) as double) / 1e15)
{%- endmacro %}

{# A factor between currencies out of a division: 15 places keep 10 significant digits of the weakest currency. #}
{% macro factor_of_ratio(part, whole) -%}
    {{ exact_of_double(ratio(part, whole), 15, factor_type()) }}
{%- endmacro %}
