{{ looks_on() }}

{{ log_of('jobs_proposal', {
    'cast(id as bigint)': 'proposal_id',
    'cast(freelancer_id as bigint)': 'freelancer_id',
    'cast(job_id as bigint)': 'job_id'
}) }}
