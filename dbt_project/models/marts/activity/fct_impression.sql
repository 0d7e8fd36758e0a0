{{ grows('impression_id', lives_in='stg_marketplace__impressions') }}

select
    impression_id, batch, user_id, surface, ranking, item_type, item_id, position, propensity, score, shown_at, cast(shown_at as date) as shown_on,
    log_run
from {{ ref('stg_marketplace__impressions') }} as impressions
{{ if_changed('impressions') }}
