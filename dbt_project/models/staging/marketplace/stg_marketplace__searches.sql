{{ grows('search_id') }}

select
    cast(id as bigint) as search_id,
    cast(user_id as bigint) as user_id,
    cast(surface as varchar) as surface,
    cast(query as varchar) as query,
    cast(hits as bigint) as hits,
    cast(searched_at as timestamp) as searched_at,
    {{ log_mark() }}
from (
    {{ current_rows('activity_search') }}
) as present
