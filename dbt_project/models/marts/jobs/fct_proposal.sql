{{ grows('proposal_id', lives_in='stg_marketplace__proposals', joins=true) }}

{#-
  shortlisted_at is when the bid got at least that far: an offer or a hire without a shortlist before counts. A proposal also changes when its
  contract does, as it was or as it is, or the rate of its day.
-#}
-- depends_on: {{ ref('stg_marketplace__contract_log') }}, {{ ref('stg_marketplace__fx_rate_log') }}
with proposals as (
    select *
    from {{ ref('stg_marketplace__proposals') }}
    {%- if takes_changes() %}
    where log_run > {{ newest_run() }}
        or proposal_id in (
            select proposal_id
            from {{ ref('stg_marketplace__contract_log') }}
            where
                proposal_id is not null
                and contract_id in (select contract_id from {{ ref('stg_marketplace__contract_log') }} where log_run > {{ newest_run() }})
        )
        or cast(submitted_at as date) >= {{ first_day_of_changed_rates() }}
    {%- endif %}
)

select
    proposals.proposal_id,
    proposals.job_id,
    proposals.freelancer_id,
    proposals.state,
    proposals.currency,
    proposals.amount_minor,
    {{ to_usd_minor('proposals.amount_minor', 'rates.factor') }} as amount_usd_minor,
    proposals.delivery_days,
    proposals.submitted_at,
    proposals.first_seen_at,
    least(proposals.shortlisted_at, proposals.offered_at, contracts.offered_at, contracts.started_at) as shortlisted_at,
    least(proposals.offered_at, contracts.offered_at) as offered_at,
    contracts.started_at as hired_at,
    case when contracts.state = 'completed' then contracts.ended_at end as completed_at,
    proposals.decided_at,
    contracts.contract_id,
    proposals.log_run
from proposals
left join {{ ref('stg_marketplace__contracts') }} as contracts on contracts.proposal_id = proposals.proposal_id
{{ join_usd_rate('rates', 'proposals.currency', 'cast(proposals.submitted_at as date)') }}
