{#
  The raw log is append-only: the row with the highest _run_seq of a key is its present; a key whose latest row is a tombstone
  (_op = 'd') is gone. Within one run the later _known_at wins.

  In an incremental model (strategy change_log, see macros/rules/incremental.sql) only the runs after the newest one in the table are
  read: whatever changed since then has its present there. Tombstones come along, so that the strategy can take their keys out.
#}
{% macro current_rows(table) -%}
    select * from (
        select *, row_number() over (partition by id order by _run_seq desc, _known_at desc) as _age
        from {{ source('raw', table) }}
        {%- if takes_changes() %}
        where _run_seq > {{ newest_run() }}
        {%- endif %}
    ) as log
    where _age = 1{% if not takes_changes() %} and _op <> 'd'{% endif %}
{%- endmacro %}

{#
  Every logged version of a table's rows, oldest first, with what point-in-time features need:
  run_seq, known_at, is_deleted, and is_backfill: the version came with the first run that brought any row. Nothing can tell when facts
  older than the platform were learnt, so these count as known when they happened; all later ones only from known_at on.
#}
{% macro row_versions(table, columns) -%}
    select
        id,
        {%- for column, name in columns.items() %}
        {{ column }} as {{ name }},
        {%- endfor %}
        _run_seq as run_seq,
        _known_at as known_at,
        _op = 'd' as is_deleted,
        _run_seq = (select min(_run_seq) from {{ source('raw', table) }}) as is_backfill
    from {{ source('raw', table) }}
{%- endmacro %}

{# When which key was written or deleted, for incremental models that join the table: a later change of theirs must reach them too. #}
{% macro log_of(table, columns) -%}
    select
        {%- for column, name in columns.items() %}
        {{ column }} as {{ name }},
        {%- endfor %}
        cast(_run_seq as bigint) as log_run
    from {{ source('raw', table) }}
{%- endmacro %}
