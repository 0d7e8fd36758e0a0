{# None of the columns is null. One scan for all of them; a failure names the column. #}
{% test never_null(model, columns) %}
{%- set fresh = not_tested(model) %}
{% for column in columns %}
select '{{ column }}' as column_name, count(*) as null_rows from {{ model }} where {{ column }} is null{{ ' and ' ~ fresh if fresh }} having count(*) > 0
{{ 'union all' if not loop.last }}
{% endfor %}
{% endtest %}

{# Each column holds only the listed words (or null). accepted: {column: [word, …]} #}
{% test accepted_words(model, accepted) %}
{%- set fresh = not_tested(model) %}
{% for column, words in accepted.items() %}
select '{{ column }}' as column_name, {{ column }} as word, count(*) as word_rows
from {{ model }}
where {{ column }} not in ({% for word in words %}'{{ word }}'{{ ', ' if not loop.last }}{% endfor %})
    {{ 'and ' ~ fresh if fresh }}
group by {{ column }}
{{ 'union all' if not loop.last }}
{% endfor %}
{% endtest %}

{# Each named condition is true (or null) in every row. A failure names the rule. rules: {name: condition} #}
{% test holds(model, rules) %}
{%- set fresh = not_tested(model) %}
{% for name, condition in rules.items() %}
select '{{ name }}' as broken_rule, count(*) as broken_rows from {{ model }} where not ({{ condition }}){{ ' and ' ~ fresh if fresh }} having count(*) > 0
{{ 'union all' if not loop.last }}
{% endfor %}
{% endtest %}
