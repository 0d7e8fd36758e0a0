{#- The net arrives in the freelancer's pending account, in the currency they are paid in. -#}
select
    credit_user_id as freelancer_id,
    {{ first_day('month', 'occurred_on') }} as month,
    currency,
    cast(sum(amount_minor) as bigint) as net_minor,
    count(distinct entry_id) as releases
from {{ ref('fct_posting') }}
where credit_kind = 'pending'
group by credit_user_id, {{ first_day('month', 'occurred_on') }}, currency
