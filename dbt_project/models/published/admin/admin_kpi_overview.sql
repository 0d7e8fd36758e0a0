{#- Names, units and definitions of the numbers on the admin overview; the last 30 days end at as_of. Definitions at length: docs/metrics.md. -#}
with gsv as (
    select
        gsv.*,
        gsv.day > cast({{ plus_days('moment.as_of', -30) }} as date) as is_recent
    from {{ ref('admin_gsv_daily') }} as gsv
    cross join {{ ref('int_as_of') }} as moment
),

money as (
    select
        sum(funded_usd_minor) as funded,
        sum(released_usd_minor) as released,
        sum(net_usd_minor) as net,
        sum(case when is_recent then funded_usd_minor end) as funded_30d,
        sum(case when is_recent then released_usd_minor end) as released_30d,
        sum(case when is_recent then net_usd_minor end) as net_30d,
        sum(unconverted_postings) as unconverted
    from gsv
),

held as (
    select
        sum({{ to_usd_minor('milestones.held_minor', 'rates.factor') }}) as held,
        sum(case when rates.factor is null then 1 else 0 end) as unconverted
    from {{ ref('fct_milestone') }} as milestones
    cross join {{ ref('int_as_of') }} as moment
    {{ join_usd_rate('rates', 'milestones.currency', 'cast(moment.as_of as date)') }}
    where milestones.held_minor <> 0
),

take as (
    select {{ ratio('sum(net_fee_usd_minor)', 'sum(released_usd_minor)') }} as take_rate from {{ ref('admin_take_rate_monthly') }}
),

fill as (
    select {{ ratio('sum(filled)', 'sum(jobs)') }} as fill_rate from {{ ref('admin_fill_rate_weekly') }} where window_days = 14
),

jobs as (
    select count(*) as open_jobs from {{ ref('fct_job') }} where state = 'open'
),

people as (
    select count(distinct proposals.freelancer_id) as active_freelancers
    from {{ ref('fct_proposal') }} as proposals
    cross join {{ ref('int_as_of') }} as moment
    where proposals.submitted_at > {{ plus_days('moment.as_of', -30) }}
),

searches as (
    select {{ ratio('sum(case when found_nothing then 1 else 0 end)', 'count(*)') }} as zero_share from {{ ref('fct_search') }}
),

numbers as (
    select 1 as position, 'gsv_funded' as metric, cast(coalesce(money.funded, 0) as double) as value, 'minor' as unit, 'USD' as currency,
        'Money that clients committed to milestones (wallet to hold), ever' as definition
    from money
    union all
    select 2, 'gsv_released', cast(coalesce(money.released, 0) as double), 'minor', 'USD',
        'Gross that left holds for freelancers, fees and tax, ever' from money
    union all
    select 3, 'gsv_net', cast(coalesce(money.net, 0) as double), 'minor', 'USD', 'GSV funded less what went back from holds to wallets, ever' from money
    union all
    select 4, 'gsv_funded_30d', cast(coalesce(money.funded_30d, 0) as double), 'minor', 'USD', 'GSV funded in the last 30 days' from money
    union all
    select 5, 'gsv_released_30d', cast(coalesce(money.released_30d, 0) as double), 'minor', 'USD', 'GSV released in the last 30 days' from money
    union all
    select 6, 'gsv_net_30d', cast(coalesce(money.net_30d, 0) as double), 'minor', 'USD', 'GSV net in the last 30 days' from money
    union all
    select 7, 'funds_held', cast(coalesce(held.held, 0) as double), 'minor', 'USD', 'Balance of all holds, at the newest rates' from held
    union all
    select 8, 'take_rate', take.take_rate, 'share', cast(null as {{ dbt.type_string() }}), 'Fee postings net of fee refunds, divided by GSV released' from take
    union all
    select 9, 'fill_rate_14d', fill.fill_rate, 'share', null, 'Share of jobs filled within 14 days, of those open that long ago' from fill
    union all
    select 10, 'median_hours_to_first_bid', cast({{ median_hours(ref('admin_time_to_first_bid')) }} as double), 'hours', null,
        'Hours after which half of the jobs have a first bid (Kaplan–Meier; waiting jobs count as censored)'
    union all
    select 11, 'median_hours_to_hire', cast({{ median_hours(ref('admin_time_to_hire')) }} as double), 'hours', null,
        'Hours after which half of the jobs have hired (Kaplan–Meier; waiting jobs count as censored)'
    union all
    select 12, 'open_jobs', cast(jobs.open_jobs as double), 'count', null, 'Jobs open now' from jobs
    union all
    select 13, 'active_freelancers_30d', cast(people.active_freelancers as double), 'count', null, 'Freelancers with a bid in the last 30 days' from people
    union all
    select 14, 'search_zero_share', searches.zero_share, 'share', null, 'Searches that found nothing, divided by all searches' from searches
    union all
    select 15, 'unconverted_postings', cast(coalesce(money.unconverted, 0) as double), 'count', null,
        'GSV postings without an exchange rate to USD: left out of every USD figure' from money
    union all
    select 16, 'unconverted_holds', cast(coalesce(held.unconverted, 0) as double), 'count', null,
        'Milestones whose held money has no exchange rate to USD: left out of funds held' from held
)

select
    cast(numbers.position as integer) as position,
    numbers.metric,
    numbers.value,
    numbers.unit,
    numbers.currency,
    moment.as_of,
    numbers.definition
from numbers
cross join {{ ref('int_as_of') }} as moment
