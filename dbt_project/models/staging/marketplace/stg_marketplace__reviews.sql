select
    cast(id as bigint) as review_id,
    cast(contract_id as bigint) as contract_id,
    cast(author_id as bigint) as author_id,
    cast(subject_id as bigint) as subject_id,
    cast(author_side as varchar) as author_side,
    cast(rating as integer) as rating,
    cast(written_at as timestamp) as written_at,
    cast(opened_at as timestamp) as opened_at
from (
    {{ current_rows('trust_review') }}
) as present
