{{ looks_on() }}

{#- What a job is; what happened to it is fct_job, the same grain. -#}
select
    job_id, client_id, category_id, title, pricing, visibility, experience_level, skills, currency, budget_middle_minor, budget_usd_minor,
    case
        when budget_usd_minor is null then 'unknown'
        when pricing = 'hourly' then 'hourly'
        when budget_usd_minor < 10000 then 'under_100'
        when budget_usd_minor < 100000 then '100_to_1000'
        when budget_usd_minor < 1000000 then '1000_to_10000'
        else 'over_10000'
    end as budget_band,
    is_imported, created_at
from {{ ref('fct_job') }}
