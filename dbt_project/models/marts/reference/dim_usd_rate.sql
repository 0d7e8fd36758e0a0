{#-
  The rate dimension that amounts are read in another currency by: join it on the viewer's currency and the day, and convert with
  to_viewer_minor (macros/rules/money.sql). One currency's intervals do not overlap and have no gap after the first day.
-#}
select
    rates.currency,
    names.currency_name,
    exponents.exponent,
    rates.valid_from,
    rates.valid_to,
    rates.factor as usd_cents_per_minor,
    {{ exact_of_double(ratio('1', double_of_factor('rates.factor')), 10, factor_type()) }} as minor_per_usd_cent,
    rates.fx_rate_id,
    case
        when rates.fx_rate_id is not null
            then cast({{ plus_days('rates.valid_from', rate_age_days('stored.rate_source')) }} as date)
    end as good_until
from {{ ref('int_usd_rates') }} as rates
inner join {{ ref('currency_exponents') }} as exponents on exponents.currency = rates.currency
left join {{ ref('currency_names') }} as names on names.currency = rates.currency
left join {{ ref('stg_marketplace__fx_rates') }} as stored on stored.fx_rate_id = rates.fx_rate_id
