{#
  Incremental models keep, of each row, the extraction run that brought its newest version (log_run). The newest log_run in a table is how
  far it has been built: all tables of a run reach the log together, so whatever belongs to that run or an older one was seen. A build
  takes the keys that changed in later runs, removes them from the table and inserts what they are now; rows that are gone stay out.
  Reading a change twice changes nothing. Incremental equals full refresh, row by row: tests/dbt/test_incremental.py.

  Spark has no delete on plain files: there these models are tables (dbt_project.yml), and the same SQL builds them whole.
#}

{#
  Configures a model that grows: `key` is its key, `lives_in` (marts) the staging model that has the living keys under the same name, `joins`
  whether its rows also change when others do: then log_run does not tell which rows a build touched (meta.run_column names the column that does).
#}
{% macro grows(key, lives_in=none, joins=false) -%}
    {%- if target.type == 'duckdb' -%}
        {{ config(
            materialized='incremental', incremental_strategy='change_log', unique_key=key,
            meta={'lives_in': lives_in, 'run_column': none if joins else 'log_run'}
        ) }}
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

{#
  The newest run in the table, −1 when it is empty. Only in incremental builds. A figure, not a query: by it whole files and row groups of
  the log are passed over without reading them.
#}
{% macro newest_run() -%}
    {%- if not execute -%}
        {{ return(-1) }}
    {%- endif -%}
    {%- if 'newest_run' not in model -%}
        {%- set column = (model.config.meta or {}).get('run_column') or 'log_run' -%}
        {#- asked once: a model names it in many places -#}
        {%- do model.update({'newest_run': run_query('select coalesce(max(' ~ column ~ '), -1) from ' ~ this).rows[0][0] | int}) -%}
    {%- endif -%}
    {{ model.newest_run }}
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

{# The raw table that a staging model reads, as the engine names it. #}
{% macro log_under(staging) -%}
    {%- set under = graph.nodes['model.openlance.' ~ staging].depends_on.nodes | select('in', graph.sources) | list -%}
    {%- if under | length != 1 -%}
        {{ exceptions.raise_compiler_error(staging ~ ' reads ' ~ (under | length) ~ ' raw tables: where its keys go cannot be told') }}
    {%- endif -%}
    {{ graph.sources[under[0]].relation_name }}
{%- endmacro %}

{#
  The strategy. A staging model's rows say themselves whether they are gone. A mart names in meta.lives_in the staging model whose keys are
  the living ones: what went is read from the tombstones of its log. A key that came back since is among the changed ones, and is inserted.
#}
{% macro get_incremental_change_log_sql(arguments) -%}
    {%- set target, changed, key = arguments['target_relation'], arguments['temp_relation'], arguments['unique_key'] -%}
    {%- set columns = arguments['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set lives_in = (config.get('meta') or {}).get('lives_in') -%}
    {%- if lives_in %}
    delete from {{ target }} where {{ key }} in (
        select cast(id as bigint) from {{ log_under(lives_in) }} where _op = 'd' and _run_seq > {{ newest_run() }}
    );
    {%- endif %}
    delete from {{ target }} where {{ key }} in (select {{ key }} from {{ changed }});
    {%- if lives_in %}
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ changed }};
    {%- else %}
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ changed }} where not is_gone;
    {%- endif %}
{%- endmacro %}

{#
  Configures a model whose rows are worked out from many tables: in a build that takes changes its SQL finds the keys that something reached,
  works these out again and gives each, with is_gone where there is no such row any more. A row that comes out as it was stays as it was, so
  that noticed_run, the newest run the model knew when the row changed, tells whoever reads it what to follow (strategy changed_rows).
  `leaves`: columns of which the values of changed and removed rows are kept, each with the run, in a table beside it (left_by).
#}
{% macro follows(key, leaves=none) -%}
    {%- if target.type == 'duckdb' -%}
        {{ config(
            materialized='incremental', incremental_strategy='changed_rows', unique_key=key,
            meta={'leaves': leaves, 'run_column': 'noticed_run'},
            pre_hook="{% if not is_incremental() %}drop table if exists {{ left_by(this) }}{% endif %}",
            post_hook="{{ room_for_left(this) }}"
        ) }}
    {%- else -%}
        {{ config(materialized='table') }}
    {%- endif -%}
{%- endmacro %}

{# Where a model that `follows` keeps what its changed and removed rows were; only in builds that take changes. #}
{% macro left_by(relation) -%}
    {{ relation.incorporate(path={'identifier': relation.identifier ~ '__left'}) }}
{%- endmacro %}

{# That table, so that whoever reads it finds it also when nothing has changed yet. #}
{% macro room_for_left(relation) -%}
    {%- set leaves = (config.get('meta') or {}).get('leaves') -%}
    {%- if leaves -%}
        create table if not exists {{ left_by(relation) }} as select {{ leaves | join(', ') }}, noticed_run from {{ relation }} limit 0
    {%- endif -%}
{%- endmacro %}

{# The newest run in these: pairs of a relation and its column. #}
{% macro newest_of(logs) -%}
    (select max(newest) from ({% for relation, column in logs %}select max({{ column }}) as newest from {{ relation }}{{ ' union all ' if not loop.last }}{% endfor %}) as runs)
{%- endmacro %}

{# The strategy of `follows`. Equal rows first leave the changes; then what the others were is kept, and they take their place. #}
{% macro get_incremental_changed_rows_sql(arguments) -%}
    {%- set target, changed, key = arguments['target_relation'], arguments['temp_relation'], arguments['unique_key'] -%}
    {%- set key = [key] if key is string else key -%}
    {%- set columns = arguments['dest_columns'] | map(attribute='name') | list -%}
    {%- set listed = columns | join(', ') -%}
    {%- set leaves = (config.get('meta') or {}).get('leaves') -%}
    {%- set same_key -%}
        {% for column in key %}stands.{{ column }} = changed.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    {%- endset %}
    delete from {{ changed }} as changed using {{ target }} as stands where {{ same_key }} and not changed.is_gone
        {%- for column in columns if column not in key and column != 'noticed_run' %} and stands.{{ column }} is not distinct from changed.{{ column }}{% endfor %};
    {%- if leaves %}
    insert into {{ left_by(target) }}
        select {% for column in leaves %}stands.{{ column }}, {% endfor %}changed.noticed_run
        from {{ target }} as stands inner join {{ changed }} as changed on {{ same_key }};
    {%- endif %}
    delete from {{ target }} as stands using {{ changed }} as changed where {{ same_key }};
    insert into {{ target }} ({{ listed }}) select {{ listed }} from {{ changed }} where not is_gone;
{%- endmacro %}
