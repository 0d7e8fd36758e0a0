select
    cast(id as bigint) as job_skill_id,
    cast(job_id as bigint) as job_id,
    cast(skill_id as bigint) as skill_id
from (
    {{ current_rows('jobs_jobskill') }}
) as present
