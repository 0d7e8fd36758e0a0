{# Schemas are named exactly as configured: no prefix of the target, so that `admin.gsv_daily` is that everywhere. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

{# published/admin/admin_gsv_daily.sql becomes admin.gsv_daily: file names are unique in the project, relation names in their schema. #}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {%- set prefix = (node.config.schema or '') ~ '_' -%}
    {%- if custom_alias_name -%}
        {{ custom_alias_name | trim }}
    {%- elif node.resource_type == 'model' and 'published' in node.fqn and node.name.startswith(prefix) -%}
        {{ node.name[prefix | length:] }}
    {%- else -%}
        {{ node.name }}
    {%- endif -%}
{%- endmacro %}
