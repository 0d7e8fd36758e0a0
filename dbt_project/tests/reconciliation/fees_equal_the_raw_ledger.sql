{#- To the minor unit: net fees of the take rate against the balance of the fee accounts in the raw ledger, per currency. -#}
with fee_accounts as (
    select distinct id from {{ source('raw', 'payments_account') }} where kind = 'fees'
),

source_totals as (
    select
        currency,
        sum(
            case when credit_account_id in (select id from fee_accounts) then amount else 0 end
            - case when debit_account_id in (select id from fee_accounts) then amount else 0 end
        ) as fees
    from (select distinct id, debit_account_id, credit_account_id, amount, currency from {{ source('raw', 'payments_posting') }} where _op <> 'd') as postings
    group by currency
),

published as (
    select currency, sum(net_fee_minor) as fees from {{ ref('admin_take_rate_monthly') }} group by currency
)

select source_totals.currency, source_totals.fees, published.fees as published_fees
from source_totals
full outer join published on published.currency = source_totals.currency
where coalesce(source_totals.fees, 0) <> coalesce(published.fees, 0)
