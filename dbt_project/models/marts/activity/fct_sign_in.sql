{{ grows('sign_in_id', lives_in='stg_marketplace__sign_ins') }}

select sign_in_id, user_id, device, signed_in_at, cast(signed_in_at as date) as signed_in_on, log_run
from {{ ref('stg_marketplace__sign_ins') }} as sign_ins
{{ if_changed('sign_ins') }}
