{{ looks_on() }}

{{ log_of('payments_entry', {'cast(id as bigint)': 'entry_id'}) }}
