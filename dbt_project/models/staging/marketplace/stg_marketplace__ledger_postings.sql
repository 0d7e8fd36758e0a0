{{ grows('posting_id') }}

select
    cast(id as bigint) as posting_id,
    cast(entry_id as bigint) as entry_id,
    cast(line_no as integer) as line_no,
    cast(leg as varchar) as leg,
    cast(debit_account_id as bigint) as debit_account_id,
    cast(credit_account_id as bigint) as credit_account_id,
    cast(amount as bigint) as amount_minor,
    cast(currency as varchar) as currency,
    cast(occurred_at as timestamp) as occurred_at,
    {{ log_mark() }}
from (
    {{ current_rows('payments_posting') }}
) as present
