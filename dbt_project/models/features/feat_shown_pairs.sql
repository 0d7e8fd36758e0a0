{{ follows('impression_id') }}

{#-
  Each instant of an impression is among those asked for, so the joins lose nothing. They are left ones because an optimizer may not reorder these:
  of inner ones it may join two of the features first, by the instant that they share with all other rows of a list.

  What was known at an instant does not change afterwards, but for what reaches into the past: a version logged before the instant, the
  weight of a review (the contract's total and the rate of its day), and an impression with its outcome. With these a row is worked out again.
-#}
-- depends_on: {{ ref('stg_marketplace__contract_versions') }}, {{ ref('stg_marketplace__review_versions') }}
-- depends_on: {{ ref('stg_marketplace__job_versions') }}, {{ ref('stg_marketplace__proposal_versions') }}, {{ ref('stg_marketplace__fx_rate_log') }}
with
{%- if takes_changes() %}
corrected_reviews as (
    select subject_id as entity_id, min(opened_at) as since
    from {{ ref('stg_marketplace__review_versions') }}
    where
        contract_id in (select id from {{ ref('stg_marketplace__contract_versions') }} where run_seq > {{ newest_run() }})
        or cast(opened_at as date) >= {{ first_day_of_changed_rates() }}
    group by subject_id
),

freelancers_changed as (
    select entity_id, min(since) as since
    from (
        {{ entities_changed(ref('stg_marketplace__contract_versions'), 'freelancer_id', 'ended_at') }}
        union all
        {{ entities_changed(ref('stg_marketplace__review_versions'), 'subject_id', 'opened_at') }}
        union all
        select entity_id, since from corrected_reviews where since is not null
    ) as found
    group by entity_id
),

clients_changed as (
    {{ entities_changed(ref('stg_marketplace__job_versions'), 'client_id', 'ended_at') }}
),

jobs_changed as (
    {{ entities_changed(ref('stg_marketplace__proposal_versions'), 'job_id', 'submitted_at') }}
),

looked_for as (
    select impression_id from {{ ref('fct_job_impression') }} where noticed_run > {{ newest_run() }}
    union
    select impression_id from {{ left_by(ref('fct_job_impression')) }} where noticed_run > {{ newest_run() }}
    union
    select shown.impression_id
    from {{ ref('fct_job_impression') }} as shown
    inner join freelancers_changed on freelancers_changed.entity_id = shown.freelancer_id
    where shown.shown_at >= freelancers_changed.since
    union
    select shown.impression_id
    from {{ ref('fct_job_impression') }} as shown
    inner join clients_changed on clients_changed.entity_id = shown.client_id
    where shown.shown_at >= clients_changed.since
    union
    select shown.impression_id
    from {{ ref('fct_job_impression') }} as shown
    inner join jobs_changed on jobs_changed.entity_id = shown.job_id
    where shown.shown_at >= jobs_changed.since
),
{%- endif %}

impressions as (
    select shown.*
    from {{ ref('fct_job_impression') }} as shown
    {%- if takes_changes() %}
    inner join looked_for on looked_for.impression_id = shown.impression_id
    {%- endif %}
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
),

known as (
    select
        impressions.impression_id,
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
)

{% if takes_changes() -%}
select
    looked_for.impression_id,
    known.batch,
    known.freelancer_id,
    known.job_id,
    known.shown_at,
    known.position,
    known.propensity,
    known.bid_at,
    known.shortlisted_at,
    known.hired_at,
    known.reputation,
    known.contracts_done,
    known.client_hire_rate,
    known.proposals,
    {{ newest_of([
        (ref('fct_job_impression'), 'noticed_run'), (left_by(ref('fct_job_impression')), 'noticed_run'),
        (ref('stg_marketplace__contract_versions'), 'run_seq'), (ref('stg_marketplace__review_versions'), 'run_seq'),
        (ref('stg_marketplace__job_versions'), 'run_seq'), (ref('stg_marketplace__proposal_versions'), 'run_seq'),
        (ref('stg_marketplace__fx_rate_log'), 'log_run')
    ]) }} as noticed_run,
    known.impression_id is null as is_gone
from looked_for
left join known on known.impression_id = looked_for.impression_id
{%- else -%}
select *, (select max(noticed_run) from {{ ref('fct_job_impression') }}) as noticed_run
from known
{%- endif %}
