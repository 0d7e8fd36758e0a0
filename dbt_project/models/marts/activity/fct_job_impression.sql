{{ follows('impression_id', leaves=['impression_id', 'batch', 'freelancer_id']) }}

{#-
  Impressions of jobs to freelancers with the outcome credited to them. The first proposal of a freelancer for a job is credited to
  the latest list that showed it at or before, within attribution_days; earlier lists did not lead to it and stay without.
  already_bid marks lists shown after that proposal: they can lead to none. A pair is worked out whole when something of it changed, what is used
  here of its job, or whether its freelancer is one.
-#}
-- depends_on: {{ ref('stg_marketplace__impression_log') }}, {{ ref('stg_marketplace__proposal_log') }}, {{ ref('stg_marketplace__contract_log') }}
-- depends_on: {{ ref('stg_marketplace__job_versions') }}, {{ ref('stg_marketplace__freelancer_profile_versions') }}
-- depends_on: {{ ref('stg_marketplace__freelancer_profiles') }}
with
{%- if takes_changes() %}
newcomers as (
    select user_id
    from {{ ref('stg_marketplace__freelancer_profile_versions') }}
    where id in ({{ ids_turned(ref('stg_marketplace__freelancer_profile_versions'), ['user_id']) }})
    union
    select freelancer_id
    from {{ ref('stg_marketplace__proposal_log') }}
    where
        proposal_id in (select proposal_id from {{ ref('stg_marketplace__proposal_log') }} where log_run > {{ newest_run() }})
        and freelancer_id not in (select freelancer_id from {{ ref('stg_marketplace__freelancer_profiles') }})
),

looked_at as (
    {{ changed_pairs() }}
    union
    select user_id, item_id
    from {{ ref('fct_impression') }}
    where item_type = 'job' and user_id in (select user_id from newcomers)
    union
    select user_id, item_id
    from {{ ref('fct_impression') }}
    where
        item_type = 'job' and user_id is not null
        and item_id in ({{ ids_turned(ref('stg_marketplace__job_versions'), ['client_id', 'visibility', 'opened_at']) }})
),
{%- endif %}

shown as (
    select * from (
        select
            impressions.impression_id, impressions.batch, impressions.user_id as freelancer_id, impressions.item_id as job_id, jobs.client_id, impressions.surface,
            impressions.ranking, impressions.shown_at, impressions.position, impressions.propensity, impressions.score,
            row_number() over (
                partition by impressions.batch, impressions.user_id, impressions.item_id order by impressions.position, impressions.impression_id
            ) as occurrence
        from {{ ref('fct_impression') }} as impressions
        inner join {{ ref('dim_freelancer') }} as freelancers on freelancers.freelancer_id = impressions.user_id
        inner join {{ ref('fct_job') }} as jobs on jobs.job_id = impressions.item_id
        {%- if takes_changes() %}
        inner join looked_at on looked_at.freelancer_id = impressions.user_id and looked_at.job_id = impressions.item_id
        {%- endif %}
        where impressions.item_type = 'job' and jobs.opened_at is not null and jobs.visibility = 'public'
    ) as numbered
    where occurrence = 1
),

first_bids as (
    select * from (
        select
            proposals.freelancer_id, proposals.job_id, proposals.submitted_at as bid_at, proposals.shortlisted_at, proposals.hired_at,
            row_number() over (
                partition by proposals.freelancer_id, proposals.job_id order by proposals.submitted_at, proposals.proposal_id
            ) as occurrence
        from {{ ref('fct_proposal') }} as proposals
        {%- if takes_changes() %}
        inner join looked_at on looked_at.freelancer_id = proposals.freelancer_id and looked_at.job_id = proposals.job_id
        {%- endif %}
    ) as numbered
    where occurrence = 1
),

paired as (
    select
        shown.*,
        first_bids.bid_at, first_bids.shortlisted_at, first_bids.hired_at,
        coalesce(shown.shown_at > first_bids.bid_at, false) as already_bid,
        row_number() over (
            partition by shown.freelancer_id, shown.job_id, coalesce(shown.shown_at > first_bids.bid_at, false)
            order by shown.shown_at desc, shown.impression_id desc
        ) as recency
    from shown
    left join first_bids on first_bids.freelancer_id = shown.freelancer_id and first_bids.job_id = shown.job_id
),

credited as (
    select
        *,
        not already_bid and recency = 1 and bid_at is not null
        and bid_at <= {{ plus_days('shown_at', var('attribution_days')) }} as is_credited
    from paired
),

outcomes as (
    select
        impression_id, batch, freelancer_id, job_id, client_id, surface, ranking, shown_at, position, propensity, score, already_bid,
        case when is_credited then bid_at end as bid_at,
        case when is_credited then shortlisted_at end as shortlisted_at,
        case when is_credited then hired_at end as hired_at
    from credited
)

{% if takes_changes() -%}
select
    looked_for.impression_id,
    outcomes.batch,
    outcomes.freelancer_id,
    outcomes.job_id,
    outcomes.client_id,
    outcomes.surface,
    outcomes.ranking,
    outcomes.shown_at,
    outcomes.position,
    outcomes.propensity,
    outcomes.score,
    outcomes.already_bid,
    outcomes.bid_at,
    outcomes.shortlisted_at,
    outcomes.hired_at,
    {{ newest_of([
        (ref('stg_marketplace__impression_log'), 'log_run'), (ref('stg_marketplace__proposal_log'), 'log_run'),
        (ref('stg_marketplace__contract_log'), 'log_run'), (ref('stg_marketplace__job_versions'), 'run_seq'),
        (ref('stg_marketplace__freelancer_profile_versions'), 'run_seq')
    ]) }} as noticed_run,
    outcomes.impression_id is null as is_gone
from (
    select found.impression_id from outcomes as found
    union
    select stands.impression_id
    from {{ this }} as stands
    inner join looked_at on looked_at.freelancer_id = stands.freelancer_id and looked_at.job_id = stands.job_id
) as looked_for
left join outcomes on outcomes.impression_id = looked_for.impression_id
{%- else -%}
select *, (select max(log_run) from {{ ref('fct_impression') }}) as noticed_run
from outcomes
{%- endif %}
