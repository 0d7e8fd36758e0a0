{%- set tables = [
    'accounts_clientprofile',
    'accounts_freelancerprofile',
    'accounts_freelancerskill',
    'accounts_user',
    'activity_impression',
    'activity_search',
    'activity_view',
    'contracts_contract',
    'contracts_milestone',
    'core_deletedrow',
    'jobs_category',
    'jobs_job',
    'jobs_jobskill',
    'jobs_proposal',
    'jobs_skill',
    'payments_account',
    'payments_entry',
    'payments_fxrate',
    'payments_posting',
    'trust_review'
] -%}
{% for table in tables %}
select
    '{{ table }}' as table_name,
    cast(count(*) as bigint) as logged_rows,
    cast(count(distinct case when _op <> 'd' then id end) as bigint) as logged_keys,
    cast(max(_run_seq) as bigint) as last_run_seq,
    cast(max(_known_at) as timestamp) as last_known_at,
    cast(max(updated_at) as timestamp) as last_source_change_at
from {{ source('raw', table) }}
{{ 'union all' if not loop.last }}
{% endfor %}
