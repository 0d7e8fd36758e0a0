{{ grows('search_id', lives_in='stg_marketplace__searches') }}

select search_id, user_id, surface, query, hits, hits = 0 as found_nothing, searched_at, log_run
from {{ ref('stg_marketplace__searches') }} as searches
{{ if_changed('searches') }}
