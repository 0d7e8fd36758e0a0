{#-
  Two witnesses stand side by side, so that they can disagree: what the payment's own row says came in (received_minor, by its state) and
  what the ledger posted (deposited_minor, charged_back_minor, sent_back_minor). Reconciliation compares them.
-#}
with refunds as (
    select
        refunds.payment_id,
        count(*) as refunds,
        sum(case when refunds.state = 'succeeded' then refunds.amount_minor else 0 end) as refunded_minor,
        sum(coalesce(ledger.sent_back_minor, 0)) as sent_back_minor
    from {{ ref('stg_marketplace__payment_refunds') }} as refunds
    left join {{ ref('int_ledger_subjects') }} as ledger
        on ledger.subject_type = 'payment_refund' and ledger.subject_id = refunds.payment_refund_id and ledger.currency = refunds.currency
    group by refunds.payment_id
),

disputed as (
    select
        chargebacks.payment_id,
        count(*) as chargebacks,
        sum(coalesce(ledger.charged_back_minor, 0)) as charged_back_minor
    from {{ ref('stg_marketplace__chargebacks') }} as chargebacks
    left join {{ ref('int_ledger_subjects') }} as ledger
        on ledger.subject_type = 'chargeback' and ledger.subject_id = chargebacks.chargeback_id and ledger.currency = chargebacks.currency
    group by chargebacks.payment_id
)

select
    payments.payment_id,
    payments.payer_id as client_id,
    case when payments.purpose = 'milestone' then payments.purpose_id end as milestone_id,
    payments.provider,
    payments.state,
    payments.purpose,
    payments.capture,
    payments.failure_code,
    payments.currency,
    payments.amount_minor,
    {{ to_usd_minor('payments.amount_minor', 'asked.factor') }} as amount_usd_minor,
    case
        when payments.settled_at is not null then coalesce(payments.received_minor, payments.amount_minor) else 0
    end as received_minor,
    {{ to_usd_minor(
        'case when payments.settled_at is not null then coalesce(payments.received_minor, payments.amount_minor) else 0 end', 'received.factor'
    ) }} as received_usd_minor,
    cast(coalesce(ledger.deposited_minor, 0) as bigint) as deposited_minor,
    cast(coalesce(refunds.refunds, 0) as bigint) as refunds,
    cast(coalesce(refunds.refunded_minor, 0) as bigint) as refunded_minor,
    cast(coalesce(refunds.sent_back_minor, 0) as bigint) as sent_back_minor,
    cast(coalesce(disputed.chargebacks, 0) as bigint) as chargebacks,
    cast(coalesce(ledger.charged_back_minor, 0) + coalesce(disputed.charged_back_minor, 0) as bigint) as charged_back_minor,
    payments.created_at,
    payments.settled_at,
    cast(coalesce(payments.settled_at, payments.created_at) as date) as paid_on,
    {{ seconds_between('payments.created_at', 'payments.settled_at') }} as seconds_to_settle
from {{ ref('stg_marketplace__payments') }} as payments
left join {{ ref('int_ledger_subjects') }} as ledger
    on ledger.subject_type = 'payment' and ledger.subject_id = payments.payment_id and ledger.currency = payments.currency
left join refunds on refunds.payment_id = payments.payment_id
left join disputed on disputed.payment_id = payments.payment_id
{{ join_usd_rate('asked', 'payments.currency', 'cast(payments.created_at as date)') }}
{{ join_usd_rate('received', 'payments.currency', 'cast(coalesce(payments.settled_at, payments.created_at) as date)') }}
