{# The text under one top-level `key` of a JSON object; null when it is not there. #}
{% macro json_text(value, key) -%}
    {{ return(adapter.dispatch('json_text', 'openlance')(value, key)) }}
{%- endmacro %}

{% macro duckdb__json_text(value, key) -%}
    json_extract_string({{ adapter.quote(value) }}, '$.{{ key }}')
{%- endmacro %}

{% macro default__json_text(value, key) -%}
    get_json_object({{ adapter.quote(value) }}, '$.{{ key }}')
{%- endmacro %}
