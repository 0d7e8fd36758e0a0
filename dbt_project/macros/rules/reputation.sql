{#
  Reputation of a freelancer: the mean of opened client reviews, shrunken to the prior so that one review does not make a star.
  (prior_mean · prior_weight + sum of ratings) ÷ (prior_weight + reviews), on 1–5; null without a review.
#}
{% macro reputation(reviews, rating_sum) -%}
    case when {{ reviews }} > 0 then
        ({{ var('reputation_prior_mean') }} * {{ var('reputation_prior_weight') }} + {{ rating_sum }})
        / cast({{ var('reputation_prior_weight') }} + {{ reviews }} as double)
    end
{%- endmacro %}

{# Share of a client's ended jobs that were filled, shrunken to one half by one filled and one unfilled job: (filled + 1) ÷ (ended + 2). #}
{% macro hire_rate(filled, ended) -%}
    (cast({{ filled }} + 1 as double) / cast({{ ended }} + 2 as double))
{%- endmacro %}
