{#- To the minor unit: fct_posting against the raw log, per kind of both accounts and currency, with the present state worked out anew. -#}
with raw_postings as (
    select postings.*
    from {{ source('raw', 'payments_posting') }} as postings
    where postings._op <> 'd' and not exists (
        select 1 from {{ source('raw', 'payments_posting') }} as later where later.id = postings.id and later._run_seq > postings._run_seq
    )
),

kinds as (
    select id, max(kind) as kind from {{ source('raw', 'payments_account') }} group by id
),

source_totals as (
    select debit.kind as debit_kind, credit.kind as credit_kind, raw_postings.currency, sum(raw_postings.amount) as total, count(*) as postings
    from raw_postings
    left join kinds as debit on debit.id = raw_postings.debit_account_id
    left join kinds as credit on credit.id = raw_postings.credit_account_id
    group by debit.kind, credit.kind, raw_postings.currency
),

mart_totals as (
    select debit_kind, credit_kind, currency, sum(amount_minor) as total, count(*) as postings
    from {{ ref('fct_posting') }}
    group by debit_kind, credit_kind, currency
)

select
    coalesce(source_totals.debit_kind, mart_totals.debit_kind) as debit_kind,
    coalesce(source_totals.credit_kind, mart_totals.credit_kind) as credit_kind,
    coalesce(source_totals.currency, mart_totals.currency) as currency,
    source_totals.total as source_total,
    mart_totals.total as mart_total
from source_totals
full outer join mart_totals
    on mart_totals.debit_kind = source_totals.debit_kind
    and mart_totals.credit_kind = source_totals.credit_kind
    and mart_totals.currency = source_totals.currency
where coalesce(source_totals.total, 0) <> coalesce(mart_totals.total, 0) or coalesce(source_totals.postings, 0) <> coalesce(mart_totals.postings, 0)
