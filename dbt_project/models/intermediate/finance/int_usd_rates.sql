{#- Same choice as when the marketplace quotes: the newest stored rate not after the day; straight before inverted before by way of EUR. -#}
with stored as (
    select * from {{ ref('stg_marketplace__fx_rates') }} where rate_source not like 'derived%'
),

dollars_per_euro as (
    select * from (
        select as_of_day, rate, row_number() over (partition by as_of_day order by fx_rate_id desc) as choice
        from stored
        where base_currency = 'EUR' and quote_currency = 'USD'
    ) as ranked
    where choice = 1
),

candidates as (
    select base_currency as currency, as_of_day, 1 as preference, fx_rate_id, cast(rate as {{ factor_type() }}) as usd_per_unit
    from stored
    where quote_currency = 'USD'

    union all

    select quote_currency, as_of_day, 2, fx_rate_id, {{ factor_of_ratio('1', 'rate') }}
    from stored
    where base_currency = 'USD'

    union all

    select per_euro.quote_currency, per_euro.as_of_day, 3, per_euro.fx_rate_id, {{ factor_of_ratio('dollar.rate', 'per_euro.rate') }}
    from stored as per_euro
    inner join dollars_per_euro as dollar on dollar.as_of_day = per_euro.as_of_day
    where per_euro.base_currency = 'EUR'
),

chosen as (
    select * from (
        select *, row_number() over (partition by currency, as_of_day order by preference asc, fx_rate_id desc) as choice
        from candidates
        where currency <> 'USD'
    ) as ranked
    where choice = 1
)

select
    'USD' as currency,
    cast('0001-01-01' as date) as valid_from,
    cast('9999-12-31' as date) as valid_to,
    cast(1 as {{ factor_type() }}) as factor,
    cast(null as bigint) as fx_rate_id

union all

select
    chosen.currency,
    chosen.as_of_day,
    coalesce(lead(chosen.as_of_day) over (partition by chosen.currency order by chosen.as_of_day), cast('9999-12-31' as date)),
    cast(
        chosen.usd_per_unit
        * case exponents.exponent
            when 0 then cast(100 as decimal(8, 3))
            when 1 then cast(10 as decimal(8, 3))
            when 2 then cast(1 as decimal(8, 3))
            when 3 then cast(0.1 as decimal(8, 3))
        end as {{ factor_type() }}
    ),
    chosen.fx_rate_id
from chosen
inner join {{ ref('currency_exponents') }} as exponents on exponents.currency = chosen.currency
where exponents.exponent between 0 and 3
