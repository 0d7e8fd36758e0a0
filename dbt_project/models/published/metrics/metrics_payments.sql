{#- An inquiry of the bank takes no money and is no chargeback. Counted in the month of the payment, however late the bank comes. -#}
with taken as (
    select payment_id, count(*) as chargebacks, sum(case when state = 'lost' then 1 else 0 end) as lost
    from {{ ref('fct_chargeback') }}
    where state <> 'inquiry'
    group by payment_id
)

select
    payments.payment_id,
    payments.client_id,
    payments.provider,
    payments.currency,
    payments.purpose,
    payments.paid_on,
    payments.received_minor > 0 as is_received,
    coalesce(taken.chargebacks, 0) > 0 as is_charged_back,
    coalesce(taken.lost, 0) > 0 as is_lost
from {{ ref('fct_payment') }} as payments
left join taken on taken.payment_id = payments.payment_id
