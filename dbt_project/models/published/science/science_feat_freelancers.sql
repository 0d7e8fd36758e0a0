with history as (
    select
        entity_id, sum(contracts_done) as contracts_done, sum(reviews) as reviews, sum(weight) as weight, sum(weighted_rating) as weighted_rating
    from {{ ref('feat_freelancer_events') }}
    group by entity_id
)

select
    freelancers.freelancer_id,
    freelancers.skills,
    freelancers.category_id,
    freelancers.country,
    freelancers.zone_hours,
    freelancers.experience_level as level,
    freelancers.hourly_rate_usd_minor as rate_usd_minor,
    {{ reputation('coalesce(history.reviews, 0)', 'history.weight', 'history.weighted_rating', 'moment.as_of') }} as reputation,
    cast(coalesce(history.contracts_done, 0) as bigint) as contracts_done,
    freelancers.availability,
    freelancers.profile_text as text
from {{ ref('dim_freelancer') }} as freelancers
cross join {{ ref('int_as_of') }} as moment
left join history on history.entity_id = freelancers.freelancer_id
