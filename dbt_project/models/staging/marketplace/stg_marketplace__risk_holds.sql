select
    cast(id as bigint) as risk_hold_id,
    cast(user_id as bigint) as user_id,
    cast(act as varchar) as act,
    cast(subject_id as bigint) as subject_id,
    cast(rule as varchar) as rule,
    cast(shadow as boolean) as is_shadow,
    cast(state as varchar) as state,
    cast(opened_at as timestamp) as opened_at,
    cast(ends_at as timestamp) as ends_at,
    cast(decided_at as timestamp) as decided_at
from (
    {{ current_rows('payments_riskhold') }}
) as present
