{#- To the minor unit: published GSV per currency against the hold accounts of the raw ledger. -#}
with holds as (
    select distinct id from {{ source('raw', 'payments_account') }} where kind = 'hold'
),

wallets as (
    select distinct id from {{ source('raw', 'payments_account') }} where kind = 'wallet'
),

raw_postings as (
    select distinct id, debit_account_id, credit_account_id, amount, currency
    from {{ source('raw', 'payments_posting') }}
    where id not in (select id from {{ source('raw', 'payments_posting') }} where _op = 'd')
),

source_totals as (
    select
        currency,
        sum(case when credit_account_id in (select id from holds) then amount else 0 end) as funded,
        sum(case when debit_account_id in (select id from holds) and credit_account_id not in (select id from wallets) then amount else 0 end) as released,
        sum(case when debit_account_id in (select id from holds) and credit_account_id in (select id from wallets) then amount else 0 end) as refunded
    from raw_postings
    group by currency
),

published as (
    select currency, sum(funded_minor) as funded, sum(released_minor) as released, sum(refunded_minor) as refunded
    from {{ ref('admin_gsv_daily') }}
    group by currency
)

select source_totals.currency, source_totals.funded, published.funded as published_funded, source_totals.released,
    published.released as published_released, source_totals.refunded, published.refunded as published_refunded
from source_totals
full outer join published on published.currency = source_totals.currency
where coalesce(source_totals.funded, 0) <> coalesce(published.funded, 0)
    or coalesce(source_totals.released, 0) <> coalesce(published.released, 0)
    or coalesce(source_totals.refunded, 0) <> coalesce(published.refunded, 0)
