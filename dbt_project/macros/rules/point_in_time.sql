{#
  Features with two clocks. A feature event adds `measures` to an entity: it happened at event_at and the platform knew it from known_at.
  A correction or deletion is a further event with the difference, so that a sum over events is what was known, not what is true today.
#}

{#
  Feature events out of row versions. `counted` is the condition under which a version counts; `measures` maps a name to the amount a
  counting version stands for, kept as `type`. Emits (entity_id, event_at, known_at, measures…), only where something changed.
#}
{% macro changes(versions, entity, event_at, counted, measures, type='bigint') -%}
    with standing as (
        select
            id, run_seq, is_backfill, known_at as logged_at,
            max({{ entity }}) over (partition by id) as entity_id,
            case when {{ counted }} and not is_deleted then {{ event_at }} end as counted_at,
            {%- for name, amount in measures.items() %}
            cast(case when {{ counted }} and not is_deleted then {{ amount }} else 0 end as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ versions }}
    ),
    steps as (
        select
            entity_id, is_backfill, logged_at,
            coalesce(counted_at, lag(counted_at) over (partition by id order by run_seq, logged_at), logged_at) as event_at,
            {%- for name in measures %}
            {{ name }} - coalesce(lag({{ name }}) over (partition by id order by run_seq, logged_at), 0) as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from standing
    )
    select
        entity_id,
        event_at,
        case when is_backfill or logged_at < event_at then event_at else logged_at end as known_at,
        {%- for name in measures %}
        {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from steps
    where {% for name in measures %}{{ name }} <> 0{{ ' or ' if not loop.last }}{% endfor %}
{%- endmacro %}

{#
  Sums of `measures` over the events of each (entity, instant) with event_at <= instant and known_at <= instant; 0 where there is none.
  `instants` is a relation with columns entity_id and instant, distinct. One sort instead of a join on an inequality.
#}
{% macro as_of(events, instants, measures) -%}
    select entity_id, instant{% for name in measures %}, {{ name }}{% endfor %}
    from (
        select
            entity_id, instant, is_instant,
            {%- for name in measures %}
            sum({{ name }}) over (
                partition by entity_id order by instant, is_instant rows between unbounded preceding and current row
            ) as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from (
            select
                entity_id, greatest(event_at, known_at) as instant, 0 as is_instant
                {%- for name in measures %}, {{ name }}{% endfor %}
            from {{ events }}
            union all
            select entity_id, instant, 1 as is_instant{% for name in measures %}, 0 as {{ name }}{% endfor %}
            from {{ instants }}
        ) as stream
    ) as summed
    where is_instant = 1
{%- endmacro %}

{#
  In builds that take changes: (entity_id, since) of the entities whose feature events of `changes` became others, all of them at instants from
  `since` on. A new version counts from when it was logged, one of the first load from when it happened; a row that went from one entity to
  another takes its events with it, to the last.
#}
{% macro entities_changed(versions, entity, event_at) -%}
    select entity_id, min(since) as since
    from (
        select
            {{ entity }} as entity_id,
            case
                when min({{ entity }}) over (partition by id) <> max({{ entity }}) over (partition by id) then cast('0001-01-01' as timestamp)
                when run_seq > {{ newest_run() }} and is_backfill then least(known_at, coalesce({{ event_at }}, known_at))
                when run_seq > {{ newest_run() }} then known_at
            end as since
        from {{ versions }}
        where id in (select id from {{ versions }} where run_seq > {{ newest_run() }})
    ) as moved
    where since is not null
    group by entity_id
{%- endmacro %}

{#
  In builds that take changes: the ids of rows of which `columns` changed since the last build, or that came, went or came back; a row of which
  anything else changed is not among them. Each version is compared with the one before it, not what is now with what was at the last build:
  the mark of a table may be older than what it has seen (a run that only took rows away leaves none), and a row that went and came back since
  is another for it.
#}
{% macro ids_turned(versions, columns) -%}
    select id
    from (
        select
            id, run_seq,
            row_number() over log_of_row = 1 or is_deleted <> lag(is_deleted) over log_of_row
            {%- for column in columns %}
            or ({{ column }} is distinct from lag({{ column }}) over log_of_row)
            {%- endfor %} as is_other
        from {{ versions }}
        where id in (select id from {{ versions }} where run_seq > {{ newest_run() }})
        window log_of_row as (partition by id order by run_seq, known_at)
    ) as compared
    where is_other and run_seq > {{ newest_run() }}
{%- endmacro %}
