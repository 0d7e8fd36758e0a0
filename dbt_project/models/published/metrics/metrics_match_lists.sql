{{ looks_on() }}

select
    batch,
    freelancer_id,
    surface,
    ranking,
    shown_on,
    jobs,
    has_gain,
    ndcg_10,
    reciprocal_rank,
    exposure,
    newcomer_exposure
from {{ ref('fct_match_list') }}
