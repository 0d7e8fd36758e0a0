{{ looks_on() }}

{{ log_of('payments_fxrate', {'cast(id as bigint)': 'fx_rate_id', 'cast(as_of as date)': 'as_of_day'}) }}
