{# The columns together are never null and never repeated. #}
{% test primary_key(model, columns) %}
select {{ columns | join(', ') }}, count(*) as rows_with_key
from {{ model }}
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
