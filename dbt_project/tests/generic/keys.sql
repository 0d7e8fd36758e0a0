{# The columns together are never null and never repeated. Of a model that grows, the keys of rows that came since it was last found well. #}
{% test primary_key(model, columns) %}
{%- set fresh = not_tested(model) %}
{%- if fresh %}
with newer as (
    select distinct {{ columns | join(', ') }} from {{ model }} where {{ fresh }}
)

select {% for column in columns %}known.{{ column }}, {% endfor %}count(*) as rows_with_key
from {{ model }} as known
inner join newer on {% for column in columns %}newer.{{ column }} = known.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
group by {% for column in columns %}known.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
having count(*) > 1
union all
select {{ columns | join(', ') }}, 1
from newer
where {{ columns | join(' is null or ') }} is null
{%- else %}
select {{ columns | join(', ') }}, count(*) as rows_with_key
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}
{%- endif %}
{% endtest %}

{# Each key, when present, exists in the other model. keys: [{column, to, field}] #}
{% test references(model, keys) %}
{% for key in keys %}
select '{{ key.column }}' as key_column, cast({{ key.column }} as {{ dbt.type_string() }}) as missing
from {{ model }}
where {{ key.column }} is not null and {{ key.column }} not in (select {{ key.field }} from {{ ref(key.to) }} where {{ key.field }} is not null)
{{ 'union all' if not loop.last }}
{% endfor %}
{% endtest %}
