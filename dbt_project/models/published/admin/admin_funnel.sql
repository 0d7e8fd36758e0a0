with stages as (
    {% for stage in ['shown', 'opened', 'bid', 'shortlisted', 'hired', 'completed'] -%}
    select {{ loop.index }} as position, '{{ stage }}' as stage{{ ' union all ' if not loop.last }}
    {%- endfor %}
),

ended as (
    select furthest, count(*) as pairs
    from {{ ref('fct_pair_journey') }}
    group by furthest
),

reached as (
    select stages.position, stages.stage, coalesce(sum(ended.pairs), 0) as pairs
    from stages
    left join ended on ended.furthest >= stages.position
    group by stages.position, stages.stage
)

select
    cast(position as integer) as position,
    stage,
    cast(pairs as bigint) as count,
    {{ ratio('pairs', 'first_value(pairs) over (order by position)') }} as share,
    {{ ratio('pairs', 'lag(pairs) over (order by position)') }} as share_of_previous
from reached
