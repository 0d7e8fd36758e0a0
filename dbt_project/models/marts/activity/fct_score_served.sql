{{ grows('score_id', lives_in='stg_marketplace__served_scores') }}

select
    score_id, batch, user_id as freelancer_id, job_id, position, score, parts, model_version, nullif(publish_id, '') as publish_id, served_at,
    cast(served_at as date) as served_on, log_run
from {{ ref('stg_marketplace__served_scores') }} as scores
{{ if_changed('scores') }}
