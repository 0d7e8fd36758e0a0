select
    cast(id as bigint) as case_id,
    cast(subject_type as varchar) as subject_type,
    cast(subject_id as bigint) as subject_id,
    cast(about_id as bigint) as about_id,
    cast(state as varchar) as state,
    cast(act as varchar) as act,
    cast(reason_code as varchar) as reason_code,
    cast(needs_second as boolean) as needs_second,
    cast(content_held as boolean) as content_held,
    cast(decided_by_id as bigint) as decided_by_id,
    cast(second_by_id as bigint) as second_by_id,
    cast(appeal_decided_by_id as bigint) as appeal_decided_by_id,
    cast(opened_at as timestamp) as opened_at,
    cast(decide_by as timestamp) as decide_by,
    cast(late_at as timestamp) as late_at,
    cast(decided_at as timestamp) as decided_at,
    cast(second_at as timestamp) as second_at,
    cast(appealed_at as timestamp) as appealed_at,
    cast(appeal_decided_at as timestamp) as appeal_decided_at
from (
    {{ current_rows('trust_case') }}
) as present
