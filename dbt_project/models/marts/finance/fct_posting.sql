{{ grows('posting_id', lives_in='stg_marketplace__ledger_postings', joins=true) }}

{#-
  gsv_flow says what a posting is for gross services volume, by the kinds of its accounts:
    funded    wallet → hold          money a client committed to a milestone
    released  hold → anything else   what left the hold for the freelancer, fees and tax: the gross; and a bonus, which leaves the wallet
    refunded  hold → wallet          what went back; a rest that goes on to the next milestone is refunded here and funded there
  fee_minor is + for a posting into a fee account and − for one out of it; also the client's fee, which moves no hold: wallet → fees and back.
  milestone_id is that of the hold on either side, and for a client's fee that of the milestone it was taken for (null for a bonus).
  A posting also changes when its entry, one of its accounts or the rate of its day does: a rate holds from its day on.
-#}
-- depends_on: {{ ref('stg_marketplace__ledger_entry_log') }}, {{ ref('stg_marketplace__ledger_account_log') }}, {{ ref('stg_marketplace__fx_rate_log') }}
select
    postings.posting_id,
    postings.entry_id,
    postings.line_no,
    postings.leg,
    entries.kind as entry_kind,
    entries.contract_id,
    coalesce(
        debit.milestone_id,
        credit.milestone_id,
        case when entries.kind in ('client_fee', 'client_fee_refund') and entries.subject_type = 'milestone' then entries.subject_id end
    ) as milestone_id,
    postings.debit_account_id,
    postings.credit_account_id,
    debit.kind as debit_kind,
    credit.kind as credit_kind,
    debit.user_id as debit_user_id,
    credit.user_id as credit_user_id,
    postings.currency,
    postings.amount_minor,
    {{ to_usd_minor('postings.amount_minor', 'rates.factor') }} as amount_usd_minor,
    case
        when debit.kind = 'wallet' and credit.kind = 'hold' then 'funded'
        when debit.kind = 'hold' and credit.kind = 'wallet' then 'refunded'
        when debit.kind = 'hold' then 'released'
        when entries.kind = 'bonus' and debit.kind = 'wallet' then 'released'
    end as gsv_flow,
    case when credit.kind = 'fees' then 1 when debit.kind = 'fees' then -1 else 0 end * postings.amount_minor as fee_minor,
    postings.occurred_at,
    cast(postings.occurred_at as date) as occurred_on,
    postings.log_run
from {{ ref('stg_marketplace__ledger_postings') }} as postings
left join {{ ref('stg_marketplace__ledger_entries') }} as entries on entries.entry_id = postings.entry_id
left join {{ ref('stg_marketplace__ledger_accounts') }} as debit on debit.account_id = postings.debit_account_id
left join {{ ref('stg_marketplace__ledger_accounts') }} as credit on credit.account_id = postings.credit_account_id
{{ join_usd_rate('rates', 'postings.currency', 'cast(postings.occurred_at as date)') }}
{%- if takes_changes() %}
where postings.log_run > {{ newest_run() }}
    or postings.entry_id in (select entry_id from {{ ref('stg_marketplace__ledger_entry_log') }} where log_run > {{ newest_run() }})
    or postings.debit_account_id in (select account_id from {{ ref('stg_marketplace__ledger_account_log') }} where log_run > {{ newest_run() }})
    or postings.credit_account_id in (select account_id from {{ ref('stg_marketplace__ledger_account_log') }} where log_run > {{ newest_run() }})
    or cast(postings.occurred_at as date) >= {{ first_day_of_changed_rates() }}
{%- endif %}
