{#- Everybody who has a freelancer profile or sent a proposal. Rates in USD are at the newest known day. -#}
with freelancers as (
    select freelancer_id from {{ ref('stg_marketplace__freelancer_profiles') }}
    union
    select freelancer_id from {{ ref('stg_marketplace__proposals') }}
),

skills as (
    select profiles.freelancer_id, {{ list_of('claims.skill_id', 'claims.skill_id') }} as skills
    from {{ ref('stg_marketplace__freelancer_skills') }} as claims
    inner join {{ ref('stg_marketplace__freelancer_profiles') }} as profiles on profiles.freelancer_profile_id = claims.freelancer_profile_id
    group by profiles.freelancer_id
)

select
    freelancers.freelancer_id,
    coalesce(users.country, '') as country,
    zones.standard_offset_hours as zone_hours,
    coalesce(profiles.title, '') as title,
    trim(coalesce(profiles.title, '') || ' ' || coalesce(profiles.overview, '')) as profile_text,
    profiles.category_id,
    coalesce(profiles.experience_level, 'intermediate') as experience_level,
    coalesce(profiles.availability, 'available') as availability,
    profiles.hourly_rate_minor,
    profiles.currency,
    {{ to_usd_minor('profiles.hourly_rate_minor', 'rates.factor') }} as hourly_rate_usd_minor,
    {{ list_or_empty('skills.skills') }} as skills,
    coalesce(profiles.freelancer_since, users.joined_at) as freelancer_since
from freelancers
cross join {{ ref('int_as_of') }} as moment
left join {{ ref('stg_marketplace__users') }} as users on users.user_id = freelancers.freelancer_id
left join {{ ref('stg_marketplace__freelancer_profiles') }} as profiles on profiles.freelancer_id = freelancers.freelancer_id
left join {{ ref('time_zones') }} as zones on zones.time_zone = users.time_zone
left join skills on skills.freelancer_id = freelancers.freelancer_id
{{ join_usd_rate('rates', 'profiles.currency', 'cast(moment.as_of as date)') }}
