{{ row_versions('jobs_job', {
    'client_id': 'client_id', 'state': 'state', 'visibility': 'visibility', 'opened_at': 'opened_at', 'ended_at': 'ended_at'
}) }}
