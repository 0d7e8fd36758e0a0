select
    review_id, contract_id, author_id, subject_id, author_side, rating, written_at, opened_at, opened_at is not null as is_open
from {{ ref('stg_marketplace__reviews') }}
