{#-
  Long, so that a metric chooses its flows by a filter. A released posting into fees is in it twice: as `released`, because it is part of the
  gross, and as `fee`. What goes on from one milestone to the next was committed before and given back to nobody: it is in no flow.
-#}
with postings as (
    select
        postings.occurred_on as day,
        postings.currency,
        coalesce(contracts.category_slug, '') as category,
        coalesce(contracts.pricing, '') as pricing,
        case when coalesce(postings.entry_kind, '') <> 'roll' then postings.gsv_flow end as gsv_flow,
        postings.fee_minor,
        postings.amount_minor,
        postings.amount_usd_minor
    from {{ ref('fct_posting') }} as postings
    left join {{ ref('fct_milestone') }} as milestones on milestones.milestone_id = postings.milestone_id
    left join (
        select contracts.contract_id, contracts.pricing, categories.category_slug
        from {{ ref('fct_contract') }} as contracts
        left join {{ ref('fct_job') }} as jobs on jobs.job_id = contracts.job_id
        left join {{ ref('dim_category') }} as categories on categories.category_id = jobs.category_id
    ) as contracts on contracts.contract_id = coalesce(postings.contract_id, milestones.contract_id)
),

flows as (
    select day, currency, category, pricing, gsv_flow as flow, amount_minor, amount_usd_minor
    from postings
    where gsv_flow is not null
    union all
    select day, currency, category, pricing, case when fee_minor > 0 then 'fee' else 'fee_refund' end, amount_minor, amount_usd_minor
    from postings
    where fee_minor <> 0
)

select
    flows.day,
    flows.currency,
    flows.category,
    flows.pricing,
    flows.flow,
    cast(sum(flows.amount_minor) as bigint) as amount_minor,
    cast(sum(coalesce(flows.amount_usd_minor, 0)) as bigint) as amount_usd_minor,
    cast(count(*) as bigint) as postings,
    cast(sum(case when flows.amount_usd_minor is null then 1 else 0 end) as bigint) as unconverted_postings,
    max(moment.as_of) as as_of
from flows
cross join {{ ref('int_as_of') }} as moment
group by flows.day, flows.currency, flows.category, flows.pricing, flows.flow
