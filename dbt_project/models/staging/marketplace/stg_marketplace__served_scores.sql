{{ grows('score_id') }}

select
    cast(id as bigint) as score_id,
    cast(batch as varchar) as batch,
    cast(user_id as bigint) as user_id,
    cast(job_id as bigint) as job_id,
    cast(position as bigint) as position,
    cast(score as double) as score,
    cast(parts as varchar) as parts,
    cast(model_version as varchar) as model_version,
    cast(publish_id as varchar) as publish_id,
    cast(served_at as timestamp) as served_at,
    {{ log_mark() }}
from (
    {{ current_rows('matching_servedscore') }}
) as present
