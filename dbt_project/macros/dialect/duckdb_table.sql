{#
  A table, made anew in one statement of one transaction: a reader, or a build that is killed, sees the table of before or that of after. dbt's own
  way (build beside, rename twice, drop) comes to the same and takes eight more statements, each worked out by macros: for sixty small tables
  a third of a build.
#}
{% materialization table, adapter='duckdb' %}
    {%- set standing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if standing is not none and not standing.is_table -%}
        {%- do adapter.drop_relation(standing) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        {{ get_create_table_as_sql(False, target, compiled_code) | replace('create  table', 'create or replace table', 1) }}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
