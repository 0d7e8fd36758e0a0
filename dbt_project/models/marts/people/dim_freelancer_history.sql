with intervals as (
    {{ validity_intervals(
        ref('stg_marketplace__freelancer_profile_versions'), 'freelancer_id',
        {'country': 'country', 'time_zone': 'time_zone'},
        {
            'experience_level': 'experience_level', 'availability': 'availability', 'hourly_rate_minor': 'hourly_rate_minor',
            'currency': 'currency', 'category_id': 'category_id'
        }
    ) }}
)

select
    intervals.freelancer_id,
    intervals.valid_from,
    intervals.valid_to,
    intervals.is_current,
    intervals.country,
    zones.standard_offset_hours as zone_hours,
    intervals.experience_level,
    intervals.availability,
    intervals.category_id,
    intervals.hourly_rate_minor,
    intervals.currency,
    {{ to_usd_minor('intervals.hourly_rate_minor', 'rates.factor') }} as hourly_rate_usd_minor,
    intervals.log_run
from intervals
left join {{ ref('time_zones') }} as zones on zones.time_zone = intervals.time_zone
{{ join_usd_rate('rates', 'intervals.currency', 'cast(intervals.valid_from as date)') }}
