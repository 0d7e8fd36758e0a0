{#
  Reputation as the marketplace shows it (marketplace/trust/reputation.py has the formula and its sources): the mean of opened reviews,
  each weighing value class × 0.5 ^ (age ÷ half-life), shrunken to the prior.
    mean = (k·m0 + Σ w·rating) ÷ (k + Σ w)
  Sums over time need weights that do not change as time passes: a review is kept with the weight it would have on the epoch 2026-01-01
  (exact decimals, so that the order of adding cannot matter), and the sum is aged to the instant when it is read.
#}
{% macro reputation_weight_type() -%} decimal(38, 12) {%- endmacro %}

{# Half-lives from the epoch to an instant. #}
{% macro half_lives(instant) -%}
    ({{ seconds_between("cast('2026-01-01 00:00:00' as timestamp)", instant) }} / 86400.0 / {{ var('reputation_half_life_days') }})
{%- endmacro %}

{# The weight on the epoch of a review opened at `opened_at` of a contract worth `usd_minor` (class 1 when that is unknown). #}
{% macro reputation_weight(usd_minor, opened_at) -%}
    {%- set value_class -%}
        (1{% for step in var('reputation_value_steps') %} + case when {{ usd_minor }} >= {{ step }} then 1 else 0 end{% endfor %})
    {%- endset -%}
    {{ exact_of_double('power(2.0, ' ~ half_lives(opened_at) ~ ') * ' ~ value_class, 10, reputation_weight_type()) }}
{%- endmacro %}

{# The mean at `instant` from the sums of reviews, epoch weights and weighted ratings; null without a review. #}
{% macro reputation(reviews, weight, weighted_rating, instant) -%}
    case when {{ reviews }} > 0 then
        ({{ var('reputation_prior_weight') }} * {{ var('reputation_prior_mean') }}
            + power(0.5, {{ half_lives(instant) }}) * cast({{ weighted_rating }} as double))
        / ({{ var('reputation_prior_weight') }} + power(0.5, {{ half_lives(instant) }}) * cast({{ weight }} as double))
    end
{%- endmacro %}

{# Share of a client's ended jobs that were filled, shrunken to one half by one filled and one unfilled job: (filled + 1) ÷ (ended + 2). #}
{% macro hire_rate(filled, ended) -%}
    (cast({{ filled }} + 1 as double) / cast({{ ended }} + 2 as double))
{%- endmacro %}
