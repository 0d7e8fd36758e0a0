with history as (
    select
        entity_id, sum(contracts_done) as contracts_done, sum(reviews) as reviews, sum(weight) as weight, sum(weighted_rating) as weighted_rating
    from "warehouse"."features"."feat_freelancer_events"
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
    case when coalesce(history.reviews, 0) > 0 then
        (4.0 * 4.0
            + power(0.5, ((cast(epoch_us(moment.as_of) - epoch_us(cast('2026-01-01 00:00:00' as timestamp)) as double) / 1000000.0) / 86400.0 / 365.0)) * cast(history.weighted_rating as double))
        / (4.0 + power(0.5, ((cast(epoch_us(moment.as_of) - epoch_us(cast('2026-01-01 00:00:00' as timestamp)) as double) / 1000000.0) / 86400.0 / 365.0)) * cast(history.weight as double))
    end as reputation,
    cast(coalesce(history.contracts_done, 0) as bigint) as contracts_done,
    freelancers.availability,
    freelancers.profile_text as text
from "warehouse"."marts"."dim_freelancer" as freelancers
cross join "warehouse"."intermediate"."int_as_of" as moment
left join history on history.entity_id = freelancers.freelancer_id