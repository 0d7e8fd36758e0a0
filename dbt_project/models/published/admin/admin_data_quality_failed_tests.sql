select
    name as test_name,
    node as model_name,
    began_at as failed_at,
    last_at as last_failed_at,
    ended_at as passed_at,
    failure_count as build_count,
    row_count,
    message
from {{ ref('fct_quality_incident') }}
where kind = 'test'
