{# The natural logarithm, null where it has no value (DuckDB raises instead). #}
{% macro ln_or_null(value) -%}
    ln(case when ({{ value }}) > 0 then ({{ value }}) end)
{%- endmacro %}

{# part ÷ whole as a double; null when the whole is 0. #}
{% macro ratio(part, whole) -%}
    (cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0.0))
{%- endmacro %}

{# The exact type of a factor between minor units of two currencies: 18 places keep 10 significant digits of the weakest currency. #}
{% macro factor_type() -%} decimal(30, 18) {%- endmacro %}
