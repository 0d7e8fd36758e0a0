{#- Completed contracts, and client reviews once both sides may read them, with the weights of the reputation (macros/rules/reputation.sql). -#}
with weighed_reviews as (
    select versions.*, {{ reputation_weight(to_usd_minor('contracts.total_minor', 'rates.factor'), 'versions.opened_at') }} as weight
    from {{ ref('stg_marketplace__review_versions') }} as versions
    left join {{ ref('stg_marketplace__contracts') }} as contracts on contracts.contract_id = versions.contract_id
    {{ join_usd_rate('rates', 'contracts.currency', 'cast(versions.opened_at as date)') }}
)

select
    entity_id, event_at, known_at, contracts_done,
    cast(0 as bigint) as reviews,
    cast(0 as {{ reputation_weight_type() }}) as weight,
    cast(0 as {{ reputation_weight_type() }}) as weighted_rating
from (
    {{ changes(ref('stg_marketplace__contract_versions'), 'freelancer_id', 'ended_at', "state = 'completed' and ended_at is not null", {'contracts_done': '1'}) }}
) as completions

union all

select entity_id, event_at, known_at, cast(0 as bigint), cast(reviews as bigint), weight, weighted_rating
from (
    {{ changes(
        'weighed_reviews', 'subject_id', 'opened_at', "author_side = 'client' and opened_at is not null",
        {'reviews': '1', 'weight': 'weight', 'weighted_rating': 'rating * weight'}, reputation_weight_type()
    ) }}
) as opened_reviews
