{#- Jobs that ended with an outcome of the client's own: filled, closed or expired; removal by moderation is none. -#}
{{ changes(
    ref('stg_marketplace__job_versions'), 'client_id', 'ended_at', "state in ('filled', 'closed', 'expired') and ended_at is not null",
    {'jobs_ended': '1', 'jobs_filled': "case when state = 'filled' then 1 else 0 end"}
) }}
