{{ looks_on() }}

{{ log_of('contracts_contract', {
    'cast(id as bigint)': 'contract_id',
    'cast(proposal_id as bigint)': 'proposal_id',
    'cast(client_id as bigint)': 'client_id',
    'cast(started_at as timestamp)': 'started_at'
}) }}
