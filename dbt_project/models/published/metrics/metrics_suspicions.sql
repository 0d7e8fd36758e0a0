{#-
  Everything that was suspected, by whom, and what came of it: holds of machines, moderation cases (found by a machine when it flagged them before
  anybody reported them), chargebacks (found by the bank). Confirmed: somebody refused the act, a rule was broken by the decision that stands, the bank
  kept the money.
  One suspicion may stand in two tables. A hold of money also opens a case, and the bank may take back what a hold had refused: these rows repeat the
  hold's, which counts. A payment that a machine held, that people let go, and that the bank took back, was found by the bank and suspected by the machine.
-#}
with held as (
    select act, subject_id, min(opened_at) as held_at, max(case when outcome = 'upheld' then 1 else 0 end) = 1 as was_upheld
    from {{ ref('fct_fraud_decision') }}
    where not is_shadow and act in ('payment', 'payout')
    group by act, subject_id
),

suspected as (
    select
        decision_source as source, source_id, act as kind, rule, 'machine' as found_by, is_shadow, opened_at,
        case when outcome in ('upheld', 'cleared') then decided_at end as judged_at,
        decided_at as left_at,
        outcome in ('upheld', 'cleared') as is_judged,
        outcome = 'upheld' as is_confirmed,
        false as is_appeal_decided,
        false as is_overturned,
        true as was_machine_suspected,
        false as is_repeat
    from {{ ref('fct_fraud_decision') }}
    union all
    select
        'case', cases.case_id, cases.subject_type, coalesce(cases.reason_code, ''),
        case when cases.flagged_by_machine then 'machine' else 'people' end,
        false, cases.opened_at,
        case when cases.is_decided then coalesce(cases.second_at, cases.decided_at) end,
        case when cases.is_decided then coalesce(cases.second_at, cases.decided_at) end,
        cases.is_decided,
        coalesce(cases.is_decided and cases.has_breach, false),
        cases.appeal_decided_at is not null,
        coalesce(cases.is_overturned, false),
        cases.flagged_by_machine,
        held.subject_id is not null
    from {{ ref('fct_moderation_case') }} as cases
    left join held on held.act = cases.subject_type and held.subject_id = cases.subject_id
    union all
    select
        'chargeback', chargebacks.chargeback_id, 'payment', coalesce(chargebacks.reason, ''), 'bank', false, chargebacks.created_at,
        case when chargebacks.state in ('won', 'lost') then chargebacks.settled_at end,
        case when chargebacks.state in ('won', 'lost') then chargebacks.settled_at end,
        chargebacks.state in ('won', 'lost'),
        chargebacks.state = 'lost',
        false,
        false,
        coalesce(held.held_at <= chargebacks.created_at, false),
        coalesce(held.was_upheld, false)
    from {{ ref('fct_chargeback') }} as chargebacks
    left join held on held.act = 'payment' and held.subject_id = chargebacks.payment_id
    where chargebacks.state <> 'inquiry'
)

select
    suspected.source,
    cast(suspected.source_id as bigint) as source_id,
    suspected.kind,
    coalesce(suspected.rule, '') as rule,
    suspected.found_by,
    suspected.is_shadow,
    cast(suspected.opened_at as date) as opened_on,
    suspected.is_judged,
    suspected.is_confirmed,
    suspected.is_appeal_decided,
    suspected.is_overturned,
    suspected.was_machine_suspected,
    suspected.is_repeat,
    {{ seconds_between('suspected.opened_at', 'greatest(coalesce(suspected.left_at, moment.as_of), suspected.opened_at)') }} / 3600.0 as hours_to_decision
from suspected
cross join {{ ref('int_as_of') }} as moment
