select impression_id, batch, user_id, surface, ranking, item_type, item_id, position, propensity, score, shown_at, cast(shown_at as date) as shown_on
from {{ ref('stg_marketplace__impressions') }}
