{#-
  To the minor unit: published GSV per currency against the hold accounts of the raw ledger, and its bonuses. What goes on from one milestone to the
  next moves no volume.
-#}
with holds as (
    select distinct id from {{ source('raw', 'payments_account') }} where kind = 'hold'
),

wallets as (
    select distinct id from {{ source('raw', 'payments_account') }} where kind = 'wallet'
),

special as (
    select distinct id, kind from {{ source('raw', 'payments_entry') }} where kind in ('bonus', 'roll')
),

raw_postings as (
    select distinct id, entry_id, debit_account_id, credit_account_id, amount, currency
    from {{ source('raw', 'payments_posting') }}
    where id not in (select id from {{ source('raw', 'payments_posting') }} where _op = 'd')
),

directed as (
    select
        raw_postings.currency,
        raw_postings.amount,
        special.kind,
        raw_postings.debit_account_id in (select id from holds) as out_of_hold,
        raw_postings.credit_account_id in (select id from holds) as into_hold,
        raw_postings.debit_account_id in (select id from wallets) as out_of_wallet,
        raw_postings.credit_account_id in (select id from wallets) as into_wallet
    from raw_postings
    left join special on special.id = raw_postings.entry_id
),

source_totals as (
    select
        currency,
        sum(case when into_hold then amount else 0 end) as funded,
        sum(case when (out_of_hold and not into_wallet) or (kind = 'bonus' and out_of_wallet) then amount else 0 end) as released,
        sum(case when out_of_hold and into_wallet then amount else 0 end) as refunded
    from directed
    where coalesce(kind, '') <> 'roll'
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
