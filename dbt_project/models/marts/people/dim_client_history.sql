with intervals as (
    {{ validity_intervals(
        ref('stg_marketplace__client_profile_versions'), 'client_id',
        {'country': 'country', 'time_zone': 'time_zone'}, {'is_payment_verified': 'payment_verified'}
    ) }}
)

select
    intervals.client_id,
    intervals.valid_from,
    intervals.valid_to,
    intervals.is_current,
    intervals.country,
    zones.standard_offset_hours as zone_hours,
    intervals.is_payment_verified,
    intervals.log_run
from intervals
left join {{ ref('time_zones') }} as zones on zones.time_zone = intervals.time_zone
