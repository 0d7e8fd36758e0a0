select
    cast(id as bigint) as freelancer_skill_id,
    cast(freelancer_id as bigint) as freelancer_profile_id,
    cast(skill_id as bigint) as skill_id,
    cast(level as integer) as level,
    cast(years as integer) as years
from (
    {{ current_rows('accounts_freelancerskill') }}
) as present
