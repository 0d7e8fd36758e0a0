{#-
  has_breach: a decision that stands says that a rule was broken (the case was acted on and not overturned). is_overturned counts appeals
  that found the decision wrong. A proposal that waits for its second person (needs_second) is no decision yet.
  A case that people report is opened by the first report; one that was open before was flagged by a machine, also when people report it later.
-#}
with reports as (
    select case_id, count(*) as reports, min(reported_at) as first_reported_at from {{ ref('stg_marketplace__reports') }} group by case_id
)

select
    cases.case_id,
    subject_type,
    subject_id,
    about_id,
    state,
    nullif(act, '') as act,
    nullif(reason_code, '') as reason_code,
    cast(coalesce(reports.reports, 0) as bigint) as reports,
    case when reports.reports is null then true else coalesce(reports.first_reported_at > opened_at, false) end as flagged_by_machine,
    content_held,
    second_by_id is not null as had_second,
    decided_at is not null and not needs_second as is_decided,
    state in ('actioned', 'appealed', 'upheld') as has_breach,
    appealed_at is not null as was_appealed,
    state = 'overturned' as is_overturned,
    late_at is not null as was_late,
    decided_by_id,
    appeal_decided_by_id,
    opened_at,
    decided_at,
    second_at,
    appealed_at,
    appeal_decided_at,
    cast(opened_at as date) as opened_on,
    case when not needs_second then {{ seconds_between('opened_at', 'coalesce(second_at, decided_at)') }} end as seconds_to_decision
from {{ ref('stg_marketplace__moderation_cases') }} as cases
left join reports on reports.case_id = cases.case_id
