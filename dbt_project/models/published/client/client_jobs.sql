select
    client_id, job_id, title, state, pricing, currency, budget_min_minor, budget_max_minor, proposals, opened_at, first_bid_at, hired_at, ended_at
from {{ ref('fct_job') }}
