select
    cast(id as bigint) as fx_rate_id,
    cast(base as varchar) as base_currency,
    cast(quote as varchar) as quote_currency,
    cast(rate as decimal(24, 12)) as rate,
    cast(source as varchar) as rate_source,
    cast(as_of as date) as as_of_day,
    cast(fetched_at as timestamp) as fetched_at
from (
    {{ current_rows('payments_fxrate') }}
) as present
