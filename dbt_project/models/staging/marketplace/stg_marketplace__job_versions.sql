{{ row_versions('jobs_job', {'client_id': 'client_id', 'state': 'state', 'ended_at': 'ended_at'}) }}
