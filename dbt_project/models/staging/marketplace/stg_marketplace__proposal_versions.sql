{{ looks_on() }}

{{ row_versions('jobs_proposal', {'job_id': 'job_id', 'submitted_at': 'submitted_at'}) }}
