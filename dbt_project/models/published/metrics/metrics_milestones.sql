{#-
  Due: it has a date, and was submitted, or the date is past while the contract still waits for it. Nobody can submit, so nobody waits for, what
  was never funded; what was cancelled or refunded unsubmitted is due no more.
-#}
select
    milestones.milestone_id,
    milestones.contract_id,
    milestones.client_id,
    milestones.freelancer_id,
    coalesce(categories.category_slug, '') as category,
    coalesce(contracts.pricing, '') as pricing,
    milestones.currency,
    milestones.state,
    cast(milestones.funded_at as date) as funded_on,
    cast(milestones.due_at as date) as due_on,
    cast(milestones.submitted_at as date) as submitted_on,
    cast(milestones.approved_at as date) as approved_on,
    milestones.submitted_at is not null as is_submitted,
    disputed.milestone_id is not null as is_disputed,
    milestones.due_at is not null and (
        milestones.submitted_at is not null
        or (
            milestones.due_at < moment.as_of and milestones.funded_at is not null
            and milestones.state not in ('cancelled', 'refunded', 'resolved')
        )
    ) as is_due,
    coalesce(milestones.submitted_at <= milestones.due_at, false) as is_on_time,
    milestones.approved_at is not null as is_approved,
    milestones.approved_at is not null and milestones.approved_by_clock as is_approved_by_clock,
    milestones.held_minor,
    {{ to_usd_minor('milestones.held_minor', 'rates.factor') }} as held_usd_minor,
    milestones.held_minor <> 0 and rates.factor is null as is_unconverted
from {{ ref('fct_milestone') }} as milestones
cross join {{ ref('int_as_of') }} as moment
left join {{ ref('fct_contract') }} as contracts on contracts.contract_id = milestones.contract_id
left join {{ ref('fct_job') }} as jobs on jobs.job_id = contracts.job_id
left join {{ ref('dim_category') }} as categories on categories.category_id = jobs.category_id
left join (select distinct milestone_id from {{ ref('fct_dispute') }}) as disputed on disputed.milestone_id = milestones.milestone_id
{{ join_usd_rate('rates', 'milestones.currency', 'cast(moment.as_of as date)') }}
