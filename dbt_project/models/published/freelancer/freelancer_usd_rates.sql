{#- `metrics.usd_rates` for those who do not see the schema metrics: rates are nobody's own (pipelines.marts_reader.currencies). -#}
select
    currency,
    currency_name,
    exponent,
    valid_from,
    valid_to,
    minor_per_usd_cent,
    good_until
from {{ ref('dim_usd_rate') }}
