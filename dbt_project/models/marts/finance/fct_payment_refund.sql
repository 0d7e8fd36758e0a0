select
    refunds.payment_refund_id,
    refunds.payment_id,
    payments.payer_id as client_id,
    refunds.provider,
    refunds.state,
    refunds.failure_code,
    refunds.currency,
    refunds.amount_minor,
    {{ to_usd_minor('refunds.amount_minor', 'rates.factor') }} as amount_usd_minor,
    cast(coalesce(ledger.sent_back_minor, 0) as bigint) as sent_back_minor,
    refunds.created_at,
    refunds.settled_at
from {{ ref('stg_marketplace__payment_refunds') }} as refunds
left join {{ ref('stg_marketplace__payments') }} as payments on payments.payment_id = refunds.payment_id
left join {{ ref('int_ledger_subjects') }} as ledger
    on ledger.subject_type = 'payment_refund' and ledger.subject_id = refunds.payment_refund_id and ledger.currency = refunds.currency
{{ join_usd_rate('rates', 'refunds.currency', 'cast(coalesce(refunds.settled_at, refunds.created_at) as date)') }}
