select
    cast(id as bigint) as skill_id,
    cast(slug as varchar) as skill_slug,
    cast(name as varchar) as skill_name,
    cast(category_id as bigint) as category_id
from (
    {{ current_rows('jobs_skill') }}
) as present
