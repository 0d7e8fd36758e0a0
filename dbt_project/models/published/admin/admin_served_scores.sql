{#- The newest 300: what a page can show and a person can read. All of them are in fct_score_served. -#}
select
    score_id,
    batch,
    position,
    freelancer_id,
    job_id,
    score,
    parts,
    model_version,
    publish_id,
    served_at
from {{ ref('fct_score_served') }}
order by served_at desc, score_id desc
limit 300
