select skills.skill_id, skills.skill_slug, skills.skill_name, skills.category_id, categories.category_slug
from {{ ref('stg_marketplace__skills') }} as skills
left join {{ ref('stg_marketplace__categories') }} as categories on categories.category_id = skills.category_id
