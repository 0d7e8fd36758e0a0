{#
  The condition under which a row of `model` (a relation) has not been tested yet; nothing when every row is to be looked at.

  pipelines.affected marks a node in the work file (_build.node) with the run up to which it was built and all its tests went well, and takes
  the marks away before everything is built anew. A row of a model one of whose columns tells every change (meta.run_column) and is not newer
  than its mark is as it was when it was tested. The mark is read when the test runs: the same compiled query serves every round.
#}
{% macro not_tested(model) -%}
    {%- if execute and target.type == 'duckdb' -%}
        {%- for node in graph.nodes.values()
            if node.resource_type == 'model' and node.relation_name == model | string and (node.config.meta or {}).get('run_column') -%}
            {%- if run_query("select 1 from information_schema.tables where table_schema = '_build' and table_name = 'node'").rows -%}
                {{ node.config.meta.run_column }} > coalesce((select run_seq from _build.node where unique_id = '{{ node.unique_id }}'), -1)
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
