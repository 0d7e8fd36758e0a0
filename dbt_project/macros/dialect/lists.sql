{# Values of a group as one list in the order of `order_by`; nulls are left out. #}
{% macro list_of(value, order_by) -%}
    {{ return(adapter.dispatch('list_of', 'openlance')(value, order_by)) }}
{%- endmacro %}

{% macro duckdb__list_of(value, order_by) -%}
    list({{ value }} order by {{ order_by }}) filter (where {{ value }} is not null)
{%- endmacro %}

{% macro default__list_of(value, order_by) -%}
    transform(array_sort(collect_list(struct({{ order_by }} as k, {{ value }} as v))), x -> x.v)
{%- endmacro %}

{# `value`, or an empty list of whole numbers when it is null. #}
{% macro list_or_empty(value) -%}
    {{ return(adapter.dispatch('list_or_empty', 'openlance')(value)) }}
{%- endmacro %}

{% macro duckdb__list_or_empty(value) -%}
    coalesce({{ value }}, cast([] as bigint[]))
{%- endmacro %}

{% macro default__list_or_empty(value) -%}
    coalesce({{ value }}, cast(array() as array<bigint>))
{%- endmacro %}
