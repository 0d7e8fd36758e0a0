{{ looks_on() }}

{{ log_of('payments_account', {'cast(id as bigint)': 'account_id'}) }}
