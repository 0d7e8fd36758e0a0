{#-
  Each instant of an impression is among those asked for, so the joins lose nothing. They are left ones because an optimizer may not reorder these:
  of inner ones it may join two of the features first, by the instant that they share with all other rows of a list.
-#}
with impressions as (
    select shown.*, jobs.client_id
    from {{ ref('fct_job_impression') }} as shown
    inner join {{ ref('fct_job') }} as jobs on jobs.job_id = shown.job_id
    where not shown.already_bid
),

freelancer_instants as (
    select distinct freelancer_id as entity_id, shown_at as instant from impressions
),

client_instants as (
    select distinct client_id as entity_id, shown_at as instant from impressions
),

job_instants as (
    select distinct job_id as entity_id, shown_at as instant from impressions
),

freelancers as (
    {{ as_of(ref('feat_freelancer_events'), 'freelancer_instants', ['contracts_done', 'reviews', 'weight', 'weighted_rating']) }}
),

clients as (
    {{ as_of(ref('feat_client_events'), 'client_instants', ['jobs_ended', 'jobs_filled']) }}
),

jobs as (
    {{ as_of(ref('feat_job_events'), 'job_instants', ['proposals']) }}
)

select
    impressions.batch,
    impressions.freelancer_id,
    impressions.job_id,
    impressions.shown_at,
    impressions.position,
    impressions.propensity,
    impressions.bid_at,
    impressions.shortlisted_at,
    impressions.hired_at,
    {{ reputation('freelancers.reviews', 'freelancers.weight', 'freelancers.weighted_rating', 'impressions.shown_at') }} as reputation,
    cast(freelancers.contracts_done as bigint) as contracts_done,
    {{ hire_rate('clients.jobs_filled', 'clients.jobs_ended') }} as client_hire_rate,
    cast(jobs.proposals as bigint) as proposals
from impressions
left join freelancers on freelancers.entity_id = impressions.freelancer_id and freelancers.instant = impressions.shown_at
left join clients on clients.entity_id = impressions.client_id and clients.instant = impressions.shown_at
left join jobs on jobs.entity_id = impressions.job_id and jobs.instant = impressions.shown_at
