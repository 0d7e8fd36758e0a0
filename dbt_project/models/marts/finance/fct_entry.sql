{{ grows('entry_id', lives_in='stg_marketplace__ledger_entries') }}

select
    entry_id, kind, posting_count, subject_type, subject_id, contract_id, gross_minor, actor_id, rule, occurred_at, log_run
from {{ ref('stg_marketplace__ledger_entries') }} as entries
{{ if_changed('entries') }}
