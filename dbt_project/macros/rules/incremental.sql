{#
  Incremental models keep, of each row, the extraction run that brought its newest version (log_run). The newest log_run in a table is how
  far it has been built: all tables of a run reach the log together, so whatever belongs to that run or an older one was seen. A build
  takes the keys that changed in later runs, removes them from the table and inserts what they are now; rows that are gone stay out.
  Reading a change twice changes nothing. Incremental equals full refresh, row by row: tests/dbt/test_incremental.py.

  Spark has no delete on plain files: there these models are tables (dbt_project.yml), and the same SQL builds them whole.
#}

{# Configures a model that grows: `key` is its key, `lives_in` (marts) the model that has the living keys under the same name. #}
{% macro grows(key, lives_in=none) -%}
    {%- if target.type == 'duckdb' -%}
        {{ config(materialized='incremental', incremental_strategy='change_log', unique_key=key, meta={'lives_in': lives_in}) }}
    {%- else -%}
        {{ config(materialized='table') }}
    {%- endif -%}
{%- endmacro %}

{# Configures a model that is cheaper to work out again than to keep: a view. Spark has the raw log as temporary views, which no view may read. #}
{% macro looks_on() -%}
    {{ config(materialized='view' if target.type == 'duckdb' else 'table') }}
{%- endmacro %}

{# Whether this build takes only changes. Macros of tables ask too, also in unit tests, where is_incremental() has no relation to look at. #}
{% macro takes_changes() -%}
    {{ return(model.config.materialized == 'incremental' and is_incremental()) }}
{%- endmacro %}

{# The newest run in the table, −1 when it is empty. Only in incremental builds. #}
{% macro newest_run() -%}
    (select coalesce(max(log_run), -1) from {{ this }})
{%- endmacro %}

{# The last column of an incremental staging model: log_run, and in incremental builds whether the row is a tombstone. #}
{% macro log_mark() -%}
    cast(_run_seq as bigint) as log_run{% if takes_changes() %}, _op = 'd' as is_gone{% endif %}
{%- endmacro %}

{# `where` or `and` and a condition on `alias`, an incremental staging model: changed since the last build. Nothing in full builds. #}
{% macro if_changed(alias, word='where') -%}
    {%- if takes_changes() %}
    {{ word }} {{ alias }}.log_run > {{ newest_run() }}
    {%- endif %}
{%- endmacro %}

{#
  The strategy. A staging model's rows say themselves whether they are gone; a mart names in meta.lives_in the model whose keys are the
  living ones.
#}
{% macro get_incremental_change_log_sql(arguments) -%}
    {%- set target, changed, key = arguments['target_relation'], arguments['temp_relation'], arguments['unique_key'] -%}
    {%- set columns = arguments['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set lives_in = (config.get('meta') or {}).get('lives_in') -%}
    delete from {{ target }} where {{ key }} in (select {{ key }} from {{ changed }});
    {%- if lives_in %}
    delete from {{ target }} where {{ key }} not in (select {{ key }} from {{ ref(lives_in) }});
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ changed }};
    {%- else %}
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ changed }} where not is_gone;
    {%- endif %}
{%- endmacro %}
