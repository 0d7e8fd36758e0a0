{{ looks_on() }}

{{ log_of('messaging_message', {'cast(id as bigint)': 'message_id', 'cast(conversation_id as bigint)': 'conversation_id'}) }}
