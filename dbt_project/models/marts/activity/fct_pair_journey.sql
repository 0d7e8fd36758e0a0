{{ follows(['freelancer_id', 'job_id']) }}

{#- A later stage implies the earlier ones (an offer without a shortlist still passed the shortlist): `furthest` is the last stage reached. -#}
-- depends_on: {{ ref('stg_marketplace__impression_log') }}, {{ ref('stg_marketplace__proposal_log') }}
-- depends_on: {{ ref('stg_marketplace__contract_log') }}, {{ ref('stg_marketplace__view_log') }}
with
{%- if takes_changes() %}
looked_at as (
    {{ changed_pairs(views=true) }}
),
{%- endif %}

shown as (
    select impressions.user_id as freelancer_id, impressions.item_id as job_id, min(impressions.shown_at) as shown_at
    from {{ ref('fct_impression') }} as impressions
    {%- if takes_changes() %}
    inner join looked_at on looked_at.freelancer_id = impressions.user_id and looked_at.job_id = impressions.item_id
    {%- endif %}
    where impressions.item_type = 'job' and impressions.user_id is not null
    group by impressions.user_id, impressions.item_id
),

opened as (
    select shown.freelancer_id, shown.job_id, min(views.viewed_at) as opened_at
    from shown
    inner join {{ ref('stg_marketplace__views') }} as views
        on views.user_id = shown.freelancer_id and views.item_id = shown.job_id and views.item_type = 'job' and views.viewed_at >= shown.shown_at
    group by shown.freelancer_id, shown.job_id
),

bids as (
    select
        proposals.freelancer_id,
        proposals.job_id,
        min(proposals.submitted_at) as bid_at,
        min(proposals.shortlisted_at) as shortlisted_at,
        min(proposals.hired_at) as hired_at,
        min(proposals.completed_at) as completed_at
    from {{ ref('fct_proposal') }} as proposals
    inner join shown on shown.freelancer_id = proposals.freelancer_id and shown.job_id = proposals.job_id
    where proposals.submitted_at >= shown.shown_at
    group by proposals.freelancer_id, proposals.job_id
),

journeys as (
    select
        shown.freelancer_id,
        shown.job_id,
        shown.shown_at,
        opened.opened_at,
        bids.bid_at,
        bids.shortlisted_at,
        bids.hired_at,
        bids.completed_at,
        case
            when bids.completed_at is not null then 6
            when bids.hired_at is not null then 5
            when bids.shortlisted_at is not null then 4
            when bids.bid_at is not null then 3
            when opened.opened_at is not null then 2
            else 1
        end as furthest
    from shown
    left join opened on opened.freelancer_id = shown.freelancer_id and opened.job_id = shown.job_id
    left join bids on bids.freelancer_id = shown.freelancer_id and bids.job_id = shown.job_id
)

{% if takes_changes() -%}
select
    looked_at.freelancer_id,
    looked_at.job_id,
    journeys.shown_at,
    journeys.opened_at,
    journeys.bid_at,
    journeys.shortlisted_at,
    journeys.hired_at,
    journeys.completed_at,
    journeys.furthest,
    {{ newest_of([
        (ref('stg_marketplace__impression_log'), 'log_run'), (ref('stg_marketplace__proposal_log'), 'log_run'),
        (ref('stg_marketplace__contract_log'), 'log_run'), (ref('stg_marketplace__view_log'), 'log_run')
    ]) }} as noticed_run,
    journeys.job_id is null as is_gone
from looked_at
left join journeys on journeys.freelancer_id = looked_at.freelancer_id and journeys.job_id = looked_at.job_id
{%- else -%}
select *, (select max(log_run) from {{ ref('fct_impression') }}) as noticed_run
from journeys
{%- endif %}
