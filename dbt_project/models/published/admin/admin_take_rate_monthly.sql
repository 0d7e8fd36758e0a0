with postings as (
    select *, {{ first_day('month', 'occurred_on') }} as month
    from {{ ref('fct_posting') }}
    where gsv_flow = 'released' or fee_minor <> 0
)

select
    month,
    currency,
    cast(sum(fee_minor) as bigint) as net_fee_minor,
    cast(sum(case when gsv_flow = 'released' then amount_minor else 0 end) as bigint) as released_minor,
    {{ ratio('sum(fee_minor)', "sum(case when gsv_flow = 'released' then amount_minor else 0 end)") }} as take_rate,
    cast(sum(
        case when fee_minor > 0 then amount_usd_minor when fee_minor < 0 then -amount_usd_minor when amount_usd_minor is not null then 0 end
    ) as bigint) as net_fee_usd_minor,
    cast(sum(case when gsv_flow = 'released' then amount_usd_minor when amount_usd_minor is not null then 0 end) as bigint) as released_usd_minor,
    cast(sum(case when amount_usd_minor is null then 1 else 0 end) as bigint) as unconverted_postings
from postings
group by month, currency
