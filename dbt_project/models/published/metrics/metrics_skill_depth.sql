select
    depth.skill_id,
    skills.skill_slug as skill,
    coalesce(skills.category_slug, '') as category,
    depth.open_jobs,
    depth.freelancers
from {{ ref('fct_skill_market') }} as depth
inner join {{ ref('dim_skill') }} as skills on skills.skill_id = depth.skill_id
