select
    cast(id as bigint) as category_id,
    cast(slug as varchar) as category_slug,
    cast(name as varchar) as category_name
from (
    {{ current_rows('jobs_category') }}
) as present
