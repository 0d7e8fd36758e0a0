{#-
  To the minor unit, payment by payment: what its own row says came in, went back and was taken, against the gateway accounts of the raw
  ledger, worked out anew: all that moved between a gateway and the marketplace for the payment, its refunds and its chargebacks.
-#}
with clearing as (
    select distinct id from {{ source('raw', 'payments_account') }} where kind = 'clearing'
),

postings as (
    select distinct id, entry_id, debit_account_id, credit_account_id, amount, currency
    from {{ source('raw', 'payments_posting') }}
    where id not in (select id from {{ source('raw', 'payments_posting') }} where _op = 'd')
),

entries as (
    select distinct id, subject_type, subject_id from {{ source('raw', 'payments_entry') }}
    where kind <> 'provider_fee' and subject_type in ('payment', 'payment_refund', 'chargeback')
),

owners as (
    select distinct 'payment' as subject_type, id as subject_id, id as payment_id from {{ source('raw', 'payments_payment') }}
    union all
    select distinct 'payment_refund', id, payment_id from {{ source('raw', 'payments_paymentrefund') }}
    union all
    select distinct 'chargeback', id, payment_id from {{ source('raw', 'payments_chargeback') }}
),

source_totals as (
    select
        owners.payment_id,
        postings.currency,
        sum(
            case when postings.debit_account_id in (select id from clearing) then postings.amount else 0 end
            - case when postings.credit_account_id in (select id from clearing) then postings.amount else 0 end
        ) as brought
    from postings
    inner join entries on entries.id = postings.entry_id
    left join owners on owners.subject_type = entries.subject_type and owners.subject_id = entries.subject_id
    group by owners.payment_id, postings.currency
)

select
    coalesce(source_totals.payment_id, payments.payment_id) as payment_id,
    source_totals.brought,
    payments.state,
    payments.received_minor,
    payments.refunded_minor,
    payments.charged_back_minor
from source_totals
full outer join {{ ref('fct_payment') }} as payments
    on payments.payment_id = source_totals.payment_id and payments.currency = source_totals.currency
where coalesce(source_totals.brought, 0) is distinct from payments.received_minor - payments.refunded_minor - payments.charged_back_minor
    or payments.received_minor <> payments.deposited_minor
    or payments.refunded_minor <> payments.sent_back_minor
