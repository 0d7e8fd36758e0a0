{#
  Pairs of a freelancer and a job, for models that follow what happens between them: in builds that take changes, (freelancer_id, job_id) of
  every pair whose impressions, proposals or contracts, and with `views` whose openings, changed since the last build: as they were and as they are.
#}
{% macro changed_pairs(views=false) -%}
    select user_id as freelancer_id, item_id as job_id
    from {{ ref('stg_marketplace__impression_log') }}
    where item_type = 'job' and user_id is not null and impression_id in (
        select impression_id from {{ ref('stg_marketplace__impression_log') }} where log_run > {{ newest_run() }}
    )
    union
    select freelancer_id, job_id
    from {{ ref('stg_marketplace__proposal_log') }}
    where proposal_id in (
        select proposal_id from {{ ref('stg_marketplace__proposal_log') }} where log_run > {{ newest_run() }}
        union all
        select proposal_id from {{ ref('stg_marketplace__contract_log') }}
        where contract_id in (select contract_id from {{ ref('stg_marketplace__contract_log') }} where log_run > {{ newest_run() }})
    )
    {%- if views %}
    union
    select user_id as freelancer_id, item_id as job_id
    from {{ ref('stg_marketplace__view_log') }}
    where item_type = 'job' and user_id is not null and view_id in (
        select view_id from {{ ref('stg_marketplace__view_log') }} where log_run > {{ newest_run() }}
    )
    {%- endif %}
{%- endmacro %}
