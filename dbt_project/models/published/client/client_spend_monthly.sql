select
    milestones.client_id,
    {{ first_day('month', 'postings.occurred_on') }} as month,
    postings.currency,
    cast(sum(case when postings.gsv_flow = 'funded' then postings.amount_minor else 0 end) as bigint) as funded_minor,
    cast(sum(case when postings.gsv_flow = 'released' then postings.amount_minor else 0 end) as bigint) as released_minor,
    cast(sum(case when postings.gsv_flow = 'refunded' then postings.amount_minor else 0 end) as bigint) as refunded_minor
from {{ ref('fct_posting') }} as postings
inner join {{ ref('fct_milestone') }} as milestones on milestones.milestone_id = postings.milestone_id
where postings.gsv_flow is not null and coalesce(postings.entry_kind, '') <> 'roll'
group by milestones.client_id, {{ first_day('month', 'postings.occurred_on') }}, postings.currency
