{#-
  Everything that was suspected, by whom, and what came of it: holds of machines, moderation cases (found by a machine when nobody had reported
  them), chargebacks (found by the bank). Confirmed: somebody refused the act, a rule was broken by the decision that stands, the bank kept the money.
-#}
with suspected as (
    select
        decision_source as source, source_id, act as kind, rule, 'machine' as found_by, is_shadow, opened_at,
        case when outcome in ('upheld', 'cleared') then decided_at end as judged_at,
        decided_at as left_at,
        outcome in ('upheld', 'cleared') as is_judged,
        outcome = 'upheld' as is_confirmed,
        false as is_appeal_decided,
        false as is_overturned
    from {{ ref('fct_fraud_decision') }}
    union all
    select
        'case', case_id, subject_type, coalesce(reason_code, ''), case when reports = 0 then 'machine' else 'people' end, false, opened_at,
        case when is_decided then coalesce(second_at, decided_at) end,
        case when is_decided then coalesce(second_at, decided_at) end,
        is_decided,
        coalesce(is_decided and has_breach, false),
        appeal_decided_at is not null,
        coalesce(is_overturned, false)
    from {{ ref('fct_moderation_case') }}
    union all
    select
        'chargeback', chargeback_id, 'payment', coalesce(reason, ''), 'bank', false, created_at,
        case when state in ('won', 'lost') then settled_at end,
        case when state in ('won', 'lost') then settled_at end,
        state in ('won', 'lost'),
        state = 'lost',
        false,
        false
    from {{ ref('fct_chargeback') }}
    where state <> 'inquiry'
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
    {{ seconds_between('suspected.opened_at', 'greatest(coalesce(suspected.left_at, moment.as_of), suspected.opened_at)') }} / 3600.0 as hours_to_decision
from suspected
cross join {{ ref('int_as_of') }} as moment
