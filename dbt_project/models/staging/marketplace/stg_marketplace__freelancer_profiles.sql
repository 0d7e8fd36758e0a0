select
    cast(id as bigint) as freelancer_profile_id,
    cast(user_id as bigint) as freelancer_id,
    cast(title as varchar) as title,
    cast(overview as varchar) as overview,
    cast(hourly_rate_minor as bigint) as hourly_rate_minor,
    cast(currency as varchar) as currency,
    cast(experience_level as varchar) as experience_level,
    cast(years_experience as integer) as years_experience,
    cast(availability as varchar) as availability,
    cast(hours_per_week as integer) as hours_per_week,
    cast(category_id as bigint) as category_id,
    cast(created_at as timestamp) as freelancer_since
from (
    {{ current_rows('accounts_freelancerprofile') }}
) as present
