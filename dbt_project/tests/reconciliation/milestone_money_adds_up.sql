{#- Per milestone: funded = released + refunded + held, held is never negative, and what its state says: an ended milestone holds nothing, a funded one something. -#}
select milestone_id, state, funded_minor, released_minor, refunded_minor, held_minor
from {{ ref('fct_milestone') }}
where funded_minor <> released_minor + refunded_minor + held_minor
    or held_minor < 0
    or (state in ('planned', 'cancelled', 'released', 'refunded', 'resolved') and held_minor <> 0)
    or (state in ('funded', 'in_progress', 'submitted', 'changes_requested', 'disputed') and held_minor = 0)
