{{ looks_on() }}

{#-
  An answer is the client's: shortlist, offer, hire, acceptance or refusal. A bid that was withdrawn before its 14 days were over asks for none any more.
  A bid whose job ended without a word to it is unanswered.
-#}
with answered as (
    select
        *,
        least(shortlisted_at, offered_at, hired_at, case when state in ('accepted', 'declined') then decided_at end) as answered_at
    from {{ ref('fct_proposal') }}
)

select
    answered.proposal_id,
    answered.job_id,
    answered.freelancer_id,
    coalesce(categories.category_slug, '') as category,
    coalesce(jobs.pricing, '') as pricing,
    answered.state,
    cast(answered.submitted_at as date) as submitted_on,
    answered.submitted_at > {{ plus_days('moment.as_of', -30) }} as is_last_30d,
    answered.first_seen_at is not null as is_opened,
    answered.answered_at is not null as is_answered,
    coalesce(answered.answered_at <= {{ plus_days('answered.submitted_at', 14) }}, false) as is_answered_14d,
    {{ plus_days('answered.submitted_at', 14) }} <= moment.as_of
    and not coalesce(
        answered.state = 'withdrawn' and answered.answered_at is null and answered.decided_at < {{ plus_days('answered.submitted_at', 14) }}, false
    ) as is_due_14d,
    coalesce(answered.hired_at <= {{ plus_days('answered.submitted_at', 30) }}, false) as is_hired_30d,
    {{ plus_days('answered.submitted_at', 30) }} <= moment.as_of as is_due_30d,
    moment.as_of
from answered
cross join {{ ref('int_as_of') }} as moment
left join {{ ref('fct_job') }} as jobs on jobs.job_id = answered.job_id
left join {{ ref('dim_category') }} as categories on categories.category_id = jobs.category_id
