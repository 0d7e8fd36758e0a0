{#- Everybody who has a client profile or posted a job. -#}
with clients as (
    select client_id from {{ ref('stg_marketplace__client_profiles') }}
    union
    select client_id from {{ ref('stg_marketplace__jobs') }}
)

select
    clients.client_id,
    coalesce(users.country, '') as country,
    zones.standard_offset_hours as zone_hours,
    coalesce(profiles.is_payment_verified, false) as is_payment_verified,
    coalesce(profiles.import_source, '') <> '' as is_imported,
    coalesce(profiles.client_since, users.joined_at) as client_since
from clients
left join {{ ref('stg_marketplace__users') }} as users on users.user_id = clients.client_id
left join {{ ref('stg_marketplace__client_profiles') }} as profiles on profiles.client_id = clients.client_id
left join {{ ref('time_zones') }} as zones on zones.time_zone = users.time_zone
