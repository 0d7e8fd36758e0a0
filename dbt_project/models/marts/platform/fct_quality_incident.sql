with versions as (
    select
        *,
        row_number() over (partition by kind, name, node, began_at order by run_seq desc) as age
    from {{ ref('stg_platform__incidents') }}
)

select kind, name, node, began_at, last_at, ended_at, failure_count, row_count, message, well_before_at, run_seq as last_run_seq
from versions
where age = 1
