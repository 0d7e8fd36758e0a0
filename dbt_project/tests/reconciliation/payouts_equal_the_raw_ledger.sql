{#-
  To the minor unit, payout by payout: its state says whether its money is with the gateway, in transit or back on the balance; the raw
  ledger's gateway and transit accounts must say the same.
-#}
with accounts as (
    select id, max(kind) as kind from {{ source('raw', 'payments_account') }} where kind in ('clearing', 'payout_transit') group by id
),

postings as (
    select distinct id, entry_id, debit_account_id, credit_account_id, amount, currency
    from {{ source('raw', 'payments_posting') }}
    where id not in (select id from {{ source('raw', 'payments_posting') }} where _op = 'd')
),

moves as (
    select entry_id, credit_account_id as account_id, currency, amount from postings
    union all
    select entry_id, debit_account_id, currency, -amount from postings
),

source_totals as (
    select
        entries.subject_id as payout_id,
        moves.currency,
        sum(case when accounts.kind = 'clearing' then moves.amount else 0 end) as paid,
        sum(case when accounts.kind = 'payout_transit' then moves.amount else 0 end) as in_transit
    from moves
    inner join accounts on accounts.id = moves.account_id
    inner join (
        select distinct id, subject_id from {{ source('raw', 'payments_entry') }} where subject_type = 'payout' and kind <> 'provider_fee'
    ) as entries on entries.id = moves.entry_id
    group by entries.subject_id, moves.currency
)

select
    coalesce(source_totals.payout_id, payouts.payout_id) as payout_id,
    payouts.state,
    payouts.amount_minor,
    source_totals.paid,
    payouts.paid_out_minor,
    source_totals.in_transit,
    payouts.in_transit_minor
from source_totals
full outer join {{ ref('fct_payout') }} as payouts
    on payouts.payout_id = source_totals.payout_id and payouts.currency = source_totals.currency
where coalesce(source_totals.paid, 0) is distinct from payouts.paid_out_minor
    or coalesce(source_totals.in_transit, 0) is distinct from payouts.in_transit_minor
    or payouts.paid_out_minor <> case when payouts.state = 'paid' then payouts.amount_minor else 0 end
    or payouts.in_transit_minor <> case when payouts.state in ('requested', 'held', 'sent') then payouts.amount_minor else 0 end
