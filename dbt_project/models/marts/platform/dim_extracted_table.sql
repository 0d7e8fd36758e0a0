with runs as (
    select
        *,
        row_number() over (partition by table_name order by run_seq desc) as age,
        max(case when state = 'read' then known_at end) over (partition by table_name) as last_read_at,
        max(case when row_count + delete_count > 0 then known_at end) over (partition by table_name) as last_change_at
    from {{ ref('stg_platform__runs') }}
)

select table_name, state, message, drift, run_seq as last_run_seq, known_at as last_run_at, last_read_at, last_change_at
from runs
where age = 1
