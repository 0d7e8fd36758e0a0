select
    entry_id, kind, posting_count, subject_type, subject_id, contract_id, gross_minor, actor_id, rule, occurred_at
from {{ ref('stg_marketplace__ledger_entries') }}
