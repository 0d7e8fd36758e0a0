{#-
  A score is log-odds of a bid for a job that is looked at; so of n jobs shown, Σ propensity × 1 ÷ (1 + e^−score) bids are expected.
  Bins of half a unit of log-odds, the ends open.
-#}
with scored as (
    select
        outcomes.surface,
        outcomes.ranking,
        {{ first_day('month', 'outcomes.shown_at') }} as month,
        cast(floor(2.0 * greatest(least(outcomes.score, 5.0), -6.0)) as integer) as bin,
        cast(outcomes.propensity / (1.0 + exp(-outcomes.score)) as decimal(18, 12)) as expected,
        case when outcomes.bid_at is not null then 1 else 0 end as bid
    from {{ ref('fct_job_impression') }} as outcomes
    where outcomes.score is not null and not outcomes.already_bid
)

select
    surface,
    ranking,
    month,
    bin,
    cast(count(*) as bigint) as shown,
    cast(sum(expected) as double) as expected_bids,
    cast(sum(bid) as bigint) as bids
from scored
group by surface, ranking, month, bin
