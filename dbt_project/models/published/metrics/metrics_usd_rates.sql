{#- The rates by which figures in USD are read in the viewer's currency (pipelines.marts_reader: metric(…, currency=…)). -#}
select
    currency,
    currency_name,
    exponent,
    valid_from,
    valid_to,
    minor_per_usd_cent,
    good_until
from {{ ref('dim_usd_rate') }}
