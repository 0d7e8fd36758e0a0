select
    cast(searched_at as date) as day,
    surface,
    cast(count(*) as bigint) as searches,
    cast(sum(case when found_nothing then 1 else 0 end) as bigint) as without_hit
from {{ ref('fct_search') }}
group by cast(searched_at as date), surface
