{#
  What the extraction takes for granted of a table, one row a fault (table_name, column_name, problem):
  every declared column is there with its type, at least its length, its exact scale and no new nulls; the key is the primary key; the
  database itself stamps each write; an index begins with the stamp; and no foreign key deletes or blanks rows behind the log's back.
#}
{% test keeps_contract(model, columns, key, stamp) %}
with found as (
    select * from information_schema.columns where table_schema = '{{ model.schema }}' and table_name = '{{ model.identifier }}'
),
faults as (
select '' as column_name, 'the table is not in the source' as problem from dual where not exists (select 1 from found)
union all
{% for name, wanted in columns.items() %}
{{ missing_column(name) }}
union all
{{ wrong_column(name, wanted) }}
union all
{% endfor %}
{{ structure(model, key, stamp) }}
)
select '{{ model.identifier }}' as table_name, column_name, problem from faults
{% endtest %}

{% macro missing_column(name) %}
select '{{ name }}', 'is not in the source' from dual
where exists (select 1 from found) and not exists (select 1 from found where column_name = '{{ name }}')
{% endmacro %}

{% macro wrong_column(name, wanted) %}
select '{{ name }}', concat_ws('; ',
    case when data_type not in ({% for word in wanted.types %}'{{ word }}'{{ ', ' if not loop.last }}{% endfor %})
        then concat('is ', column_type, ', declared {{ wanted.types | join(" or ") }}') end,
    case when (column_type like '%unsigned%') <> {{ 1 if wanted.unsigned else 0 }} and data_type like '%int'
        then concat('is ', column_type, ', declared {{ "un" if wanted.unsigned else "" }}signed') end,
    {%- if wanted.types == ['varchar'] %}
    case when character_maximum_length < {{ wanted.length }} then concat('holds ', character_maximum_length, ' characters, declared {{ wanted.length }}') end,
    {%- elif wanted.types == ['decimal'] %}
    case when numeric_precision <> {{ wanted.length }} or numeric_scale <> {{ wanted.scale }}
        then concat('is ', column_type, ', declared decimal({{ wanted.length }},{{ wanted.scale }})') end,
    {%- elif wanted.types == ['datetime'] %}
    case when datetime_precision <> {{ wanted.scale }} then concat('is ', column_type, ', declared datetime({{ wanted.scale }})') end,
    {%- endif %}
    case when is_nullable = 'YES' and {{ 0 if wanted.nullable else 1 }} = 1 then 'may be null now' end
) as problem
from found where column_name = '{{ name }}' having problem <> ''
{% endmacro %}

{% macro structure(model, key, stamp) %}
select '{{ key }}', 'is not the primary key' from dual
where coalesce((
    select group_concat(column_name order by seq_in_index) from information_schema.statistics
    where table_schema = '{{ model.schema }}' and table_name = '{{ model.identifier }}' and index_name = 'PRIMARY'
), '') <> '{{ key }}' and exists (select 1 from found)
union all
select '{{ stamp }}', 'is not stamped by the database at each write' from found
where column_name = '{{ stamp }}' and lower(extra) not like '%on update current_timestamp%'
union all
select '{{ stamp }}', 'begins no index: each round would read the whole table' from dual
where exists (select 1 from found) and not exists (
    select 1 from information_schema.statistics
    where table_schema = '{{ model.schema }}' and table_name = '{{ model.identifier }}' and column_name = '{{ stamp }}' and seq_in_index = 1
)
union all
select constraint_name, concat('changes rows on its own: on delete ', lower(delete_rule)) from information_schema.referential_constraints
where constraint_schema = '{{ model.schema }}' and table_name = '{{ model.identifier }}' and delete_rule in ('CASCADE', 'SET NULL', 'SET DEFAULT')
{% endmacro %}

{# No row was written later than now: a stamp ahead of the clock would be read again each round, and hide what is written before it. #}
{% test stamps_are_not_ahead(model, stamp) %}
select '{{ model.identifier }}' as table_name, '{{ stamp }}' as column_name, concat('is ahead of the clock: ', newest) as problem
from (select max({{ stamp }}) as newest from {{ model }}) as written
where newest > utc_timestamp(6) + interval 5 second
{% endtest %}

{# The rows of each failed test, one line each, for whoever started dbt. #}
{% macro tell_problems(results) %}
    {% if execute and flags.WHICH == 'test' %}
        {% for result in results if result.status == 'fail' %}
            {% for row in run_query(result.node.compiled_code) %}
                {% do log('PROBLEM|' ~ row[0] ~ '|' ~ row[1] ~ '|' ~ row[2], info=true) %}
            {% endfor %}
        {% endfor %}
    {% endif %}
{% endmacro %}
