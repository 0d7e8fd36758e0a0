{#- As for payments, the payout's own state and the ledger are two witnesses: paid_out_minor and in_transit_minor are the ledger's. -#}
select
    payouts.payout_id,
    payouts.payee_id as freelancer_id,
    payouts.provider,
    payouts.state,
    payouts.failure_code,
    payouts.hold_reason <> '' as was_held,
    nullif(payouts.hold_reason, '') as hold_reason,
    payouts.currency,
    payouts.amount_minor,
    {{ to_usd_minor('payouts.amount_minor', 'rates.factor') }} as amount_usd_minor,
    cast(coalesce(ledger.paid_out_minor, 0) as bigint) as paid_out_minor,
    cast(coalesce(ledger.in_transit_minor, 0) as bigint) as in_transit_minor,
    payouts.created_at,
    payouts.sent_at,
    payouts.settled_at,
    cast(coalesce(payouts.settled_at, payouts.created_at) as date) as paid_on,
    {{ seconds_between('payouts.created_at', 'payouts.settled_at') }} as seconds_to_settle
from {{ ref('stg_marketplace__payouts') }} as payouts
left join {{ ref('int_ledger_subjects') }} as ledger
    on ledger.subject_type = 'payout' and ledger.subject_id = payouts.payout_id and ledger.currency = payouts.currency
{{ join_usd_rate('rates', 'payouts.currency', 'cast(coalesce(payouts.settled_at, payouts.created_at) as date)') }}
