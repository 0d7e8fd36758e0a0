{#- A dispute that lives is censored at as_of: it has waited that long at least. -#}
select
    disputes.dispute_id,
    disputes.milestone_id,
    disputes.contract_id,
    coalesce(disputes.filer_side, '') as filer_side,
    coalesce(disputes.settled_by, '') as settled_by,
    disputes.currency,
    disputes.state,
    cast(disputes.opened_at as date) as opened_on,
    disputes.settled_at is not null as is_settled,
    {{ seconds_between('disputes.opened_at', 'greatest(coalesce(disputes.settled_at, moment.as_of), disputes.opened_at)') }} / 3600.0 as hours_to_settlement
from {{ ref('fct_dispute') }} as disputes
cross join {{ ref('int_as_of') }} as moment
