{#- Every payable currency; the rate is the newest known one, null where none is stored. -#}
select
    exponents.currency,
    names.currency_name,
    exponents.exponent,
    rates.factor as usd_cents_per_minor,
    rates.valid_from as rate_since
from {{ ref('currency_exponents') }} as exponents
left join {{ ref('currency_names') }} as names on names.currency = exponents.currency
cross join {{ ref('int_as_of') }} as moment
{{ join_usd_rate('rates', 'exponents.currency', 'cast(moment.as_of as date)') }}
