select
    cast(id as bigint) as job_id,
    cast(client_id as bigint) as client_id,
    cast(state as varchar) as state,
    cast(title as varchar) as title,
    cast(description as varchar) as description,
    cast(category_id as bigint) as category_id,
    cast(pricing as varchar) as pricing,
    cast(currency as varchar) as currency,
    cast(budget_min_minor as bigint) as budget_min_minor,
    cast(budget_max_minor as bigint) as budget_max_minor,
    cast(experience_level as varchar) as experience_level,
    cast(location_country as varchar) as location_country,
    cast(visibility as varchar) as visibility,
    cast(source as varchar) as import_source,
    cast(created_at as timestamp) as created_at,
    cast(opened_at as timestamp) as opened_at,
    cast(ended_at as timestamp) as ended_at
from (
    {{ current_rows('jobs_job') }}
) as present
