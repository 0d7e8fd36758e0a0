{#- What counts as active: a client opened a job or funded a milestone; a freelancer sent a bid or submitted work. Imported posts are nobody's act. -#}
with acts as (
    select 'client' as side, client_id as party_id, opened_at as acted_at from {{ ref('fct_job') }} where not is_imported
    union all
    select 'client', client_id, funded_at from {{ ref('fct_milestone') }}
    union all
    select 'freelancer', freelancer_id, submitted_at from {{ ref('fct_proposal') }}
    union all
    {# each time: the milestone itself knows the last one only #}
    select 'freelancer', milestones.freelancer_id, submissions.submitted_at
    from {{ ref('stg_marketplace__submissions') }} as submissions
    inner join {{ ref('fct_milestone') }} as milestones on milestones.milestone_id = submissions.milestone_id
)

select side, party_id, {{ first_day('month', 'acted_at') }} as month, cast(count(*) as bigint) as acts
from acts
where acted_at is not null and party_id is not null
group by side, party_id, {{ first_day('month', 'acted_at') }}
