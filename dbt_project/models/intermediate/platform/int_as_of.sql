{#-
  The instant that every "now" of the marts means: the newest instant the platform has heard of. It comes from the data, not from the
  server's clock, so that building the same raw log twice gives the same marts; the business clock may run ahead of the wall clock.
-#}
select cast(max(heard) as timestamp) as as_of
from (
    select max(last_known_at) as heard from {{ ref('stg_marketplace__loads') }}
    union all
    select max(shown_at) from {{ ref('stg_marketplace__impressions') }}
    union all
    select max(submitted_at) from {{ ref('stg_marketplace__proposals') }}
    union all
    select max(occurred_at) from {{ ref('stg_marketplace__ledger_entries') }}
    union all
    select max(opened_at) from {{ ref('stg_marketplace__jobs') }}
    union all
    select max(ended_at) from {{ ref('stg_marketplace__jobs') }}
) as newest
