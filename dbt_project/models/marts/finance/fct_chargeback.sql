{#- A chargeback belongs to the month of its payment (payment_month): by that month the rate is told, however late the bank spoke. -#}
select
    chargebacks.chargeback_id,
    chargebacks.payment_id,
    payments.payer_id as client_id,
    chargebacks.provider,
    chargebacks.state,
    chargebacks.reason,
    chargebacks.currency,
    chargebacks.amount_minor,
    {{ to_usd_minor('chargebacks.amount_minor', 'rates.factor') }} as amount_usd_minor,
    cast(coalesce(ledger.charged_back_minor, 0) as bigint) as charged_back_minor,
    chargebacks.owed_minor,
    chargebacks.fee_minor,
    nullif(chargebacks.fee_currency, '') as fee_currency,
    chargebacks.created_at,
    chargebacks.settled_at,
    {{ first_day('month', 'coalesce(payments.settled_at, payments.created_at)') }} as payment_month
from {{ ref('stg_marketplace__chargebacks') }} as chargebacks
left join {{ ref('stg_marketplace__payments') }} as payments on payments.payment_id = chargebacks.payment_id
left join {{ ref('int_ledger_subjects') }} as ledger
    on ledger.subject_type = 'chargeback' and ledger.subject_id = chargebacks.chargeback_id and ledger.currency = chargebacks.currency
{{ join_usd_rate('rates', 'chargebacks.currency', 'cast(chargebacks.created_at as date)') }}
