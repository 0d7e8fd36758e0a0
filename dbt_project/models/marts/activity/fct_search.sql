select search_id, user_id, surface, query, hits, hits = 0 as found_nothing, searched_at
from {{ ref('stg_marketplace__searches') }}
