{#
  Type names. Models and contracts say `varchar` and `bigint[]`; Spark says `string` and `array<bigint>`. Only what stands as a type is
  put in Spark's words: after `as` in a cast. (Seeds say `string`, which both know.) Everything else that the engines spell differently
  goes through a dispatched macro of this folder.
#}
{% macro spark_types(sql) -%}
    {%- set re = modules.re -%}
    {%- set sql = re.sub('(?i)\\bas\\s+varchar\\b(?!\\s*\\()', 'as string', sql) -%}
    {%- set sql = re.sub('(?i)\\bas\\s+varchar\\[\\]', 'as array<string>', sql) -%}
    {%- set sql = re.sub('(?i)\\bas\\s+(\\w+)\\[\\]', 'as array<\\1>', sql) -%}
    {{- return(sql) -}}
{%- endmacro %}

{# dbt's own, which is not dispatched: every statement of a build passes here. Only the line of spark_types is ours. #}
{%- macro statement(name=None, fetch_result=False, auto_begin=True, language='sql') -%}
    {%- if execute -%}
        {%- set compiled_code = caller() -%}
        {%- if target.type == 'spark' -%}
            {%- set compiled_code = openlance.spark_types(compiled_code) -%}
        {%- endif -%}
        {%- if name == 'main' -%}
            {{ log('Writing runtime {} for node "{}"'.format(language, model['unique_id'])) }}
            {{ write(compiled_code) }}
        {%- endif -%}
        {%- set res, table = adapter.execute(compiled_code, auto_begin=auto_begin, fetch=fetch_result) -%}
        {%- if name is not none -%}
            {{ store_result(name, response=res, agate_table=table) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# The columns of a query, and those a contract declares: contracts are compared in Spark's words on both sides. #}
{% macro spark__get_empty_subquery_sql(select_sql, select_sql_header=none) %}
    {{ openlance.spark_types(dbt.default__get_empty_subquery_sql(select_sql, select_sql_header)) }}
{% endmacro %}

{% macro spark__get_empty_schema_sql(columns) %}
    {{ openlance.spark_types(dbt.default__get_empty_schema_sql(columns)) }}
{% endmacro %}

{# Each build on Spark begins with an empty warehouse: what is incremental elsewhere is built whole here, whatever its strategy. #}
{% materialization incremental, adapter='spark', supported_languages=['sql'] %}
    {%- set target_relation = api.Relation.create(identifier=model['alias'], schema=schema, database=database, type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {% do adapter.drop_relation(target_relation) %}
    {% call statement('main') -%}
        {{ create_table_as(False, target_relation, compiled_code) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
