{#-
  Each posting is converted by the rate of its own day and rounded, then summed: so that every grain of the same postings agrees.
  What goes on from one milestone to the next was committed before and given back to nobody: it is neither funded nor refunded here.
-#}
with flows as (
    select * from {{ ref('fct_posting') }} where gsv_flow is not null and coalesce(entry_kind, '') <> 'roll'
)

select
    occurred_on as day,
    currency,
    cast(sum(case when gsv_flow = 'funded' then amount_minor else 0 end) as bigint) as funded_minor,
    cast(sum(case when gsv_flow = 'released' then amount_minor else 0 end) as bigint) as released_minor,
    cast(sum(case when gsv_flow = 'refunded' then amount_minor else 0 end) as bigint) as refunded_minor,
    cast(sum(case gsv_flow when 'funded' then amount_minor when 'refunded' then -amount_minor else 0 end) as bigint) as net_minor,
    cast(sum(case when gsv_flow = 'funded' then amount_usd_minor when amount_usd_minor is not null then 0 end) as bigint) as funded_usd_minor,
    cast(sum(case when gsv_flow = 'released' then amount_usd_minor when amount_usd_minor is not null then 0 end) as bigint) as released_usd_minor,
    cast(sum(case when gsv_flow = 'refunded' then amount_usd_minor when amount_usd_minor is not null then 0 end) as bigint) as refunded_usd_minor,
    cast(sum(
        case when gsv_flow = 'funded' then amount_usd_minor when gsv_flow = 'refunded' then -amount_usd_minor when amount_usd_minor is not null then 0 end
    ) as bigint) as net_usd_minor,
    cast(sum(case when amount_usd_minor is null then 1 else 0 end) as bigint) as unconverted_postings
from flows
group by occurred_on, currency
