{{ looks_on() }}

{{ log_of('messaging_conversation', {'cast(id as bigint)': 'conversation_id'}) }}
