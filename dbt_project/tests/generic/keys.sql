{# The columns together are never null and never repeated. Of a model that grows, the keys of rows that came since it was last found well. #}
{% test primary_key(model, columns) %}
{%- set fresh = not_tested(model) %}
select {{ columns | join(', ') }}, count(*) as rows_with_key
from {{ model }}
{%- if fresh %}
where {{ columns[0] }} in (select {{ columns[0] }} from {{ model }} where {{ fresh }}){% for column in columns %} or {{ column }} is null{% endfor %}
{%- endif %}
group by {{ columns | join(', ') }}
having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}
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
