{#- Completed contracts, and client reviews once both sides may read them. -#}
select entity_id, event_at, known_at, contracts_done, cast(0 as bigint) as reviews, cast(0 as bigint) as rating_sum
from (
    {{ changes(ref('stg_marketplace__contract_versions'), 'freelancer_id', 'ended_at', "state = 'completed' and ended_at is not null", {'contracts_done': '1'}) }}
) as completions

union all

select entity_id, event_at, known_at, cast(0 as bigint), reviews, rating_sum
from (
    {{ changes(
        ref('stg_marketplace__review_versions'), 'subject_id', 'opened_at', "author_side = 'client' and opened_at is not null",
        {'reviews': '1', 'rating_sum': 'rating'}
    ) }}
) as opened_reviews
