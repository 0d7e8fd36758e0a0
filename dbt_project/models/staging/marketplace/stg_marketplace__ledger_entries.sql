{{ grows('entry_id') }}

select
    cast(id as bigint) as entry_id,
    cast(kind as varchar) as kind,
    cast(posting_count as integer) as posting_count,
    cast(subject_type as varchar) as subject_type,
    cast(subject_id as bigint) as subject_id,
    cast(contract_id as bigint) as contract_id,
    cast(gross_minor as bigint) as gross_minor,
    cast(actor_id as bigint) as actor_id,
    cast(rule as varchar) as rule,
    cast(occurred_at as timestamp) as occurred_at,
    {{ log_mark() }}
from (
    {{ current_rows('payments_entry') }}
) as present
