{#-
  Impressions of jobs to freelancers with the outcome credited to them. The first proposal of a freelancer for a job is credited to
  the latest list that showed it at or before, within attribution_days; earlier lists did not lead to it and stay without.
  already_bid marks lists shown after that proposal: they can lead to none.
-#}
with shown as (
    select * from (
        select
            impressions.impression_id, impressions.batch, impressions.user_id as freelancer_id, impressions.item_id as job_id, impressions.surface,
            impressions.ranking, impressions.shown_at, impressions.position, impressions.propensity,
            row_number() over (
                partition by impressions.batch, impressions.user_id, impressions.item_id order by impressions.position, impressions.impression_id
            ) as occurrence
        from {{ ref('fct_impression') }} as impressions
        inner join {{ ref('dim_freelancer') }} as freelancers on freelancers.freelancer_id = impressions.user_id
        inner join {{ ref('fct_job') }} as jobs on jobs.job_id = impressions.item_id
        where impressions.item_type = 'job' and jobs.opened_at is not null and jobs.visibility = 'public'
    ) as numbered
    where occurrence = 1
),

first_bids as (
    select * from (
        select
            freelancer_id, job_id, submitted_at as bid_at, shortlisted_at, hired_at,
            row_number() over (partition by freelancer_id, job_id order by submitted_at, proposal_id) as occurrence
        from {{ ref('fct_proposal') }}
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
)

select
    impression_id, batch, freelancer_id, job_id, surface, ranking, shown_at, position, propensity, already_bid,
    case when is_credited then bid_at end as bid_at,
    case when is_credited then shortlisted_at end as shortlisted_at,
    case when is_credited then hired_at end as hired_at
from credited
