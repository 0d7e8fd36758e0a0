{{ looks_on() }}

select
    batch,
    freelancer_id,
    job_id,
    shown_at,
    position,
    propensity,
    bid_at,
    shortlisted_at,
    hired_at,
    reputation,
    contracts_done,
    client_hire_rate,
    proposals
from {{ ref('feat_shown_pairs') }}
