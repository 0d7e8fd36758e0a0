{{ follows(['batch', 'freelancer_id']) }}

{#-
  Gains as the matcher is evaluated (ml/matching/evaluate.py): bid 1, shortlisted 2, hired 4, each divided by the probability that its place was looked
  at, at most tenfold. NDCG@10: gains of the first ten places, each ÷ log2(place + 1), over the same sum in the best order. Jobs already bid for do not
  count, so places close up. Shares are summed as exact decimals: the order of adding cannot matter.
  A newcomer is a client who had hired nobody when the list was shown. A list is worked out again when one of its jobs' outcomes changed, or the
  client's first hire, unless another contract, which did not change, began before it.
-#}
-- depends_on: {{ ref('stg_marketplace__contract_log') }}
{%- set exact = 'decimal(18, 12)' %}
with
{%- if takes_changes() %}
hires_changed as (
    select client_id, min(started_at) as since
    from {{ ref('stg_marketplace__contract_log') }}
    where contract_id in (select contract_id from {{ ref('stg_marketplace__contract_log') }} where log_run > {{ newest_run() }})
    group by client_id
),

hires_before as (
    select client_id, min(started_at) as first_hired_at
    from {{ ref('fct_contract') }}
    where contract_id not in (select contract_id from {{ ref('stg_marketplace__contract_log') }} where log_run > {{ newest_run() }})
    group by client_id
),

looked_at as (
    select batch, freelancer_id from {{ ref('fct_job_impression') }} where noticed_run > {{ newest_run() }}
    union
    select batch, freelancer_id from {{ left_by(ref('fct_job_impression')) }} where noticed_run > {{ newest_run() }}
    union
    select shown.batch, shown.freelancer_id
    from {{ ref('fct_job_impression') }} as shown
    inner join hires_changed on hires_changed.client_id = shown.client_id
    left join hires_before on hires_before.client_id = shown.client_id
    where shown.shown_at >= hires_changed.since and (hires_before.first_hired_at is null or shown.shown_at < hires_before.first_hired_at)
),
{%- endif %}

first_hires as (
    select client_id, min(started_at) as first_hired_at
    from {{ ref('fct_contract') }}
    where started_at is not null
    group by client_id
),

shown as (
    select
        shown.batch,
        shown.freelancer_id,
        shown.surface,
        shown.ranking,
        shown.shown_at,
        shown.propensity,
        case when shown.hired_at is not null then 4.0 when shown.shortlisted_at is not null then 2.0 when shown.bid_at is not null then 1.0 else 0.0 end
        * least(1.0 / shown.propensity, 10.0) as gain,
        row_number() over (partition by shown.batch, shown.freelancer_id order by shown.position, shown.impression_id) as place,
        coalesce(first_hires.first_hired_at > shown.shown_at, true) as is_newcomer
    from {{ ref('fct_job_impression') }} as shown
    {%- if takes_changes() %}
    inner join looked_at on looked_at.batch = shown.batch and looked_at.freelancer_id = shown.freelancer_id
    {%- endif %}
    left join first_hires on first_hires.client_id = shown.client_id
    where not shown.already_bid
),

ranked as (
    select *, row_number() over (partition by batch, freelancer_id order by gain desc, place asc) as best_place
    from shown
),

summed as (
    select
        batch,
        freelancer_id,
        min(surface) as surface,
        min(ranking) as ranking,
        min(shown_at) as shown_at,
        count(*) as jobs,
        min(case when gain > 0 then place end) as first_gain,
        sum(cast(case when place <= 10 then gain / log2(place + 1.0) else 0.0 end as {{ exact }})) as gained,
        sum(cast(case when best_place <= 10 then gain / log2(best_place + 1.0) else 0.0 end as {{ exact }})) as best,
        sum(cast(case when place <= 10 then propensity else 0.0 end as {{ exact }})) as exposure,
        sum(cast(case when place <= 10 and is_newcomer then propensity else 0.0 end as {{ exact }})) as newcomer_exposure
    from ranked
    group by batch, freelancer_id
),

told as (
    select
        batch,
        freelancer_id,
        surface,
        ranking,
        cast(shown_at as date) as shown_on,
        cast(jobs as bigint) as jobs,
        first_gain is not null as has_gain,
        case when first_gain is not null then {{ ratio('gained', 'best') }} end as ndcg_10,
        case when first_gain is not null then {{ ratio('1.0', 'first_gain') }} end as reciprocal_rank,
        cast(exposure as double) as exposure,
        cast(newcomer_exposure as double) as newcomer_exposure
    from summed
)

{% if takes_changes() -%}
select
    looked_at.batch,
    looked_at.freelancer_id,
    told.surface,
    told.ranking,
    told.shown_on,
    told.jobs,
    told.has_gain,
    told.ndcg_10,
    told.reciprocal_rank,
    told.exposure,
    told.newcomer_exposure,
    {{ newest_of([
        (ref('fct_job_impression'), 'noticed_run'), (left_by(ref('fct_job_impression')), 'noticed_run'),
        (ref('stg_marketplace__contract_log'), 'log_run')
    ]) }} as noticed_run,
    told.batch is null as is_gone
from looked_at
left join told on told.batch = looked_at.batch and told.freelancer_id = looked_at.freelancer_id
{%- else -%}
select *, (select max(noticed_run) from {{ ref('fct_job_impression') }}) as noticed_run
from told
{%- endif %}
