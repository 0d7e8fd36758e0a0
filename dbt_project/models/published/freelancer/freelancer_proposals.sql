{{ looks_on() }}

select
    proposals.freelancer_id, proposals.proposal_id, proposals.job_id, jobs.title as job_title, proposals.state, proposals.currency,
    proposals.amount_minor, jobs.proposals as proposals_for_job, proposals.submitted_at, proposals.first_seen_at, proposals.shortlisted_at,
    proposals.hired_at, proposals.decided_at
from {{ ref('fct_proposal') }} as proposals
inner join {{ ref('fct_job') }} as jobs on jobs.job_id = proposals.job_id
