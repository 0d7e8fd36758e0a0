select
    cast(id as bigint) as report_id,
    cast(case_id as bigint) as case_id,
    cast(reporter_id as bigint) as reporter_id,
    cast(subject_type as varchar) as subject_type,
    cast(subject_id as bigint) as subject_id,
    cast(reason_code as varchar) as reason_code,
    cast({{ adapter.quote('at') }} as timestamp) as reported_at,
    cast(answered_at as timestamp) as answered_at
from (
    {{ current_rows('trust_report') }}
) as present
